//! Publishing and playing.

use crate::support::frame::{GOP, Tracks, is_key};
use crate::support::wait::until_true;
use crate::support::{End, Player, Publisher, RtmpClient};
use crate::walk::{Case, Place, Walk, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "live/live",
        place: Place::BareApplication,
        before: "live on;",
        after: "live off;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                let mut newcomer = walk.publisher("other");
                let off = format!("live is off in application '{}'", walk.app);
                until_true("the newcomer is of no account", || {
                    newcomer.read(std::time::Duration::from_millis(10));
                    !walk.server.log_lines(&off).is_empty()
                });
                player.wait_frame(publisher.send(2 * GOP));
            })
        },
    },
    Case {
        row: "live/buffer",
        place: Place::Application,
        // An eighth of out_queue is held back, 256 frames.
        before: "buffer 1s; wait_key off;",
        after: "buffer 0; wait_key off;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                let newcomer = walk.play("s");
                newcomer.wait_frame(publisher.send(GOP));
                assert!(player.frames().is_empty(), "held back");
                player.wait_frame(publisher.send(300) - 256);
            })
        },
    },
    Case {
        row: "live/sync",
        place: Place::Application,
        before: "sync off; low_latency on; cache_time 400ms;",
        after: "sync 1ms; low_latency on; cache_time 400ms;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            player.wait_frame(publisher.send(1));
            Box::new(move || {
                let newcomer = walk.play("s");
                newcomer.wait_frame(0);
                for player in [&player, &newcomer] {
                    player.hold();
                }
                // More than sockets hold: both come too late for most of it.
                publisher.set_size(100_000);
                let last = publisher.send(400);
                for player in [&player, &newcomer] {
                    player.resume();
                    player.wait_frame(last - GOP);
                }
                assert!(skipped(&player) && skipped(&newcomer));
                assert_eq!(headers(&player), 1, "no headers behind what was left out");
                assert!(headers(&newcomer) > 1);
            })
        },
    },
    Case {
        row: "live/interleave",
        place: Place::Application,
        before: "interleave on; wait_key off;",
        after: "interleave off; wait_key off;",
        look: audio_waits_for_video,
    },
    Case {
        row: "live/wait_video",
        place: Place::Application,
        before: "wait_video on; wait_key off;",
        after: "wait_video off; wait_key off;",
        look: audio_waits_for_video,
    },
    Case {
        row: "live/wait_key",
        place: Place::Application,
        before: "wait_key on;",
        after: "wait_key off;",
        look: |walk| {
            let held = walk.connected(walk.player("s"));
            let mut publisher = walk.publish("s");
            publisher.send(GOP + 4);
            Box::new(move || {
                let (player, newcomer) = (walk.go_on(held), walk.play("s"));
                let last = publisher.send(2 * GOP);
                player.wait_frame(last);
                newcomer.wait_frame(last);
                let first_video = |player: &Player| {
                    let got = player.got();
                    let frame = got.media.iter().find(|media| matches!(media.payload[..2], [0x17 | 0x27, 1]));
                    frame.map(|frame| is_key(&frame.payload))
                };
                assert_eq!((first_video(&player), first_video(&newcomer)), (Some(true), Some(false)));
            })
        },
    },
    Case {
        row: "live/publish_notify",
        place: Place::Application,
        before: "publish_notify on;",
        after: "publish_notify off;",
        look: |walk| told_of_publishers(walk, "NetStream.Play.UnpublishNotify"),
    },
    Case {
        row: "live/play_restart",
        place: Place::Application,
        before: "play_restart on;",
        after: "play_restart off;",
        look: |walk| told_of_publishers(walk, "NetStream.Play.Stop"),
    },
    Case {
        row: "live/idle_streams",
        place: Place::Application,
        before: "idle_streams on;",
        after: "idle_streams off;",
        look: |walk| {
            let (player, publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                let newcomer = walk.play("s");
                publisher.leave();
                assert_ne!(newcomer.wait_end(), End::Complete);
                let mut publisher = walk.publish("s");
                player.wait_frame(publisher.send(2 * GOP));
            })
        },
    },
    Case {
        row: "live/drop_idle_publisher",
        place: Place::Application,
        before: "drop_idle_publisher off;",
        after: "drop_idle_publisher 100ms;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            publisher.send(1);
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                newcomer.send(1);
                newcomer.client.wait_end();
                // Silent for longer than the newcomer.
                player.wait_frame(publisher.send(2 * GOP));
            })
        },
    },
    Case {
        row: "delivery/stream_backlog",
        place: Place::Application,
        before: "stream_backlog 1000m;",
        after: "stream_backlog 1m;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            player.wait_frame(publisher.send(1));
            Box::new(move || {
                player.hold();
                // More than sockets hold, fewer frames than `out_queue`.
                publisher.set_size(100_000);
                publisher.send(250);
                player.resume();
                publisher.set_size(100);
                player.wait_frame(publisher.send(2 * GOP));
                assert!(skipped(&player));
                walk.server.wait_log("reason: stream_backlog");
            })
        },
    },
    Case {
        row: "delivery main/total_backlog",
        place: Place::Rtmp,
        // Far above what other cases leave waiting.
        before: "total_backlog 1000m; server { listen 127.0.0.1:{port}; serverid {app}; out_queue 100000; \
                 application own { live on; stream_backlog 1000m; } }",
        after: "total_backlog 64m; server { listen 127.0.0.1:{port}; serverid {app}; out_queue 100000; \
                application own { live on; stream_backlog 1000m; } }",
        look: |walk| {
            let mut publisher = Publisher::with(RtmpClient::publish(walk.own_port, "own", "s"), Tracks::Both);
            let player = Player::rtmp(RtmpClient::play(walk.own_port, "own", "s"));
            player.wait("play was accepted", |got| got.started.then_some(()));
            Box::new(move || {
                player.hold();
                publisher.set_size(1_000_000);
                until_true("the slow player is closed", || {
                    publisher.send(5);
                    !walk.server.log_lines("reason: total_backlog").is_empty()
                });
                player.resume();
                player.wait_end();
            })
        },
    },
    Case {
        row: "codec/meta",
        place: Place::Application,
        before: "meta copy;",
        after: "meta off;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                let (player, other) = (walk.play("s"), walk.play("other"));
                player.wait_frame(publisher.send(2 * GOP));
                other.wait_frame(newcomer.send(2 * GOP));
                let metadata = |player: &Player| {
                    let got = player.got();
                    got.media.iter().any(|media| media.payload.windows(10).any(|part| part == b"onMetaData"))
                };
                assert_eq!((metadata(&player), metadata(&other)), (true, false));
            })
        },
    },
];

