//! `mpegts_cache_time`: MPEG-TS kept for new players.

use std::sync::Arc;

use super::Feeds;
use super::conf::Conf;
use crate::media::extension::{OnStream, Output, Running};
use crate::media::millis;

/// Output that packages streams whose application keeps MPEG-TS for new players.
pub struct Cache {
    feeds: Arc<Feeds>,
}

impl Cache {
    /// Holds feeds as long as their streams are published.
    pub fn new(feeds: Arc<Feeds>) -> Cache {
        Cache { feeds }
    }
}

impl Output for Cache {
    fn is_for_players(&self) -> bool {
        true
    }

    fn prepare(&self, publisher: OnStream<'_>) -> Option<Running> {
        let OnStream { view, stream, .. } = publisher;
        let wanted = millis(view.held().get::<Conf>().kept()) != 0;
        wanted.then(|| Box::new(self.feeds.prepare(view, stream)) as Running)
    }
}
