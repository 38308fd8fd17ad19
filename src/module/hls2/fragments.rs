//! The fragments of one stream.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::conf::Conf;
use super::{Fragment, FragmentSettings, FragmentWindow, ViewerSession};
use crate::hub::info::MediaInfo;
use crate::hub::stream::Stream;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::mpegts::{Feeds, PieceObserver};
use crate::media::segments::Presentation;
use crate::wire::mpegts::TsFrame;

/// Makes fragments of streams whose application says `hls2 on`.
pub struct HlsMemory {
    /// Streams as MPEG-TS.
    pub feeds: Arc<Feeds>,
}

impl Output for HlsMemory {
    fn prepare(&self, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        let hls2: Arc<Conf> = view.held().share();
        if !hls2.hls2 {
            return None;
        }
        let feed = self.feeds.prepare(view, stream);
        let fragments = feed.companion(|| Fragments::new(hls2.settings(), feed.stream().clone()));
        fragments.configure(hls2.settings());
        Some(Box::new((feed, fragments)))
    }
}

/// A window of fragments that its feed fills and requests read.
pub struct Fragments {
    /// Its bound in bytes is theirs too: what it keeps for players is the end of what they keep.
    stream: Arc<Stream>,
    window: Mutex<FragmentWindow>,
    /// Counts fragments.
    completed: watch::Sender<u64>,
}

impl Fragments {
    /// None yet. `stream` is that of the pieces.
    pub fn new(settings: FragmentSettings, stream: Arc<Stream>) -> Self {
        Fragments {
            stream,
            window: Mutex::new(FragmentWindow::new(settings)),
            completed: watch::Sender::new(0),
        }
    }

    /// Takes other settings for what comes next.
    pub fn configure(&self, settings: FragmentSettings) {
        self.window.lock().configure(settings);
    }

    /// Follows fragments being completed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.completed.subscribe()
    }

    /// The fragment with this number.
    pub fn fragment(&self, id: u64) -> Option<Arc<Fragment>> {
        self.window.lock().fragment(id).cloned()
    }

    /// What is known of the stream, once there is a fragment.
    pub fn presentation(&self, info: &MediaInfo) -> Option<Presentation> {
        Presentation::measure(self.window.lock().measured(), info)
    }

    /// The playlist for `session`, or `None` while there are too few fragments.
    pub fn playlist(&self, session: &mut ViewerSession, name: &[u8], base_url: &str) -> Option<String> {
        session.playlist(&self.window.lock(), name, base_url)
    }

    fn completed(&self, completed: bool) {
        if completed {
            self.completed.send_modify(|count| *count += 1);
        }
    }
}

/// How many times `stream_backlog` a window may have: a playlist holds what is older than what players wait for.
const BACKLOGS: usize = 2;

impl PieceObserver for Fragments {
    fn frame(&self, _: u64, frame: &TsFrame) {
        let mut window = self.window.lock();
        window.set_most_bytes(self.stream.backlog().saturating_mul(BACKLOGS));
        let completed = window.handle_frame(frame);
        drop(window);
        self.completed(completed);
    }

    fn end(&self, _: u64) {
        let completed = self.window.lock().finish();
        self.completed(completed);
    }
}
