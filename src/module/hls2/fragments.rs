//! Fragments of one stream.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Fragment, FragmentPiece, FragmentSettings, FragmentWindow, LookedUp, ViewerSession};
use crate::hub::info::MediaInfo;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::log as media_log;
use crate::media::mpegts::PieceObserver;
use crate::media::samples::{PublishSamples, SampleItem};
use crate::media::segments::Presentation;
use crate::task::clock::unix_ms;
use crate::wire::mpegts::TsFrame;

/// Window of fragments, filled by a feed and read by requests.
pub struct Fragments {
    /// The packaged stream, whose memory bound the fragments have twice.
    stream: Arc<Stream>,
    window: Mutex<FragmentWindow>,
    /// Number of completed fragments and parts.
    completed: watch::Sender<u64>,
}

impl Fragments {
    /// Creates an empty window. `stream` is the stream of the pieces.
    pub fn new(settings: FragmentSettings, stream: Arc<Stream>) -> Self {
        Fragments {
            stream,
            window: Mutex::new(FragmentWindow::new(settings)),
            completed: watch::Sender::new(0),
        }
    }

    /// Sets the settings for what follows.
    pub fn configure(&self, settings: FragmentSettings) {
        self.window.lock().configure(settings);
    }

    /// Watches the completion of fragments and parts.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.completed.subscribe()
    }

    /// The fragment with this number.
    pub fn fragment(&self, id: u64) -> Option<Arc<Fragment>> {
        self.window.lock().fragment(id).cloned()
    }

    /// A part, or an initialisation segment.
    pub fn piece(&self, id: u64, piece: FragmentPiece) -> LookedUp {
        self.window.lock().piece(id, piece)
    }

    /// Whether the window has this segment, or this part of it, or something behind it; `None` if it is so far ahead that
    /// no player can know of it.
    pub fn has(&self, msn: u64, part: Option<u64>) -> Option<bool> {
        self.window.lock().has(msn, part)
    }

    /// Longest time in milliseconds for which a request may wait.
    pub fn patience_ms(&self) -> u64 {
        let target_ms = self.window.lock().target_duration().saturating_mul(1_000);
        target_ms.saturating_mul(limits::HLS2_WAIT_TARGETS)
    }

    /// Adds samples of fragmented MP4 and data messages.
    pub(super) fn take(&self, feed: &mut PublishSamples) {
        if feed.is_empty() {
            return;
        }
        let mut window = self.window.lock();
        window.set_most_bytes(self.stream.backlog().saturating_mul(BACKLOGS));
        window.learn_tracks(feed.packager());
        let (mut completed, unix_ms) = (false, unix_ms());
        for item in feed.take() {
            match item {
                SampleItem::Sample(sample) => completed |= window.handle_sample(sample, unix_ms),
                SampleItem::Event { time_ms, message } => window.event(time_ms, &message),
            }
        }
        let crowded = window.is_newly_crowded();
        drop(window);
        if crowded {
            media_log::cues_left_out("hls2", &self.stream);
        }
        self.completed(completed);
    }

    /// Completes the last fragment of a publish.
    pub(super) fn ended(&self) {
        let completed = self.window.lock().finish();
        self.completed(completed);
    }

    /// Attributes of the stream, once there is a fragment.
    pub fn presentation(&self, info: &MediaInfo) -> Option<Presentation> {
        Presentation::measure(self.window.lock().measured(), info)
    }

    /// Playlist for `session`; `None` while there are too few fragments.
    pub fn playlist(
        &self,
        session: &mut ViewerSession,
        name: &[u8],
        base_url: &str,
        skip: bool,
    ) -> Option<String> {
        session.playlist(&self.window.lock(), name, base_url, skip)
    }

    fn completed(&self, completed: bool) {
        if completed {
            self.completed.send_modify(|count| *count += 1);
        }
    }
}

/// Memory bound of a window as a multiple of `stream_backlog`: a playlist contains older media than waiting players
/// need.
const BACKLOGS: usize = 2;

impl PieceObserver for Fragments {
    fn frame(&self, _: u64, frame: &TsFrame) {
        let mut window = self.window.lock();
        window.set_most_bytes(self.stream.backlog().saturating_mul(BACKLOGS));
        let completed = window.handle_frame(frame, unix_ms());
        let crowded = window.is_newly_crowded();
        drop(window);
        if crowded {
            media_log::cues_left_out("hls2", &self.stream);
        }
        self.completed(completed);
    }

    fn end(&self, _: u64) {
        self.ended();
    }
}
