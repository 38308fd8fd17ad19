//! Settings of the delivery loop for a player.

use super::millis;
use super::view::AppView;
use super::{conf, gop, live};
use crate::hub::cursor::PlayerSettings;
use crate::hub::packet::Container;

/// Settings for a player of this application; `pargs` is its query string.
pub fn player_settings(view: &AppView, container: Container, stream_id: u32, pargs: &[u8]) -> PlayerSettings {
    let server = view.server();
    let application = view.held();
    let (live, gop) = (application.get::<live::conf::Conf>(), application.get::<gop::conf::Conf>());
    let rtmp = application.get::<conf::Conf>();
    let cache_time = millis(gop.cache_time);
    PlayerSettings {
        container,
        stream_id,
        publishes: false,
        start: gop.start(pargs),
        wait_key: live.wait_key,
        wait_video: live.wait_video || live.interleave,
        // As in PingOS, only players that start from the cache get zero-based timestamps.
        zero_start: gop.zero_start && cache_time > 0 && millis(gop.fix_timestamp) > 0,
        sync: millis(live.sync.msec),
        out_queue: server.out_queue.0,
        latency: millis(gop.latency_time),
        merge_frame: rtmp.merge_frame.0 as usize,
        repeat_extended: rtmp.play_time_fix,
        cork: if live.buffer.0 > 0 {
            server.out_cork.map_or(server.out_queue.0 / 8, |size| size.0)
        } else {
            0
        },
    }
}
