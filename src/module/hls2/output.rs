//! Output that keeps fragments of published streams.

use std::sync::Arc;

use super::conf::Conf;
use super::{Fragments, SampleFeeds};
use crate::media::extension::{OnStream, Output, Running};
use crate::media::mpegts::Feeds;

/// Output that makes fragments of streams with `hls2 on`.
pub struct HlsMemory {
    /// MPEG-TS feeds.
    pub feeds: Arc<Feeds>,
    /// Streams as fragmented MP4.
    pub samples: Arc<SampleFeeds>,
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
        if hls2.is_fmp4() {
            let feed = self.samples.hold(view, stream, hls2.settings());
            feed.fragments().configure(hls2.settings());
            return Some(Box::new(feed));
        }
        let feed = self.feeds.prepare(view, stream);
        let fragments = feed.companion(|| Fragments::new(hls2.settings(), feed.stream().clone()));
        fragments.configure(hls2.settings());
        Some(Box::new((feed, fragments)))
    }
}
