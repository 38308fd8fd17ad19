//! Recordings as FLV and as MPEG-TS of streams that are published all the time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Publisher;
use crate::support::http::Connection;
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A row whose files are `{dir}/rec/*.{app}.*`; each key frame begins a file.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("record/", $row),
            place: Place::Application,
            before: concat!("record all; record_path {dir}/rec; ", $before),
            after: concat!("record all; record_path {dir}/rec; ", $after),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "record/record",
        place: Place::Application,
        before: "record all; record_path {dir}/rec; record_suffix .{app}.flv;",
        after: "record all manual; record_path {dir}/rec; record_suffix .{app}.flv;",
        look: |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                wait_recorded(walk, "", 1);
                feed.stop().leave();
            })
        },
    },
    Case {
        row: "record/record_path",
        place: Place::Application,
        before: "record all; record_path {dir}/rec; record_suffix .{app}.flv; record_interval 100ms;",
        after: "record all; record_path {dir}/rec2; record_suffix .{app}.flv; record_interval 100ms;",
        look: |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                wait_file(&walk.server.prefix().path().join("rec2"), walk, ".flv");
                feed.stop().leave();
            })
        },
    },
    case!(
        "record_format",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.flv; record_interval 100ms; record_format mp4;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                let path = rec(walk).join(format!("s.{}.flv", walk.app));
                until_true("a file that is MP4", || {
                    fs::read(&path).is_ok_and(|bytes| bytes.get(4..8) == Some(b"ftyp"))
                });
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_suffix",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.new; record_interval 100ms;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                wait_file(&rec(walk), walk, ".new");
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_unique",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.flv; record_interval 100ms; record_unique on;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                until_true("a file with a time in its name", || {
                    files(&rec(walk), &walk.app).iter().any(|file| file.to_string_lossy().contains("/s-1"))
                });
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_append",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.flv; record_interval 100ms; record_append on;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                // Files of 100 ms hold some 10 kB.
                let path = rec(walk).join(format!("s.{}.flv", walk.app));
                until_true("a file that only grows", || {
                    fs::metadata(&path).is_ok_and(|file| file.len() > 100_000)
                });
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_lock",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.flv; record_interval 100ms; record_lock on;",
        |walk| {
            let feed = recording(walk).keep_sending();
            assert!(!is_locked(walk));
            Box::new(move || {
                until_true("the file is locked", || is_locked(walk));
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_max_size",
        "record_suffix .{app}.flv;",
        "record_suffix .{app}.flv; record_max_size 20k;",
        |walk| ends_at_a_limit(walk)
    ),
    case!(
        "record_max_frames",
        "record_suffix .{app}.flv;",
        "record_suffix .{app}.flv; record_max_frames 50;",
        |walk| ends_at_a_limit(walk)
    ),
    case!(
        "record_interval",
        "record_suffix .{app}.flv;",
        "record_suffix .{app}.flv; record_interval 100ms;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                wait_recorded(walk, "", 2);
                feed.stop().leave();
            })
        }
    ),
    case!(
        "record_notify",
        "record_suffix .{app}.flv; record_interval 100ms;",
        "record_suffix .{app}.flv; record_interval 100ms; record_notify on;",
        |walk| {
            let feed = recording(walk).keep_sending();
            Box::new(move || {
                let before = recorded(walk, "");
                wait_recorded(walk, "", before + 2);
                let mut publisher = feed.stop();
                publisher.client.wait_status("NetStream.Record.Stop");
            })
        }
    ),
    case!(
        "record_keep",
        "record_suffix .{app}.flv;",
        "record_suffix .{app}.flv; record_keep age=1d;",
        |walk| { removes(rec(walk).join(format!("old.{}.flv", walk.app))) }
    ),
    Case {
        row: "live record/live_record",
        place: Place::Application,
        before: "live_record off; live_record_path {dir}/ts/{app};",
        after: "live_record on; live_record_path {dir}/ts/{app};",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(2_100);
            Box::new(move || {
                source.send_to(5_100);
                wait_ts(walk, "");
            })
        },
    },
    Case {
        row: "live record/live_record_path",
        place: Place::Application,
        before: "live_record on; live_record_interval 1s; live_record_path {dir}/ts/{app}/old;",
        after: "live_record on; live_record_interval 1s; live_record_path {dir}/ts/{app}/new;",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(2_100);
            wait_ts(walk, "old");
            Box::new(move || {
                let mut at = 2_100;
                until_true("a file in the other directory", || {
                    at += 1_000;
                    source.send_to(at);
                    !ts(walk, "new").is_empty()
                });
            })
        },
    },
    Case {
        row: "live record/live_record_interval",
        place: Place::Application,
        before: "live_record on; live_record_interval 100d; live_record_path {dir}/ts/{app};",
        after: "live_record on; live_record_interval 1s; live_record_path {dir}/ts/{app};",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(2_100);
            wait_ts(walk, "");
            Box::new(move || {
                let mut at = 2_100;
                until_true("a second and a third file", || {
                    at += 1_000;
                    source.send_to(at);
                    ts(walk, "").len() > 2
                });
            })
        },
    },
    Case {
        row: "live record/live_record_min_fragment",
        place: Place::Application,
        before: "live_record on; live_record_min_fragment 100s; live_record_max_fragment 200s; live_record_path {dir}/ts/{app};",
        after: "live_record on; live_record_min_fragment 500ms; live_record_max_fragment 200s; live_record_path {dir}/ts/{app};",
        look: |walk| has_entries(walk),
    },
    Case {
        row: "live record/live_record_max_fragment",
        place: Place::Application,
        before: "live_record on; live_record_min_fragment 100s; live_record_max_fragment 200s; live_record_path {dir}/ts/{app};",
        after: "live_record on; live_record_min_fragment 100s; live_record_max_fragment 700ms; live_record_path {dir}/ts/{app};",
        look: |walk| has_entries(walk),
    },
    Case {
        row: "live record/live_record_keep",
        place: Place::Application,
        before: "live_record on; live_record_path {dir}/ts/{app};",
        after: "live_record on; live_record_path {dir}/ts/{app}; live_record_keep age=1d;",
        look: |walk| {
            let root = walk.server.prefix().path().join("ts").join(&walk.app);
            removes(root.join("default").join(&walk.app).join("s/20010101/s_978307200.ts"))
        },
    },
    Case {
        row: "vod/vod_live",
        place: Place::Locations,
        before: "location /{app} { vod_live {rtmp_port} app=nowhere; }",
        after: "location /{app} { vod_live {rtmp_port} app=record0; }",
        look: |walk| {
            let client = crate::support::RtmpClient::publish(walk.server.rtmp, "record0", "vod");
            let publisher = Publisher::with(client, crate::support::frame::Tracks::Both);
            let feed = publisher.keep_sending();
            let ask = |walk: &Walk<'_>| {
                let mut connection = Connection::open(walk.web);
                let request =
                    format!("GET /{}/vod.flv?from=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", walk.own_app);
                connection.send(request.as_bytes());
                connection.head().status
            };
            assert_eq!(ask(walk), 404);
            Box::new(move || {
                // It follows the stream, which is not recorded yet.
                assert_eq!(ask(walk), 200);
                feed.stop().leave();
            })
        },
    },
];

