//! Snapshots.

use crate::http::{ask, changes};
use crate::support::frame::Tracks;
use crate::support::http::Connection;
use crate::support::wait::until_true;
use crate::support::{Publisher, RtmpClient};
use crate::walk::{Around, Case, Place, walk_in};

pub const CASES: &[Case] = &[
    Case {
        row: "snapshot/rtmp_snapshot",
        place: Place::Locations,
        before: "location /{app} { return 200 none; }",
        after: "location /{app} { rtmp_snapshot; }",
        look: |walk| {
            changes(
                walk,
                "live/none.jpg",
                |response| response.text() == "none",
                |response| response.text() == "there is no such stream\n",
            )
        },
    },
    Case {
        row: "snapshot/rtmp_snapshot_ffmpeg",
        place: Place::Locations,
        before: "location /{app} { rtmp_snapshot; rtmp_snapshot_ffmpeg /nonexistent; }",
        after: "location /{app} { rtmp_snapshot; rtmp_snapshot_ffmpeg /bin/false; }",
        look: |walk| {
            let client = RtmpClient::publish(walk.server.rtmp, "seen", "s");
            let mut publisher = Publisher::with(client, Tracks::Both);
            publisher.send(10);
            until_true("a key frame is in the cache", || {
                let response = ask(walk, &mut Connection::open(walk.web), "seen/s.jpg");
                !response.text().contains("holds no key frame")
            });
            let after = changes(
                walk,
                "seen/s.jpg",
                |response| response.text().starts_with("ffmpeg is missing"),
                |response| response.text().starts_with("ffmpeg has made no picture"),
            );
            Box::new(move || {
                after();
                drop(publisher);
            })
        },
    },
];

#[test]
fn snapshots() {
    let server = "application seen { live on; cache_time 10s; }";
    walk_in(CASES, Around { server, ..Around::default() }, |_| {});
}
