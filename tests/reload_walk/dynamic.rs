//! `dynamic_conf`: the file, its log, and the destination of the streams that it names.

use std::fs;

use crate::support::frame::Tracks;
use crate::support::wait::until_true;
use crate::support::{Feed, Player, Publisher, RtmpClient};
use crate::walk::{Around, Case, Place, Walk, walk_in};

pub const CASES: &[Case] = &[
    Case {
        row: "dynamic/dynamic_conf",
        place: Place::Main,
        before: "dynamic_conf conf/one.conf 20ms;",
        after: "dynamic_conf conf/two.conf 20ms;",
        look: |walk| {
            let feeds = ["one", "two"].map(|name| {
                let feed = feed(walk, name);
                say(walk, &format!("{name}.conf"), &pulled(walk, name));
                feed
            });
            let [one, two] = ["one", "two"].map(|name| play(walk.server.rtmp, name));
            one.wait_key();
            assert!(two.frames().is_empty());
            Box::new(move || {
                two.wait_key();
                // What the old file names is held by its player alone.
                ends_with_its_relay(walk, "one", one);
                for feed in feeds {
                    feed.stop().leave();
                }
            })
        },
    },
    Case {
        row: "dynamic/dynamic_log",
        place: Place::Main,
        before: "dynamic_conf conf/file.conf 20ms; dynamic_log logs/one.log info;",
        after: "dynamic_conf conf/file.conf 20ms; dynamic_log logs/two.log info;",
        look: |walk| {
            let told = |walk: &Walk<'_>, log: &str| walk.server.prefix().read(log).matches("loaded").count();
            let mut edits = 0;
            let mut edit = move || {
                edits += 1;
                say(walk, "file.conf", &format!("# edit {edits}"));
            };
            until_true("a word in the old log", || told(walk, "logs/one.log") > 0);
            Box::new(move || {
                // The file may just have been looked at when the reload came.
                until_true("a word in the new log", || {
                    edit();
                    told(walk, "logs/two.log") > 0
                });
                let (old, new) = (told(walk, "logs/one.log"), told(walk, "logs/two.log"));
                until_true("another one", || {
                    edit();
                    told(walk, "logs/two.log") > new
                });
                assert_eq!(told(walk, "logs/one.log"), old);
            })
        },
    },
];

/// Beside a file that stays.
pub const PORT: &[Case] = &[Case {
    row: "relay/static_pull_port",
    place: Place::Rtmp,
    before: "static_pull_port 127.0.0.1:{web}; \
             server { listen 127.0.0.1:{port}; serverid first; application edge { live on; } } \
             server { listen 127.0.0.1:{web}; serverid second; application edge { live on; } }",
    after: "static_pull_port 127.0.0.1:{port}; \
            server { listen 127.0.0.1:{port}; serverid first; application edge { live on; } } \
            server { listen 127.0.0.1:{web}; serverid second; application edge { live on; } }",
    look: |walk| {
        let feed = feed(walk, "s");
        say(walk, "file.conf", &pulled(walk, "s"));
        let [first, second] = [walk.own_port, walk.own_web].map(|port| play(port, "s"));
        second.wait_key();
        assert!(first.frames().is_empty());
        Box::new(move || {
            first.wait_key();
            ends_with_its_relay(walk, "s", second);
            feed.stop().leave();
        })
    },
}];

/// A line that pulls a stream of `live` into `edge`.
fn pulled(walk: &Walk<'_>, name: &str) -> String {
    let port = walk.server.rtmp;
    format!("static_pull rtmp://127.0.0.1:{port}/live/{name} domain=127.0.0.1 app=edge name={name};")
}

/// Writes these lines to a dynamic file, atomically: an incomplete one would be logged.
fn say(walk: &Walk<'_>, file: &str, lines: &str) {
    let new = walk.server.prefix().write("conf/new", format!("rtmp {{ {lines}\n}}"));
    fs::rename(new, walk.server.prefix().path().join("conf").join(file)).unwrap();
}

/// A publisher of `live` that sends continuously.
fn feed(walk: &Walk<'_>, name: &str) -> Feed {
    Publisher::with(RtmpClient::publish(walk.server.rtmp, "live", name), Tracks::Both).keep_sending()
}

/// A player of `edge`.
#[track_caller]
fn play(port: u16, name: &str) -> Player {
    let player = Player::rtmp(RtmpClient::play(port, "edge", name));
    player.wait("play was accepted", |got| got.started.then_some(()));
    player
}

/// A player of `edge` leaves, and what has brought it its stream does not stay.
#[track_caller]
fn ends_with_its_relay(walk: &Walk<'_>, name: &str, player: Player) {
    let line = format!("stopped playing '{name}'");
    let before = walk.server.log_lines(&line).len();
    drop(player);
    until_true("the end of the relay", || walk.server.log_lines(&line).len() >= before + 2);
}

#[track_caller]
fn walk_beside_files(cases: &[Case], around: Around<'_>) {
    for case in cases {
        walk_in(std::slice::from_ref(case), around, |prefix| {
            for name in ["one", "two", "file"] {
                prefix.write(&format!("conf/{name}.conf"), "rtmp { }");
            }
        });
    }
}

#[test]
fn files_and_logs() {
    walk_beside_files(CASES, Around { server: "application edge { live on; }", ..Around::default() });
}

#[test]
fn where_streams_go() {
    walk_beside_files(PORT, Around { main: "dynamic_conf conf/file.conf 20ms;", ..Around::default() });
}
