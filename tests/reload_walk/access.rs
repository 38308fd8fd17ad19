//! Who is let in, and how media leaves.

use std::time::{Duration, Instant};

use crate::support::{End, RtmpClient};
use crate::walk::{Case, Place, walk};

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

#[track_caller]
fn refused(mut client: RtmpClient) {
    assert_eq!(client.wait_end(), End::Closed);
}

#[test]
fn access_and_delivery() {
    walk(CASES);
}
