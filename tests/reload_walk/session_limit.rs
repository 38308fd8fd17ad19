//! Limits of publishers and players.

use pingosd::wire::MediaKind;

use crate::support::wait::until_true;
use crate::support::{Player, Publisher, RtmpClient};
use crate::walk::{Case, Place, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "session limit/max_viewers",
        place: Place::Application,
        before: "max_viewers 100;",
        after: "max_viewers 2;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            let second = walk.play("s");
            Box::new(move || {
                refused(walk.player("s"), "NetStream.Play.Forbidden");
                walk.server.wait_log("play: 's' refused, max_viewers 2 reached, client: 127.0.0.1");
                player.wait_frame(publisher.send(20));
                drop(second);
                until_true("there is a place again", || {
                    let client = Player::rtmp(walk.player("s"));
                    client.wait("an answer", |got| (got.started || got.end.is_some()).then_some(got.started))
                });
                publisher.leave();
            })
        },
    },
    Case {
        row: "session limit/max_publishers",
        place: Place::Application,
        before: "max_publishers 1000;",
        after: "max_publishers 1;",
        look: |walk| {
            let publisher = walk.publish("one");
            Box::new(move || {
                refused(RtmpClient::publish(walk.port, &walk.app, "two"), "NetStream.Publish.Forbidden");
                walk.server.wait_log("publish: 'two' refused, max_publishers 1 reached, client: 127.0.0.1");
                publisher.leave();
            })
        },
    },
    Case {
        row: "session limit/max_bitrate",
        place: Place::Application,
        before: "max_bitrate 100m;",
        after: "max_bitrate 8k grace=0s;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            send(&mut publisher);
            Box::new(move || {
                until_true("it is too much", || {
                    send(&mut publisher);
                    publisher.client.end().is_some()
                });
                walk.server.wait_log("are above max_bitrate 8000, client: 127.0.0.1");
            })
        },
    },
];

/// Sends more than a kilobyte.
fn send(publisher: &mut Publisher) {
    let payload = bytes::Bytes::from(vec![0x27; 9_000]);
    publisher.client.session.send_media(MediaKind::Video, 0, &payload).unwrap();
    publisher.client.flush();
}

#[track_caller]
fn refused(mut client: RtmpClient, code: &str) {
    client.wait_status(code);
    client.wait_end();
}

#[test]
fn limits() {
    walk(CASES);
}