fn rec(walk: &Walk<'_>) -> PathBuf {
    walk.server.prefix().path().join("rec")
}

/// A publisher whose recording has begun.
fn recording(walk: &Walk<'_>) -> Publisher {
    let mut publisher = walk.publish("s");
    publisher.send(20);
    wait_file(&rec(walk), walk, ".flv");
    publisher
}

/// A file of the past stays until the reload, and goes then.
pub fn removes<'w>(path: PathBuf) -> After<'w> {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(978_307_200))
        .unwrap();
    drop(file);
    Box::new(move || until_true("the old file has gone", || !path.exists()))
}

/// Files below a directory with this in their names.
fn files(directory: &Path, part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, part));
        } else if path.to_string_lossy().contains(part) {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn wait_file(directory: &Path, walk: &Walk<'_>, end: &str) {
    let part = format!("{}{end}", walk.app);
    until_true(&format!("a file {part} in {}", directory.display()), || !files(directory, &part).is_empty());
}

/// Complete recordings.
fn recorded(walk: &Walk<'_>, part: &str) -> usize {
    let lines = walk.server.log_lines("record: recorded ");
    lines.iter().filter(|line| line.contains(&walk.app) && line.contains(part)).count()
}

#[track_caller]
fn wait_recorded(walk: &Walk<'_>, part: &str, count: usize) {
    until_true(&format!("{count} recordings of {}", walk.app), || recorded(walk, part) >= count);
}

/// The file that is open reaches a limit that it had not when it was begun.
fn ends_at_a_limit<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let mut publisher = recording(walk);
    publisher.send(200);
    Box::new(move || {
        publisher.send(40);
        wait_recorded(walk, "", 1);
    })
}

/// Whether a process holds a lock on the case's file, as the kernel lists it.
fn is_locked(walk: &Walk<'_>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(file) = fs::metadata(rec(walk).join(format!("s.{}.flv", walk.app))) else { return false };
    let inode = format!(":{} ", file.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains(" POSIX ") && line.contains(&inode))
}

/// Transport streams of the case.
fn ts(walk: &Walk<'_>, part: &str) -> Vec<PathBuf> {
    files(&walk.server.prefix().path().join("ts").join(&walk.app).join(part), ".ts")
}

#[track_caller]
fn wait_ts(walk: &Walk<'_>, part: &str) {
    until_true("a transport stream", || !ts(walk, part).is_empty());
}

/// The index of the file that is open has entries now.
fn has_entries<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let mut source = walk.source("s");
    source.send_to(3_100);
    wait_ts(walk, "");
    Box::new(move || {
        let mut at = 3_100;
        let index = || files(&walk.server.prefix().path().join("ts").join(&walk.app), ".m3u8");
        until_true("an entry in the index", || {
            at += 1_000;
            source.send_to(at);
            index().iter().any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("startsize=")))
        });
    })
}

#[test]
fn record() {
    walk_with(CASES, |prefix| {
        for name in ["rec", "rec2"] {
            fs::create_dir_all(prefix.path().join(name)).unwrap();
        }
    });
}
