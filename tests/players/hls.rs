//! HLS from files and from memory, in both formats, and Low-Latency HLS.

use serde_json::json;

use crate::stage::{Engine, Stage, moves};
use crate::support::http;
use crate::support::wait::until_true;

/// Playlists of TS and of fragmented MP4, from files and from memory.
const PLAYLISTS: [&str; 4] = ["/hls/s.m3u8", "/hls4/s.m3u8", "/hls2/s.m3u8", "/hls2/s.m3u8?app=mp4"];

#[track_caller]
fn play_all(engine: Engine) {
    let Some(stage) = Stage::new(&["ts", "mp4"]) else { return };
    for target in PLAYLISTS {
        stage.wait_for(target, &["#EXTM3U"]);
        stage.plays(engine, &stage.url(target), json!({}));
    }
}

#[test]
fn hls_js_plays_hls_in_both_formats() {
    play_all(Engine::Hls);
}

#[test]
fn shaka_player_plays_hls_in_both_formats() {
    play_all(Engine::Shaka);
}

#[test]
fn hls_js_plays_low_latency_hls_by_parts() {
    let Some(stage) = Stage::new(&["low"]) else { return };
    let target = "/hls2/s.m3u8?app=low";
    stage.wait_for(target, &["#EXTM3U"]);
    let url = stage.url(target);
    let Some(page) = stage.play(Engine::Hls, &url, json!({ "lowLatencyMode": true })) else { return };
    page.wait("player.latestLevelDetails?.partList?.length > 0");
    let asked = |word: &str| page.report().requests.iter().any(|request| request.contains(word));
    page.wait("moves()");
    assert!(asked("_HLS_msn=") && asked("_HLS_part="), "{:#?}", page.report().requests);
    moves(&page, &url);
}

/// The player asks for every part that is hinted, so each of them has to come: it would stop for a while at a 404.
#[test]
fn shaka_player_plays_low_latency_hls() {
    let Some(stage) = Stage::new(&["low"]) else { return };
    let target = "/hls2/s.m3u8?app=low";
    until_true("three segments", || {
        let playlist = http::get(stage.server.http, &format!("{target}&session=a"));
        playlist.text().matches("#EXTINF").count() >= 3
    });
    let config = json!({ "streaming": { "lowLatencyMode": true } });
    let Some(page) = stage.play(Engine::Shaka, &stage.url(target), config) else { return };
    let time = || page.value("video.currentTime").as_f64().unwrap();
    until_true("the picture moves", || time() > 0.0);
    let before = time();
    // Longer than two fragments.
    until_true("the picture moves on", || time() > before + 5.0);
    let failures = page.report().failures;
    assert!(failures.is_empty(), "{failures:#?}");
}
