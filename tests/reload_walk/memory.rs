//! HLS from memory: running publishers and players keep their values.

use crate::media::Source;
use crate::support::http::{self, Response};
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk};

/// A row beside `hls2 on`.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("hls2/", $row),
            place: Place::Application,
            before: concat!("hls2 on; ", $before),
            after: concat!("hls2 on; ", $after),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "hls2/hls2",
        place: Place::Application,
        before: "hls2 on; hls2_fragment 1s;",
        after: "hls2 off; hls2_fragment 1s;",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(4_500);
            assert_eq!(playlist(walk, "s", "old").status(), 200);
            Box::new(move || {
                source.send_to(6_500);
                until_true("the old player goes on", || playlist(walk, "s", "old").text().contains("s-5.ts"));
                assert_eq!(playlist(walk, "s", "new").status(), 404);
            })
        },
    },
    case!("hls2_fragment", "hls2_fragment 1s;", "hls2_fragment 2s;", |walk| {
        differ(walk, |text| text.contains("INF:1.000"), |text| text.contains("INF:2.000"))
    }),
    case!(
        "hls2_max_fragment",
        "hls2_fragment 1s; hls2_max_fragment 5s;",
        "hls2_fragment 1s; hls2_max_fragment 500ms;",
        |walk| { differ(walk, |text| !text.contains("INF:0.5"), |text| text.contains("INF:0.5")) }
    ),
    case!(
        "hls2_playlist_length",
        "hls2_fragment 1s; hls2_playlist_length 4s;",
        "hls2_fragment 1s; hls2_playlist_length 8s;",
        |walk| { differ(walk, |text| fragments(text) == 4, |text| fragments(text) == 8) }
    ),
    case!(
        "hls2_fragment_slicing",
        "hls2_fragment 1500ms; hls2_minfrags 2; hls2_fragment_slicing plain;",
        "hls2_fragment 1500ms; hls2_minfrags 2; hls2_fragment_slicing aligned;",
        |walk| { differ(walk, |text| !text.contains("INF:1.000"), |text| text.contains("INF:1.000")) }
    ),
    case!(
        "hls2_base_url",
        "hls2_fragment 1s; hls2_base_url http://a/;",
        "hls2_fragment 1s; hls2_base_url http://b/;",
        |walk| {
            let mut source = walk.source("s");
            source.send_to(4_500);
            let has = |session: &str, base: &str| playlist(walk, "s", session).text().contains(base);
            assert!(has("old", "\nhttp://a/"));
            Box::new(move || {
                source.send_to(6_500);
                let has = |session: &str, base: &str| playlist(walk, "s", session).text().contains(base);
                assert!(has("old", "\nhttp://a/") && has("new", "\nhttp://b/"));
            })
        }
    ),
    case!(
        "hls2_minfrags",
        "hls2_fragment 1s; hls2_minfrags 1;",
        "hls2_fragment 1s; hls2_minfrags 4;",
        |walk| {
            let mut source = walk.source("old");
            source.send_to(1_500);
            until_true("one fragment is enough", || playlist(walk, "old", "a").status() == 200);
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(2_500);
                let mut waiting = http::Connection::open(walk.web);
                waiting.send(request(walk, "new", "b").as_bytes());
                newcomer.send_to(6_500);
                assert!(fragments(&waiting.response(false).text()) >= 4);
                source.send_to(2_500);
                assert_eq!(playlist(walk, "old", "a").status(), 200);
            })
        }
    ),
    case!(
        "hls2_timeout",
        "hls2_timeout 1h; hls2_fragment 1s; on_play {old}/{app} stage=done args=$pargs;",
        "hls2_timeout 200ms; hls2_fragment 1s; on_play {old}/{app} stage=done args=$pargs;",
        |walk| {
            let mut source = walk.source("s");
            source.send_to(4_500);
            playlist(walk, "s", "first");
            Box::new(move || {
                playlist(walk, "s", "second");
                let ended = |session: &str| {
                    let ends = walk.old.requests_of(&format!("path=/{} act=done", walk.app));
                    ends.iter().any(|request| request.query.contains(&format!("session={session}")))
                };
                until_true("the newcomer is given up", || ended("second"));
                assert!(!ended("first"));
                drop(source);
            })
        }
    ),
    case!(
        "hls2_session_bind",
        "hls2_fragment 1s; hls2_session_bind off;",
        "hls2_fragment 1s; hls2_session_bind args;",
        |walk| {
            let mut source = walk.source("s");
            source.send_to(4_500);
            assert_eq!(playlist(walk, "s", "first").status(), 200);
            Box::new(move || {
                assert_eq!(playlist(walk, "s", "first&k=v").status(), 200);
                assert_eq!(playlist(walk, "s", "second").status(), 200);
                assert_eq!(playlist(walk, "s", "second&k=v").status(), 403);
                drop(source);
            })
        }
    ),
    case!(
        "hls2_format",
        "hls2_fragment 1s; hls2_format ts;",
        "hls2_fragment 1s; hls2_format fmp4;",
        |walk| { differ(walk, |text| text.contains(".ts?"), |text| text.contains("#EXT-X-MAP")) }
    ),
    case!(
        "hls2_low_latency",
        "hls2_fragment 1s; hls2_low_latency off;",
        "hls2_fragment 1s; hls2_low_latency on;",
        |walk| { differ(walk, |text| !text.contains("PART"), |text| text.contains("#EXT-X-PART:")) }
    ),
    case!(
        "hls2_part",
        "hls2_fragment 1s; hls2_low_latency on; hls2_part 200ms;",
        "hls2_fragment 1s; hls2_low_latency on; hls2_part 400ms;",
        |walk| {
            let has = |target: &'static str| move |text: &str| text.contains(target);
            differ(walk, has("PART-TARGET=0.200\n"), has("PART-TARGET=0.400\n"))
        }
    ),
    case!("hls2_nested", "hls2_fragment 1s; hls2_nested off;", "hls2_fragment 1s; hls2_nested on;", |walk| {
        let mut source = walk.source("s");
        source.send_to(4_500);
        // Of a known stream, the master playlist has the true bandwidth.
        let is_known = |walk: &Walk<'_>| {
            let target = format!("/hls2/s/index.m3u8?app={}", walk.app);
            !http::get(walk.web, &target).text().contains("BANDWIDTH=1,")
        };
        assert_eq!(playlist(walk, "s", "old").status(), 200);
        assert!(!is_known(walk));
        Box::new(move || {
            source.send_to(6_500);
            let nested = |file: &str, session: &str| {
                http::get(walk.web, &format!("/hls2/s/{file}?session={session}&app={}", walk.app))
            };
            let text = nested("index.m3u8", "new").text();
            let fragment = text.lines().find(|line| !line.starts_with('#')).expect("a fragment").to_owned();
            let (file, _) = fragment.split_once('?').unwrap();
            assert_eq!(nested(file, "new").status(), 200);
            assert_eq!(nested("other-1.ts", "new").status(), 404);
            assert!(is_known(walk));
            assert_eq!(playlist(walk, "s", "old").status(), 200);
        })
    }),
    Case {
        row: "hls2/hls2_live",
        place: Place::Locations,
        before: "location /{app} { hls2_live {rtmp_port} app=hls2_fragment1; }",
        after: "location /{app} { hls2_live {rtmp_port} app=hls2_base_url5; }",
        look: |walk| {
            // The master playlist needs no stream, only an application with `hls2 on`.
            let mut connection = http::Connection::open(walk.web);
            let mut base = move || {
                connection.send(
                    format!("GET /{}/old.m3u8?session=x HTTP/1.1\r\nHost: h\r\n\r\n", walk.own_app)
                        .as_bytes(),
                );
                connection.response(false).text()
            };
            assert!(!base().contains("http://"));
            Box::new(move || {
                let mut source = Source::over(
                    crate::support::RtmpClient::publish(walk.server.rtmp, "hls2_base_url5", "old"),
                    true,
                );
                source.send_to(4_500);
                let text = base();
                assert!(text.contains("\nhttp://b/"), "{text}");
            })
        },
    },
];

