//! HLS files: a running publisher keeps its values, the next one uses the new values.

use std::fs;
use std::path::PathBuf;

use crate::media::Source;
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk};

/// A row whose publishers write to `{dir}/hls/{app}`, segments of a second unless the row says otherwise.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("hls/", $row),
            place: Place::Application,
            before: concat!("hls on; hls_path {dir}/hls/{app}; ", $before),
            after: concat!("hls on; hls_path {dir}/hls/{app}; ", $after),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "hls/hls",
        place: Place::Application,
        before: "hls on; hls_fragment 1s; hls_path {dir}/hls/{app};",
        after: "hls off; hls_fragment 1s; hls_path {dir}/hls/{app};",
        look: |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(4_500);
                old.send_to(4_500);
                wait_playlist(walk, "old.m3u8", |text| text.contains("old-3.ts"));
                assert!(!dir(walk).join("new.m3u8").exists());
            })
        },
    },
    Case {
        row: "hls/hls_path",
        place: Place::Application,
        before: "hls on; hls_fragment 1s; hls_path {dir}/hls/{app};",
        after: "hls on; hls_fragment 1s; hls_path {dir}/hls/{app}/other;",
        look: |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(2_500);
                old.send_to(4_500);
                wait_playlist(walk, "old.m3u8", |text| text.contains("old-3.ts"));
                wait_playlist(walk, "other/new.m3u8", |text| text.contains("new-1.ts"));
            })
        },
    },
    case!("hls_fragment", "hls_fragment 1s;", "hls_fragment 2s;", |walk| {
        differ(
            walk,
            "old.m3u8",
            |text| !text.contains("INF:2.000"),
            "new.m3u8",
            |text| text.contains("INF:2.000"),
        )
    }),
    case!(
        "hls_max_fragment",
        "hls_fragment 1s; hls_max_fragment 5s;",
        "hls_fragment 1s; hls_max_fragment 500ms;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| !text.contains("INF:0.5"),
                "new.m3u8",
                |text| text.contains("INF:0.5"),
            )
        }
    ),
    case!(
        "hls_playlist_length",
        "hls_fragment 1s; hls_playlist_length 4s;",
        "hls_fragment 1s; hls_playlist_length 2s;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| segments(text).len() == 4,
                "new.m3u8",
                |text| segments(text).len() == 2,
            )
        }
    ),
    case!(
        "hls_continuous",
        "hls_fragment 1s; hls_continuous on;",
        "hls_fragment 1s; hls_continuous off;",
        |walk| {
            for name in ["old", "new"] {
                begun(walk, name).leave();
                wait_playlist(walk, &format!("{name}.m3u8"), |text| segments(text).len() == 3);
            }
            let held = walk.connected(walk.publisher("old"));
            Box::new(move || {
                let (mut old, mut newcomer) = (Source::over(held, true), walk.source("new"));
                old.send_to(1_500);
                newcomer.send_to(1_500);
                wait_playlist(walk, "old.m3u8", |text| segments(text).len() == 4);
                wait_playlist(walk, "new.m3u8", |text| segments(text).len() == 1);
            })
        }
    ),
    case!("hls_nested", "hls_fragment 1s; hls_nested off;", "hls_fragment 1s; hls_nested on;", |walk| {
        differ(
            walk,
            "old.m3u8",
            |text| text.contains("old-9.ts"),
            "new/index.m3u8",
            |text| text.contains("9.ts"),
        )
    }),
    case!(
        "hls_fragment_naming",
        "hls_fragment 1s; hls_fragment_naming sequential;",
        "hls_fragment 1s; hls_fragment_naming timestamp;",
        |walk| {
            let numbers: fn(&str) -> Vec<u64> = numbers;
            differ(
                walk,
                "old.m3u8",
                move |text| numbers(text).contains(&9),
                "new.m3u8",
                move |text| numbers(text).iter().any(|n| *n > 900),
            )
        }
    ),
    case!(
        "hls_fragment_naming_granularity",
        "hls_fragment 1s; hls_fragment_naming timestamp;",
        "hls_fragment 1s; hls_fragment_naming timestamp; hls_fragment_naming_granularity 7;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| numbers(text).iter().any(|n| n % 7 != 0),
                "new.m3u8",
                |text| numbers(text).iter().all(|n| n % 7 == 0),
            )
        }
    ),
    case!(
        "hls_fragment_slicing",
        "hls_fragment 1500ms; hls_fragment_slicing plain;",
        "hls_fragment 1500ms; hls_fragment_slicing aligned;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| !text.contains("INF:1.000"),
                "new.m3u8",
                |text| text.contains("INF:1.000"),
            )
        }
    ),
    case!("hls_type", "hls_fragment 1s; hls_type live;", "hls_fragment 1s; hls_type event fmp4;", |walk| {
        let is_new = |text: &str| text.contains("EVENT") && text.contains("#EXT-X-MAP");
        differ(walk, "old.m3u8", |text| text.contains(".ts"), "new.m3u8", is_new)
    }),
    case!(
        "hls_cleanup",
        "hls_fragment 1s; hls_playlist_length 2s; hls_cleanup on;",
        "hls_fragment 1s; hls_playlist_length 2s; hls_cleanup off;",
        |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(10_500);
                old.send_to(10_500);
                wait_playlist(walk, "new.m3u8", |text| text.contains("new-9.ts"));
                until_true("the first segment has gone", || !dir(walk).join("old-0.ts").exists());
                assert!(dir(walk).join("new-0.ts").exists());
            })
        }
    ),
    case!("hls_keep", "hls_type event;", "hls_type event; hls_keep age=1d;", |walk| {
        crate::record::removes(dir(walk).join("past-0.ts"))
    }),
    case!(
        "hls_variant",
        "hls_fragment 1s; hls_variant _a BANDWIDTH=1;",
        "hls_fragment 1s; hls_variant _b BANDWIDTH=2;",
        |walk| {
            let mut old = begun(walk, "old_a");
            Box::new(move || {
                let mut newcomer = walk.source("new_b");
                newcomer.send_to(4_500);
                old.send_to(4_500);
                wait_playlist(walk, "old.m3u8", |text| text.contains("old_a.m3u8"));
                wait_playlist(walk, "new.m3u8", |text| text.contains("new_b.m3u8"));
            })
        }
    ),
    case!(
        "hls_base_url",
        "hls_fragment 1s; hls_base_url http://a/;",
        "hls_fragment 1s; hls_base_url http://b/;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| text.contains("\nhttp://a/old-9.ts"),
                "new.m3u8",
                |text| text.contains("\nhttp://b/new-9.ts"),
            )
        }
    ),
    case!("hls_keys", "hls_fragment 1s; hls_keys off;", "hls_fragment 1s; hls_keys on;", |walk| {
        differ(
            walk,
            "old.m3u8",
            |text| !text.contains("#EXT-X-KEY"),
            "new.m3u8",
            |text| text.contains("#EXT-X-KEY"),
        )
    }),
    case!(
        "hls_key_path",
        "hls_fragment 1s; hls_keys on; hls_key_path {dir}/hls/{app}/a;",
        "hls_fragment 1s; hls_keys on; hls_key_path {dir}/hls/{app}/b;",
        |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(2_500);
                old.send_to(4_500);
                wait_playlist(walk, "new.m3u8", |text| text.contains("new-1.ts"));
                assert!(dir(walk).join("a/old-0.key").exists() && dir(walk).join("b/new-0.key").exists());
                assert!(!dir(walk).join("a/new-0.key").exists());
            })
        }
    ),
    case!(
        "hls_key_url",
        "hls_fragment 1s; hls_keys on; hls_key_url http://a/;",
        "hls_fragment 1s; hls_keys on; hls_key_url http://b/;",
        |walk| {
            differ(
                walk,
                "old.m3u8",
                |text| text.contains("\"http://a/old-"),
                "new.m3u8",
                |text| text.contains("\"http://b/new-"),
            )
        }
    ),
    case!(
        "hls_fragments_per_key",
        "hls_fragment 1s; hls_keys on; hls_fragments_per_key 0;",
        "hls_fragment 1s; hls_keys on; hls_fragments_per_key 1;",
        |walk| {
            let keys: fn(&str) -> usize = |text| text.matches("#EXT-X-KEY").count();
            differ(walk, "old.m3u8", move |text| keys(text) == 1, "new.m3u8", move |text| keys(text) > 3)
        }
    ),
];

