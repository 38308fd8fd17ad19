//! DASH in dash.js and Shaka Player, also where the browser's clock is wrong, and in the parser of video.js.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::stage::{Engine, Stage, moves};
use crate::support::http;
use crate::support::scripts::MPD_PARSER;
use crate::support::wait::until_true;

const TARGET: &str = "/dash/s.mpd";

/// With three segments.
fn start() -> Option<Stage> {
    let stage = Stage::new(&["mp4"])?;
    until_true("three segments of each track", || {
        http::get(stage.server.http, TARGET).text().matches("<S t=").count() >= 6
    });
    Some(stage)
}

#[track_caller]
fn play(engine: Engine) {
    let Some(stage) = start() else { return };
    // The page is of another origin, to which the server does not expose `Date`.
    let url = stage.url(TARGET);
    for wrong_ms in [0, 3_600_000, -3_600_000] {
        let Some(page) = stage.play_with_clock(engine, &url, json!({}), wrong_ms) else { return };
        moves(&page, &url);
        // Without a source of its time a player asks one of its own choice.
        page.assert_asked_only(&[&stage.url("")[7..], &stage.pages[7..]]);
    }
}

#[test]
fn dash_js_plays_dash_whatever_its_clock_says() {
    play(Engine::Dash);
}

#[test]
fn shaka_player_plays_dash_whatever_its_clock_says() {
    play(Engine::Shaka);
}

#[test]
fn mpd_parser_reads_the_manifest() {
    let Some(stage) = start() else { return };
    let Some(script) = MPD_PARSER.get() else { return };
    let page = stage.script(&script);
    let url = json!(stage.url(TARGET));
    let parsed = page.value(&format!(
        "(async () => {{
            const text = await (await fetch({url})).text();
            const warnings = [];
            const eventHandler = ({{ type, message }}) => warnings.push(`${{type}} ${{message}}`);
            const parsed = mpdParser.parse(text, {{ manifestUri: {url}, eventHandler }});
            const timing = mpdParser.parseUTCTiming(text);
            const audio = Object.values(parsed.mediaGroups.AUDIO.audio)[0].playlists[0];
            const listed = (playlist) => playlist.segments.map((segment) => [segment.resolvedUri, segment.duration]);
            return {{
                warnings, timing, update: parsed.minimumUpdatePeriod,
                codecs: parsed.playlists.map((playlist) => playlist.attributes.CODECS),
                video: listed(parsed.playlists[0]), audio: listed(audio), init: parsed.playlists[0].segments[0].map.resolvedUri,
            }};
        }})()"
    ));
    assert_eq!(parsed["warnings"], json!([]), "{parsed:#}");
    assert_eq!(parsed["timing"]["method"], "DIRECT", "{parsed:#}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0;
    let said = parsed["timing"]["value"].as_f64().unwrap();
    assert!(said <= now && now - said < 60_000.0, "{parsed:#}");
    assert_eq!(parsed["update"], 1_000, "{parsed:#}");
    assert!(parsed["codecs"][0].as_str().unwrap().starts_with("avc1."), "{parsed:#}");
    assert_eq!(parsed["init"], json!(stage.url("/dash/s-init.m4v")));
    for (kind, end) in [("video", ".m4v"), ("audio", ".m4a")] {
        let listed = parsed[kind].as_array().unwrap();
        assert!(!listed.is_empty(), "{parsed:#}");
        for segment in listed {
            assert!(segment[0].as_str().is_some_and(|uri| uri.ends_with(end)), "{segment}");
            assert!(segment[1].as_f64().is_some_and(|length| (0.5..1.5).contains(&length)), "{segment}");
        }
    }
    assert_ne!(parsed["video"], Value::Null);
}
