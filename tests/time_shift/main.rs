//! Players that ask to start in the past.

#[path = "../support/mod.rs"]
mod support;

mod encoder;
mod recorded;
mod sessions;

use support::frame::{GOP, STEP, Tracks};
use support::{Conf, Player, Publisher, Server};

/// Number of frames in this many seconds.
const fn frames(seconds: u64) -> u64 {
    seconds * 1_000 / STEP as u64
}

/// Publishes `seconds` of media and waits until it is there.
fn published(server: &Server, seconds: u64) -> (Publisher, u64) {
    let mut publisher = Publisher::start(server.rtmp, "s");
    let early = Player::start(server.rtmp, "s");
    let last = publisher.send(frames(seconds));
    early.wait_frame(last);
    (publisher, last)
}

/// How many of the frames up to `last` a player gets.
fn got(player: &Player, last: u64) -> u64 {
    player.assert_whole(Tracks::Both, last);
    player.frames().first().map_or(0, |first| last - first + 1)
}

#[test]
fn a_player_starts_as_far_back_as_its_url_says() {
    let conf = Conf::live("cache_time 1s; roll_back 10s;")
        .http_server("location /flv { flv_live {rtmp_port} app=live; }");
    let server = Server::start(&conf);
    let (_publisher, last) = published(&server, 20);
    // Whole groups of pictures: at least what was asked for, at most a group more.
    let about = |seconds: u64| frames(seconds)..frames(seconds) + 2 * GOP;
    for (query, seconds) in [("", 1), ("?roll_back=4000", 4), ("?token=1&roll_back=60000", 11)] {
        let over_rtmp = Player::start(server.rtmp, &format!("s{query}"));
        let frames = got(&over_rtmp, last);
        assert!(about(seconds).contains(&frames), "{query}: {frames} frames over RTMP");
        let over_http = Player::http(server.http, &format!("/flv/s.flv{query}"));
        let frames = got(&over_http, last);
        assert!(about(seconds).contains(&frames), "{query}: {frames} frames over HTTP");
    }
}

#[test]
fn mpegts_is_kept_for_players_in_the_past_alone() {
    let server = Server::start(&encoder::conf("roll_back 10s; live_record off;"));
    let mut encoder = encoder::Encoder::start(&server, "s");
    let early = encoder::Viewer::rtmp(&server, "");
    encoder.send_until(20_000);
    encoder.wait_come(&early);
    let viewer = encoder::Viewer::ts(&server, "?roll_back=4000");
    encoder.wait_come(&viewer);
    let first = encoder.assert_whole(&viewer);
    assert!((380..=400).contains(&first), "begins with picture {first} of 500");
}

#[test]
fn nobody_starts_in_the_past_where_none_is_kept() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let (_publisher, last) = published(&server, 5);
    let player = Player::start(server.rtmp, "s?roll_back=4000");
    assert!(got(&player, last) < frames(2));
}