fn dir(walk: &Walk<'_>) -> PathBuf {
    walk.server.prefix().path().join("hls").join(&walk.app)
}

/// A publisher that has two segments behind it, and half of a third.
fn begun(walk: &Walk<'_>, name: &str) -> Source {
    let mut source = walk.source(name);
    source.send_to(2_500);
    source
}

#[track_caller]
fn wait_playlist(walk: &Walk<'_>, file: &str, fits: impl Fn(&str) -> bool) {
    let path = dir(walk).join(file);
    until_true(&format!("{} as it should be: {:?}", path.display(), fs::read_to_string(&path)), || {
        fs::read_to_string(&path).is_ok_and(|text| fits(&text))
    });
}

/// Two publishers send the same; the playlist of the one that was there before is like `fits_old`, that of the newcomer
/// like `fits_new`, and neither like the other.
fn differ<'w>(
    walk: &'w Walk<'w>,
    old_file: &'static str,
    fits_old: impl Fn(&str) -> bool + 'w,
    new_file: &'static str,
    fits_new: impl Fn(&str) -> bool + 'w,
) -> After<'w> {
    let mut old = begun(walk, "old");
    Box::new(move || {
        let mut newcomer = walk.source("new");
        newcomer.send_to(10_500);
        old.send_to(10_500);
        // What ends the stream ends the last segment, so the last playlist is there.
        old.leave();
        newcomer.leave();
        wait_playlist(walk, old_file, |text| segments(text).len() > 1 && fits_old(text));
        wait_playlist(walk, new_file, fits_new);
    })
}

/// Segments that a playlist lists.
fn segments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Their numbers.
fn numbers(text: &str) -> Vec<u64> {
    let numbers = segments(text).into_iter().map(|line| line.trim_end_matches(".ts").rsplit('-').next());
    numbers.filter_map(|number| number?.parse().ok()).collect()
}

#[test]
fn hls() {
    walk(CASES);
}
