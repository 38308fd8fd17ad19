//! Streams as MPEG-TS: packaged once, for HTTP players, HLS files and HLS from memory.
//!
//! A [`Feed`] reads a published stream, packages it, and brings the pieces into a stream of their own, from which
//! the delivery loop serves players, and to every [`Tap`]. It lasts as long as somebody holds it: a publisher whose
//! application wants one ([`Outputs`]), and everybody who is served from it.

mod feed;
mod output;
mod packaging;

pub use feed::{Feed, FeedSettings, Feeds, Tap};
pub use output::Outputs;

use crate::hub::cursor::PlayerSettings;
use crate::hub::gop::StartSettings;
use crate::hub::packet::Container;
use crate::server::rtmp;
use crate::server::view::AppView;

/// How the delivery loop serves a player of MPEG-TS.
pub fn player_settings(view: &AppView, container: Container) -> PlayerSettings {
    let mpegts = &view.held().mpegts;
    let once = mpegts.one_off_send.min(mpegts.cache_time);
    let start = StartSettings {
        cache_time: rtmp::play::millis(if mpegts.send_all { mpegts.cache_time } else { once }),
        send_all: mpegts.send_all,
        low_latency: mpegts.low_latency,
    };
    let settings = rtmp::play::player_settings(view, container, 0);
    PlayerSettings { start, zero_start: false, out_queue: mpegts.out_queue.0, ..settings }
}
