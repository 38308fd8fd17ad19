//! The cache from which new players start.

use crate::live::skipped;
use crate::support::Player;
use crate::support::frame::{GOP, Tracks};
use crate::support::player::numbered;
use crate::walk::{Case, Place, walk};

/// The first frame that a player was sent.
fn first(player: &Player) -> u64 {
    player.wait("a frame", |got| numbered(got).first().map(|(n, _)| *n))
}

/// The timestamp of frame `n`.
fn time_of(player: &Player, n: u64) -> u32 {
    player.wait("a frame", |got| {
        numbered(got).iter().find(|(number, _)| *number == n).map(|(_, m)| m.timestamp)
    })
}

pub const CASES: &[Case] = &[
    Case {
        row: "gop/cache_time",
        place: Place::Application,
        before: "cache_time 0;",
        after: "cache_time 10s;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            publisher.send(2 * GOP + 1);
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                newcomer.send(2 * GOP + 1);
                let (player, other) = (walk.play("s"), walk.play("other"));
                assert_eq!(first(&other), 0);
                publisher.send(2 * GOP);
                assert!(first(&player) > 2 * GOP, "nothing is kept of the old publisher");
            })
        },
    },
    Case {
        row: "gop/roll_back",
        place: Place::Application,
        before: "cache_time 400ms; roll_back 0;",
        after: "cache_time 400ms; roll_back 10s;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            publisher.send(5 * GOP + 1);
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                newcomer.send(5 * GOP + 1);
                let (player, other) = (walk.play("s?roll_back=8000"), walk.play("other?roll_back=8000"));
                assert_eq!(first(&other), 0);
                assert!(first(&player) >= 3 * GOP);
                drop((publisher, newcomer));
            })
        },
    },
    Case {
        row: "gop/send_all",
        place: Place::Application,
        // The publisher's session decides what is kept, the player's session what the player is sent of it.
        before: "cache_time 10s; send_all off;",
        after: "cache_time 400ms; send_all on;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            publisher.send(3 * GOP);
            Box::new(move || {
                let newcomer = walk.play("s");
                assert_eq!(first(&newcomer), 0);
                player.assert_whole(Tracks::Both, publisher.send(GOP));
            })
        },
    },
    Case {
        row: "gop/low_latency",
        place: Place::Application,
        before: "cache_time 10s; low_latency on;",
        after: "cache_time 10s; low_latency off;",
        look: |walk| {
            let held = walk.connected(walk.player("s"));
            let mut publisher = walk.publish("s");
            publisher.send(3 * GOP + 1);
            Box::new(move || {
                let (player, newcomer) = (walk.go_on(held), walk.play("s"));
                assert_eq!((first(&player), first(&newcomer)), (3 * GOP, 0));
                newcomer.wait_frame(3 * GOP);
                for player in [&player, &newcomer] {
                    player.hold();
                }
                publisher.set_size(50_000);
                let last = publisher.send(400);
                for player in [&player, &newcomer] {
                    player.resume();
                    player.wait_frame(last - GOP);
                }
                assert_eq!((skipped(&player), skipped(&newcomer)), (true, false));
            })
        },
    },
    Case {
        row: "gop/latency_time",
        place: Place::Application,
        before: "latency_time 100ms;",
        after: "latency_time 0;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            let player = walk.play("s");
            player.wait_frame(publisher.send(GOP));
            Box::new(move || {
                let newcomer = walk.play("s");
                newcomer.wait_frame(publisher.send(1));
                for player in [&player, &newcomer] {
                    player.hold();
                }
                publisher.set_size(50_000);
                let last = publisher.send(400);
                for player in [&player, &newcomer] {
                    player.resume();
                    player.wait_frame(last - GOP);
                }
                assert_eq!((skipped(&player), skipped(&newcomer)), (true, false));
            })
        },
    },
    Case {
        row: "gop/fix_timestamp",
        place: Place::Application,
        before: "cache_time 400ms; fix_timestamp 1s;",
        after: "cache_time 400ms; fix_timestamp 0;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            publisher.send(GOP);
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                newcomer.send(GOP);
                let (player, other) = (walk.play("s"), walk.play("other"));
                for publisher in [&mut publisher, &mut newcomer] {
                    publisher.skip_to(1_000);
                    publisher.send(2);
                }
                assert_eq!(time_of(&other, 1_000), 20_000);
                assert!(time_of(&player, 1_000) < 1_000);
            })
        },
    },
    Case {
        row: "gop/zero_start",
        place: Place::Application,
        before: "cache_time 400ms; zero_start on;",
        after: "cache_time 400ms; zero_start off;",
        look: |walk| {
            let held = walk.connected(walk.player("s"));
            let mut publisher = walk.publish("s");
            publisher.skip_to(100 * GOP);
            publisher.send(GOP);
            Box::new(move || {
                let (player, newcomer) = (walk.go_on(held), walk.play("s"));
                assert_eq!(time_of(&player, 100 * GOP), 0);
                assert_ne!(time_of(&newcomer, 100 * GOP), 0);
                drop(publisher);
            })
        },
    },
];

#[test]
fn cache() {
    walk(CASES);
}
