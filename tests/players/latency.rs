//! Time from the publisher to the picture: the number that is burnt into each picture says when it was sent.
//!
//! `cargo test --release --test players -- --ignored --nocapture latency` prints the figures of docs/performance.md.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::stage::{Engine, LOCATIONS, Stage};
use crate::support::Conf;

/// Seconds until a player has caught up with what it got at its start, and seconds that are measured.
const SETTLING: u32 = 10;
const MEASURED: u32 = 30;

/// The `application` of a configuration of ours.
#[track_caller]
fn application(file: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let begin = text.find("application live").unwrap();
    let end = begin + text[begin..].find('}').unwrap();
    text[begin..=end].to_owned()
}

/// Sorted delays in milliseconds of a player of `live/s`.
#[track_caller]
fn delays(file: &str, engine: Engine, target: &str, config: Value) -> Option<Vec<u64>> {
    let conf = Conf::new(&application(file)).http_server(&LOCATIONS.replace("app=ts", "app=live"));
    let stage = Stage::with(&conf, &["live"])?;
    if target.ends_with(".m3u8") {
        stage.wait_for(target, &["#EXTM3U"]);
    }
    let page = stage.play(engine, &stage.url(target), config)?;
    let said = page.wait("moves()");
    assert_eq!(said, "moves", "{}", page.value("describe()"));
    let began = stage.feed().began;
    page.value(&format!("delays({SETTLING}, {began})"));
    let measured = page.value(&format!("delays({MEASURED}, {began})"));
    let mut delays: Vec<u64> =
        measured.as_array().unwrap().iter().map(|delay| delay.as_f64().unwrap() as u64).collect();
    delays.sort_unstable();
    assert!(delays.len() >= MEASURED as usize * 2, "{} pictures could be read", delays.len());
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    eprintln!(
        "{file} {target}: median {} ms, 10 % {} ms, 90 % {} ms, {} to {} ms",
        at(50),
        at(10),
        at(90),
        at(0),
        at(100)
    );
    Some(delays)
}

#[track_caller]
fn assert_median(delays: &[u64], most_ms: u64) {
    let median = delays[delays.len() / 2];
    assert!(median <= most_ms, "median {median} ms");
}

#[test]
#[ignore = "takes a quiet machine; .ci/long runs it"]
fn latency_of_flv_with_the_built_in_configuration() {
    // What the console's player sets.
    let config = json!({
        "type": "flv", "enableStashBuffer": false, "lazyLoad": false,
        "liveSync": true, "liveSyncMaxLatency": 0.9, "liveSyncTargetLatency": 0.5, "liveSyncPlaybackRate": 1.25,
        "liveBufferLatencyChasing": true, "liveBufferLatencyMaxLatency": 2, "liveBufferLatencyMinRemain": 0.6,
    });
    let found = delays("conf/pingosd.conf", Engine::Mpegts, "/flv/s.flv", config);
    if let Some(delays) = found {
        assert_median(&delays, 1_000);
    }
}

#[test]
#[ignore = "takes a quiet machine; .ci/long runs it"]
fn latency_of_low_latency_hls_as_in_the_recipe() {
    let config = json!({ "lowLatencyMode": true });
    let found = delays("docs/recipes/low-latency/pingosd.conf", Engine::Hls, "/hls2/s.m3u8", config);
    if let Some(delays) = found {
        assert_median(&delays, 2_000);
    }
}