fn request(walk: &Walk<'_>, name: &str, session: &str) -> String {
    format!("GET /hls2/{name}.m3u8?session={session}&app={} HTTP/1.1\r\nHost: h\r\n\r\n", walk.app)
}

fn playlist(walk: &Walk<'_>, name: &str, session: &str) -> Response {
    http::get(walk.web, &format!("/hls2/{name}.m3u8?session={session}&app={}", walk.app))
}

fn fragments(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// Playlists of an old and of a new publisher that send the same media.
fn differ<'w>(
    walk: &'w Walk<'w>,
    fits_old: impl Fn(&str) -> bool + 'w,
    fits_new: impl Fn(&str) -> bool + 'w,
) -> After<'w> {
    let mut old = walk.source("old");
    old.send_to(4_500);
    assert_eq!(playlist(walk, "old", "a").status(), 200);
    Box::new(move || {
        let mut newcomer = walk.source("new");
        newcomer.send_to(12_500);
        old.send_to(12_500);
        until_true("the old publisher's playlist as before", || {
            let text = playlist(walk, "old", "a").text();
            fragments(&text) > 1 && fits_old(&text)
        });
        let mut at = 12_500;
        // A player's playlist grows as its stream does.
        until_true("the new publisher's playlist as after", || {
            at += 500;
            newcomer.send_to(at);
            fits_new(&playlist(walk, "new", "b").text())
        });
    })
}

#[test]
fn memory() {
    walk(CASES);
}
