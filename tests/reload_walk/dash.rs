//! DASH files: a running publisher keeps its values, the next one uses the new values.

use std::fs;
use std::path::PathBuf;

use crate::media::Source;
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk};

/// A row whose publishers write to `{dir}/dash/{app}`.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("dash/", $row),
            place: Place::Application,
            before: concat!("dash_path {dir}/dash/{app}; ", $before),
            after: concat!("dash_path {dir}/dash/{app}; ", $after),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    case!("dash", "dash on; dash_fragment 1s;", "dash off; dash_fragment 1s;", |walk| {
        let mut old = begun(walk, "old");
        Box::new(move || {
            let mut newcomer = walk.source("new");
            newcomer.send_to(4_500);
            old.send_to(4_500);
            wait_manifest(walk, "old.mpd", |text| lengths(text).len() == 4);
            assert!(!dir(walk).join("new.mpd").exists());
        })
    }),
    Case {
        row: "dash/dash_path",
        place: Place::Application,
        before: "dash on; dash_fragment 1s; dash_path {dir}/dash/{app};",
        after: "dash on; dash_fragment 1s; dash_path {dir}/dash/{app}/other;",
        look: |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                newcomer.send_to(2_500);
                old.send_to(4_500);
                wait_manifest(walk, "old.mpd", |text| lengths(text).len() == 4);
                wait_manifest(walk, "other/new.mpd", |text| !lengths(text).is_empty());
            })
        },
    },
    case!("dash_fragment", "dash on; dash_fragment 1s;", "dash on; dash_fragment 2s;", |walk| {
        differ(walk, "old.mpd", |text| lengths(text)[1] == 1_000, "new.mpd", |text| lengths(text)[1] == 2_000)
    }),
    case!(
        "dash_playlist_length",
        "dash on; dash_fragment 1s; dash_playlist_length 8s;",
        "dash on; dash_fragment 1s; dash_playlist_length 3s;",
        |walk| differ(
            walk,
            "old.mpd",
            |text| lengths(text).len() > 6,
            "new.mpd",
            |text| lengths(text).len() < 5
        )
    ),
    case!("dash_nested", "dash on; dash_nested off;", "dash on; dash_nested on;", |walk| {
        differ(
            walk,
            "old.mpd",
            |text| text.contains("\"old-init.m4v\""),
            "new/index.mpd",
            |text| text.contains("\"init.m4v\""),
        )
    }),
    case!(
        "dash_cleanup",
        "dash on; dash_fragment 1s; dash_playlist_length 2s; dash_cleanup on;",
        "dash on; dash_fragment 1s; dash_playlist_length 2s; dash_cleanup off;",
        |walk| {
            let mut old = begun(walk, "old");
            Box::new(move || {
                let mut newcomer = walk.source("new");
                for source in [&mut newcomer, &mut old] {
                    source.send_to(10_500);
                }
                // Five seconds are kept, and with the open segment there are six.
                until_true("old segments have gone", || {
                    files(walk, "old").len() <= 7 && newest(walk, "old") > 8_000
                });
                until_true("the newcomer's have not", || files(walk, "new").len() >= 10);
            })
        }
    ),
];

fn dir(walk: &Walk<'_>) -> PathBuf {
    walk.server.prefix().path().join("dash").join(&walk.app)
}

/// Times of the video segments of a stream, sorted.
fn files(walk: &Walk<'_>, name: &str) -> Vec<u64> {
    let entries = fs::read_dir(dir(walk)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let prefix = format!("{name}-");
    let mut times: Vec<u64> =
        names.filter_map(|file| file.strip_prefix(&prefix)?.strip_suffix(".m4v")?.parse().ok()).collect();
    times.sort_unstable();
    times
}

/// Milliseconds from the initialisation segment, which is written with the first segment, to the newest segment.
fn newest(walk: &Walk<'_>, name: &str) -> u64 {
    let begun = fs::metadata(dir(walk).join(format!("{name}-init.m4v"))).and_then(|file| file.modified());
    let since = begun.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let (Some(since), Some(last)) = (since, files(walk, name).last().copied()) else { return 0 };
    last.saturating_sub(since.as_millis() as u64)
}

/// A publisher that has two segments behind it, and half of a third.
fn begun(walk: &Walk<'_>, name: &str) -> Source {
    let mut source = walk.source(name);
    source.send_to(2_500);
    source
}

/// Durations of the listed video segments.
fn lengths(manifest: &str) -> Vec<u64> {
    let video = manifest.split("</SegmentTimeline>").next().unwrap_or_default();
    let parts = video.split(" d=\"").skip(1);
    parts.filter_map(|part| part.split('"').next()?.parse().ok()).collect()
}

#[track_caller]
fn wait_manifest(walk: &Walk<'_>, file: &str, fits: impl Fn(&str) -> bool) {
    let path = dir(walk).join(file);
    until_true(&format!("{} as it should be: {:?}", path.display(), fs::read_to_string(&path)), || {
        fs::read_to_string(&path).is_ok_and(|text| fits(&text))
    });
}

/// Two publishers send the same; the manifest of the one that was there before is like `fits_old`, that of the newcomer
/// like `fits_new`.
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
        // What ends the stream ends the last segment, so the last manifest is there.
        old.leave();
        newcomer.leave();
        // It is shorter than a fragment.
        let has_ended = |text: &str| {
            let last = text.rsplit(" d=\"").next().and_then(|rest| rest.split('"').next());
            last.and_then(|length| length.parse().ok()).is_some_and(|length: u32| length < 900)
        };
        wait_manifest(walk, old_file, |text| has_ended(text) && fits_old(text));
        wait_manifest(walk, new_file, |text| has_ended(text) && fits_new(text));
    })
}

#[test]
fn dash() {
    walk(CASES);
}
