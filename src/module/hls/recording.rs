//! Task that writes the HLS files of one publish.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Weak};

use bstr::ByteSlice;

use super::conf::Conf;
use super::input::HlsInput;
use super::writer::HlsWriter;
use super::{FileLayout, Segmenter};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::StreamName;
use crate::media::files::claims::{FileClaim, FileClaims};
use crate::media::files::log::OutputLog;
use crate::media::mpegts::{Feeds, FrameQueue, PieceObserver};
use crate::media::publish_packets::PublishPackets;
use crate::media::samples::PublishSamples;
use crate::media::segments::Presentations;
use crate::media::view::AppView;
use crate::task::disk::{self, DiskWork};
use crate::task::lifetime::Lifetime;

/// Output that writes HLS files of streams with `hls on`.
pub struct HlsFiles {
    /// MPEG-TS feeds.
    pub feeds: Arc<Feeds>,
    /// Files being written.
    pub places: Arc<FileClaims>,
    /// Attributes of streams in master playlists.
    pub presentations: Arc<Presentations>,
    /// Shutdown of the process, which waits for files.
    pub lifetime: Lifetime,
}

impl Output for HlsFiles {
    fn prepare(&self, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        let conf = view.held().get::<Conf>();
        let needs_feed = conf.hls && !conf.kind.fmp4;
        needs_feed.then(|| Box::new(self.feeds.prepare(view, stream)) as Running)
    }

    /// The files are completed after the publisher's last packet, so the result does not hold the task.
    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        if view.held().get::<Conf>().hls { record(&self, view, stream) } else { None }
    }
}

/// Writes the files of the publisher that has just taken `stream`, until it leaves. The result tells when it leaves.
fn record(output: &HlsFiles, view: &AppView, stream: &Arc<Stream>) -> Option<Running> {
    let conf: Arc<Conf> = view.held().share();
    let log = OutputLog::new("hls", stream);
    let Some(name) = StreamName::new(&stream.key().name) else {
        log.name_refused();
        return None;
    };
    if conf.path.0.as_os_str().is_empty() {
        log.without_path();
        return None;
    }
    let (input, end, feed) = if conf.kind.fmp4 {
        let (packets, end) = PublishPackets::of(stream);
        (HlsInput::Packets(packets), Some(Box::new(end) as Running), None)
    } else {
        let feed = output.feeds.prepare(view, stream);
        let queue = Arc::new(FrameQueue::new(stream.phase().epoch));
        let tap: Weak<FrameQueue> = Arc::downgrade(&queue);
        feed.tap(tap as Weak<dyn PieceObserver>);
        (HlsInput::Pieces(queue), None, Some(feed))
    };
    let segmenter = Segmenter::new(layout(&conf, name), conf.settings())
        .sharing(output.presentations.clone(), conf.path.0.clone());
    // The time line begins at the publisher's first timestamp.
    let samples = PublishSamples::new(view.held().get::<media::conf::Conf>().hevc_codec_id(), None);
    let recording = HlsRecording { stream: stream.clone(), input, conf, log };
    let (places, unfinished) = (output.places.clone(), output.lifetime.unfinished.token());
    tokio::spawn(async move {
        let playlist = recording.conf.path.0.join(segmenter.layout().playlist_file());
        let place = tokio::select! {
            place = places.take(playlist.clone()) => place,
            () = tokio::time::sleep(limits::HLS_PLACE_WAIT) => return recording.log.place_taken(&playlist),
        };
        recording.run((samples, segmenter), &playlist, place).await;
        drop((feed, unfinished));
    });
    end
}

fn layout(conf: &Conf, name: StreamName) -> FileLayout {
    FileLayout {
        name,
        nested: conf.nested,
        base_url: conf.base_url.0.to_str_lossy().into_owned(),
        key_url: conf.key_url.0.to_str_lossy().into_owned(),
        fmp4: conf.kind.fmp4,
    }
}

struct HlsRecording {
    stream: Arc<Stream>,
    input: HlsInput,
    conf: Arc<Conf>,
    log: OutputLog,
}

impl HlsRecording {
    async fn run(
        mut self,
        (samples, mut segmenter): (PublishSamples, Segmenter),
        playlist: &Path,
        place: FileClaim,
    ) {
        if self.conf.continuous
            && let Some(text) = read_playlist(playlist).await
        {
            segmenter.resume(&text);
        }
        let (path, keys) = (self.conf.path.0.clone(), self.conf.key_path.0.clone());
        let keys = if keys.as_os_str().is_empty() { path.clone() } else { keys };
        let mut chain = (samples, segmenter, HlsWriter::new(path, keys, place));
        loop {
            let batch = self.input.next().await;
            self.log.too_slow(batch.lost());
            let (ended, info) = (batch.ended(), self.stream.info());
            let work = disk::spawn(DiskWork::Hls, move || {
                let (samples, segmenter, writer) = &mut chain;
                segmenter.learn(info);
                batch.write(samples, segmenter, writer);
                chain
            });
            // All is lost by a panic.
            let Ok(done) = self.input.during(work).await else { return };
            chain = done;
            let (samples, segmenter, writer) = &mut chain;
            if segmenter.is_newly_crowded() {
                media::log::cues_left_out("hls", &self.stream);
            }
            self.log.not_written(writer.take_failure());
            self.log.remarks(&samples.take_remarks());
            if ended {
                return;
            }
        }
    }
}

/// Playlist of an earlier publish, if any.
async fn read_playlist(path: &Path) -> Option<Vec<u8>> {
    let path = path.to_owned();
    let reading = disk::spawn(DiskWork::Hls, move || {
        let file = disk::open(OpenOptions::new().read(true), &path, false).ok()?;
        let mut text = Vec::new();
        file.take(limits::HLS_PLAYLIST_BYTES).read_to_end(&mut text).ok()?;
        Some(text)
    });
    reading.await.ok()?
}