/// Before there is video, only players that connected under the old value wait for it.
fn audio_waits_for_video<'w>(walk: &'w Walk<'w>) -> crate::walk::After<'w> {
    let held = walk.connected(walk.player("s"));
    let mut publisher = walk.publish("s");
    Box::new(move || {
        let (player, newcomer) = (walk.go_on(held), walk.play("s"));
        // Frame 3 is the first with audio.
        publisher.skip_to(3);
        publisher.send(1);
        newcomer.wait_frame(3);
        publisher.send(1);
        player.wait_frame(4);
        assert_eq!(player.frames(), [4]);
    })
}

/// A player from before the reload is notified when the publisher leaves, a new one is not.
fn told_of_publishers<'w>(walk: &'w Walk<'w>, code: &'static str) -> crate::walk::After<'w> {
    let (player, publisher) = (walk.play("s"), walk.publish("s"));
    Box::new(move || {
        let newcomer = walk.play("s");
        publisher.leave();
        player.wait_status(code);
        let mut publisher = walk.publish("s");
        newcomer.wait_frame(publisher.send(2 * GOP));
        let statuses = newcomer.got().statuses.clone();
        assert!(!statuses.iter().any(|status| status == code), "{statuses:?}");
    })
}

/// Whether frames were left out.
pub fn skipped(player: &Player) -> bool {
    player.frames().windows(2).any(|pair| pair[1] != pair[0] + 1)
}

/// How often the video header has come.
fn headers(player: &Player) -> usize {
    player.got().media.iter().filter(|media| media.payload.starts_with(&[0x17, 0])).count()
}

#[test]
fn live() {
    walk(CASES);
}
