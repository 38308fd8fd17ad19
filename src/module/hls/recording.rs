//! Task that writes the HLS files of one publish.

use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::ByteSlice;

use super::conf::Conf;
use super::writer::HlsWriter;
use super::{FileLayout, Segmenter};
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::files::StreamName;
use crate::media::files::claims::{FileClaim, FileClaims};
use crate::media::mpegts::queue::{FrameBatch, FrameQueue};
use crate::media::mpegts::{Feeds, PieceObserver};
use crate::media::segments::Presentations;
use crate::media::view::AppView;
use crate::module::hls::log;
use crate::task::disk::{self, DiskWork};
use crate::task::lifetime::Lifetime;

/// Interval at which collected pieces are written.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);

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
        view.held().get::<Conf>().hls.then(|| Box::new(self.feeds.prepare(view, stream)) as Running)
    }

    /// The files are completed after the publisher's last packet, so the result is not tied to the publisher.
    fn begin(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        if view.held().get::<Conf>().hls {
            record(&self, view, stream);
        }
        None
    }
}

/// Writes the files of the publisher that has just taken `stream`, until it leaves.
fn record(output: &HlsFiles, view: &AppView, stream: &Arc<Stream>) {
    let conf: Arc<Conf> = view.held().share();
    let feed = output.feeds.prepare(view, stream);
    let Some(name) = StreamName::new(&stream.key().name) else {
        return log::name_refused(stream);
    };
    if conf.path.0.as_os_str().is_empty() {
        return log::without_path(stream);
    }
    let queue = Arc::new(FrameQueue::new(stream.phase().epoch));
    let tap: Weak<FrameQueue> = Arc::downgrade(&queue);
    feed.tap(tap as Weak<dyn PieceObserver>);
    let recording = HlsRecording {
        segmenter: Segmenter::new(layout(&conf, name), conf.settings())
            .sharing(output.presentations.clone(), conf.path.0.clone()),
        stream: stream.clone(),
        queue,
        conf,
        complained: false,
    };
    let (places, unfinished) = (output.places.clone(), output.lifetime.unfinished.token());
    tokio::spawn(async move {
        let playlist = recording.playlist();
        let place = tokio::select! {
            place = places.take(playlist.clone()) => place,
            () = tokio::time::sleep(limits::HLS_PLACE_WAIT) => {
                return log::place_taken(&recording.stream, &playlist);
            }
        };
        recording.run(place).await;
        drop((feed, unfinished));
    });
}

fn layout(conf: &Conf, name: StreamName) -> FileLayout {
    FileLayout {
        name,
        nested: conf.nested,
        base_url: conf.base_url.0.to_str_lossy().into_owned(),
        key_url: conf.key_url.0.to_str_lossy().into_owned(),
    }
}

struct HlsRecording {
    segmenter: Segmenter,
    stream: Arc<Stream>,
    queue: Arc<FrameQueue>,
    conf: Arc<Conf>,
    /// Whether a failure was logged: a full disk fails with every write.
    complained: bool,
}

impl HlsRecording {
    async fn run(mut self, place: FileClaim) {
        if self.conf.continuous
            && let Some(text) = read_playlist(&self.playlist()).await
        {
            self.segmenter.resume(&text);
        }
        let (path, keys) = (self.conf.path.0.clone(), self.conf.key_path.0.clone());
        let keys = if keys.as_os_str().is_empty() { path.clone() } else { keys };
        let mut files = (self.segmenter, HlsWriter::new(path, keys, place));
        loop {
            self.queue.filled().await;
            tokio::select! {
                () = tokio::time::sleep(WRITE_INTERVAL) => {}
                () = self.queue.ended() => {}
            }
            let batch = self.queue.take();
            if batch.lost > 0 {
                log::too_slow(&self.stream, batch.lost);
            }
            let (ended, info) = (batch.ended, self.stream.info());
            let work = disk::spawn(DiskWork::Hls, move || {
                let (mut segmenter, mut writer) = files;
                segmenter.learn(info);
                write(&mut segmenter, &mut writer, &batch);
                let failure = writer.take_failure();
                (segmenter, writer, failure)
            });
            // Both are lost by a panic.
            let Ok((segmenter, writer, failure)) = work.await else { return };
            if let Some(error) = failure
                && !std::mem::replace(&mut self.complained, true)
            {
                log::not_written(&self.stream, error.call, &error.path, &error.error);
            }
            if ended {
                return;
            }
            files = (segmenter, writer);
        }
    }

    fn playlist(&self) -> PathBuf {
        self.conf.path.0.join(self.segmenter.layout().playlist_file())
    }
}

/// Writes queued pieces.
fn write(segmenter: &mut Segmenter, writer: &mut HlsWriter, batch: &FrameBatch) {
    if batch.lost > 0 {
        segmenter.finish(writer);
    }
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as u64);
    for frame in &batch.frames {
        segmenter.handle_frame(frame, unix_ms, writer);
    }
    if batch.ended {
        segmenter.finish(writer);
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
