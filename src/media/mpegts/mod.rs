//! MPEG-TS feeds: streams packaged as MPEG-TS once, for HTTP players, HLS files and HLS from memory.
//!
//! A [`MpegtsFeed`] reads a published stream, packages it, and passes the pieces to a stream of its own, from which the
//! delivery loop serves players, and to every [`PieceObserver`]. It lives as long as it is held: by a publisher whose application
//! needs it, and by everything served from it.

mod cache;
pub mod conf;
mod feed;
pub mod log;
mod packaging;
pub mod queue;
mod shared;

pub use cache::Cache;
pub use feed::{Feeds, MpegtsFeed};
pub use queue::FrameQueue;
pub use shared::{FeedSettings, PieceObserver};

use super::view::AppView;
use crate::hub::cursor::PlayerSettings;
use crate::hub::packet::Container;

/// Settings of the delivery loop for an MPEG-TS player.
pub fn player_settings(view: &AppView, container: Container, pargs: &[u8]) -> PlayerSettings {
    let mpegts = view.held().get::<conf::Conf>();
    let settings = crate::media::player_settings::player_settings(view, container, 0, pargs);
    PlayerSettings {
        start: mpegts.start(pargs),
        zero_start: false,
        out_queue: mpegts.out_queue.0,
        ..settings
    }
}
