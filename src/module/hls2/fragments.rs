//! Fragments of one stream.

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

/// Output that makes fragments of streams with `hls2 on`.
pub struct HlsMemory {
    /// MPEG-TS feeds.
    pub feeds: Arc<Feeds>,
}

impl Output for HlsMemory {
    fn is_for_players(&self) -> bool {
        true
    }

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

/// Window of fragments, filled by a feed and read by requests.
pub struct Fragments {
    /// The packaged stream. Its memory bound applies to the fragments too, since they share its packets.
    stream: Arc<Stream>,
    window: Mutex<FragmentWindow>,
    /// Number of completed fragments.
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

    /// Watches the completion of fragments.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.completed.subscribe()
    }

    /// The fragment with this number.
    pub fn fragment(&self, id: u64) -> Option<Arc<Fragment>> {
        self.window.lock().fragment(id).cloned()
    }

    /// Attributes of the stream, once there is a fragment.
    pub fn presentation(&self, info: &MediaInfo) -> Option<Presentation> {
        Presentation::measure(self.window.lock().measured(), info)
    }

    /// Playlist for `session`; `None` while there are too few fragments.
    pub fn playlist(&self, session: &mut ViewerSession, name: &[u8], base_url: &str) -> Option<String> {
        session.playlist(&self.window.lock(), name, base_url)
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
        let completed = window.handle_frame(frame);
        drop(window);
        self.completed(completed);
    }

    fn end(&self, _: u64) {
        let completed = self.window.lock().finish();
        self.completed(completed);
    }
}
