//! Task that writes the HLS files of one publish.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Weak};

use bstr::ByteSlice;

use super::conf::Conf;
use super::input::{HlsInput, Written};
use super::writer::HlsWriter;
use super::{FileLayout, Segmenter};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::claims::{FileClaim, FileClaims};
use crate::media::files::{StreamName, WriteError};
use crate::media::mpegts::{Feeds, FrameQueue, PieceObserver};
use crate::media::publish_packets::PublishPackets;
use crate::media::segments::Presentations;
use crate::media::view::AppView;
use crate::module::hls::log;
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
    let Some(name) = StreamName::new(&stream.key().name) else {
        log::name_refused(stream);
        return None;
    };
    if conf.path.0.as_os_str().is_empty() {
        log::without_path(stream);
        return None;
    }
    let (input, end, feed) = if conf.kind.fmp4 {
        let hevc = u8::try_from(view.held().get::<media::conf::Conf>().hevc_codecid).unwrap_or(u8::MAX);
        let (packets, end) = PublishPackets::of(stream);
        (HlsInput::samples(packets, hevc), Some(Box::new(end) as Running), None)
    } else {
        let feed = output.feeds.prepare(view, stream);
        let queue = Arc::new(FrameQueue::new(stream.phase().epoch));
        let tap: Weak<FrameQueue> = Arc::downgrade(&queue);
        feed.tap(tap as Weak<dyn PieceObserver>);
        (HlsInput::Pieces(queue), None, Some(feed))
    };
    let segmenter = Segmenter::new(layout(&conf, name), conf.settings())
        .sharing(output.presentations.clone(), conf.path.0.clone());
    let recording = HlsRecording { stream: stream.clone(), input, conf, complaints: Complaints::default() };
    let (places, unfinished) = (output.places.clone(), output.lifetime.unfinished.token());
    tokio::spawn(async move {
        let playlist = recording.conf.path.0.join(segmenter.layout().playlist_file());
        let place = tokio::select! {
            place = places.take(playlist.clone()) => place,
            () = tokio::time::sleep(limits::HLS_PLACE_WAIT) => {
                return log::place_taken(&recording.stream, &playlist);
            }
        };
        recording.run(segmenter, &playlist, place).await;
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
    complaints: Complaints,
}

/// What was logged, once per publish: a full disk fails with every write.
#[derive(Default)]
struct Complaints {
    not_written: bool,
    repaired: bool,
    left_out: [bool; 3],
}

impl HlsRecording {
    async fn run(mut self, mut segmenter: Segmenter, playlist: &Path, place: FileClaim) {
        if self.conf.continuous
            && let Some(text) = read_playlist(playlist).await
        {
            segmenter.resume(&text);
        }
        let (path, keys) = (self.conf.path.0.clone(), self.conf.key_path.0.clone());
        let keys = if keys.as_os_str().is_empty() { path.clone() } else { keys };
        let mut files = (segmenter, HlsWriter::new(path, keys, place));
        loop {
            let batch = self.input.next().await;
            if batch.lost() > 0 {
                log::too_slow(&self.stream, batch.lost());
            }
            let (ended, info) = (batch.ended(), self.stream.info());
            let work = disk::spawn(DiskWork::Hls, move || {
                let (mut segmenter, mut writer) = files;
                segmenter.learn(info);
                let told = batch.write(&mut segmenter, &mut writer);
                (segmenter, writer, told)
            });
            // All is lost by a panic.
            let Ok((segmenter, mut writer, told)) = self.input.during(work).await else { return };
            self.complain(writer.take_failure(), &told);
            self.input.take_back(told);
            if ended {
                return;
            }
            files = (segmenter, writer);
        }
    }

    fn complain(&mut self, failure: Option<WriteError>, told: &Written) {
        let Complaints { not_written, repaired, left_out } = &mut self.complaints;
        if let Some(error) = failure
            && !std::mem::replace(not_written, true)
        {
            log::not_written(&self.stream, error.call, &error.path, &error.error);
        }
        if told.repaired && !std::mem::replace(repaired, true) {
            log::repaired(&self.stream);
        }
        for (kind, error) in &told.left_out {
            if !std::mem::replace(&mut left_out[*kind as usize], true) {
                log::left_out(&self.stream, *kind, *error);
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
