//! Access control, and delivery of media.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pingosd::wire::amf0::AmfValue;

use crate::support::raw::Script;
use crate::support::wait::until_true;
use crate::support::{End, Player, RtmpClient};
use crate::walk::{Around, Case, Place, walk, walk_each};

pub const CASES: &[Case] = &[
    Case {
        row: "access/allow",
        place: Place::Application,
        before: "allow play all;",
        after: "deny play all;",
        look: |walk| {
            let (player, waiting) = (walk.play("s"), walk.connected(walk.player("s")));
            let mut publisher = walk.publish("s");
            Box::new(move || {
                // The session is an old one, but its play is what the rule is about.
                refused(waiting);
                refused(walk.player("s"));
                let last = publisher.send(40);
                player.wait_frame(last);
            })
        },
    },
    Case {
        row: "delivery/send_delay",
        place: Place::Application,
        before: "send_delay 2s;",
        after: "send_delay 0;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            player.wait_frame(publisher.send(1));
            let began = Instant::now();
            player.wait_frame(publisher.send(1));
            assert!(began.elapsed() > Duration::from_secs(1), "it has waited");
            Box::new(move || {
                // Each alone; with the old delay the last one would come after all patience.
                let began = Instant::now();
                for _ in 0..15 {
                    player.wait_frame(publisher.send(1));
                }
                assert!(began.elapsed() < Duration::from_secs(15));
            })
        },
    },
];

/// Rows of the whole server.
pub const ALONE: &[Case] = &[Case {
    row: "rtmp/max_connections",
    place: Place::Rtmp,
    before: "max_connections 100;",
    after: "max_connections 2;",
    look: |walk| {
        let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
        let mut waiting = Script::handshake().send(walk.port);
        until_true("it is counted", || walk.server.log_lines("client connected").len() == 3);
        Box::new(move || {
            // It was let in, but has yet to say what it wants.
            waiting.send(&connect());
            waiting.wait_closed();
            refused(walk.player("s"));
            until_true("the log says why", || {
                walk.server.log_lines("connect: max_connections 2 reached").len() == 2
            });
            player.wait_frame(publisher.send(40));
            publisher.leave();
            until_true("there is a place again", || {
                let client = Player::rtmp(walk.player("s"));
                client.wait("an answer", |got| (got.started || got.end.is_some()).then_some(got.started))
            });
        })
    },
}];

/// `connect` of a client that has completed its handshake.
fn connect() -> Bytes {
    let object = AmfValue::object([("app", "live".into()), ("tcUrl", "rtmp://localhost/live".into())]);
    Script::default().command(0, "connect", &[object]).finish()
}

#[track_caller]
fn refused(mut client: RtmpClient) {
    match client.wait_end() {
        End::Closed => {}
        End::Protocol(why) => assert!(why.contains("Too many connections"), "{why}"),
        end => panic!("{end:?}"),
    }
}

#[test]
fn access_and_delivery() {
    walk(CASES);
}

#[test]
fn connections() {
    walk_each(ALONE, Around::default());
}
