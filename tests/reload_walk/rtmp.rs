//! RTMP itself: addresses, names, and what connections agree upon.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use bytes::Bytes;
use pingosd::wire::rtmp::client_session::{ClientPurpose, ClientSettings};

use crate::live::skipped;
use crate::support::frame::{GOP, STEP, Tracks, number};
use crate::support::raw::{Raw, Script};
use crate::support::sockets::nodelay;
use crate::support::wait::PATIENCE;
use crate::support::{Player, Publisher, RtmpClient};
use crate::walk::{Case, Place, Walk, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "rtmp server/listen",
        place: Place::BareServer,
        before: "listen 127.0.0.1:{port}; serverid {app}; application live { live on; }",
        after: "listen 127.0.0.1:{web}; serverid {app}; application live { live on; }",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                let newcomer = Player::rtmp(RtmpClient::play(walk.own_web, "live", "s"));
                newcomer.wait("play was accepted", |got| got.started.then_some(()));
                let refused = std::net::TcpStream::connect(("127.0.0.1", walk.port));
                assert!(refused.is_err(), "nobody listens on the old address");
                let last = publisher.send(2 * GOP);
                player.wait_frame(last);
                newcomer.wait_frame(last);
            })
        },
    },
    Case {
        row: "rtmp/tcp_nodelay",
        place: Place::Application,
        before: "tcp_nodelay off;",
        after: "tcp_nodelay on;",
        look: |walk| {
            let seen = |client: &RtmpClient| {
                let remote = client.socket.local_addr().unwrap().port();
                nodelay(walk.server.pid(), walk.port, remote)
            };
            let held = walk.publisher("old").wait_started();
            assert_eq!(seen(&held), Some(false));
            Box::new(move || {
                let newcomer = walk.publisher("new").wait_started();
                assert_eq!((seen(&held), seen(&newcomer)), (Some(false), Some(true)));
            })
        },
    },
    Case {
        row: "rtmp server/server_name",
        place: Place::BareServer,
        before: "listen 127.0.0.1:{port}; serverid {app}; application none { live on; } } server { \
                 listen 127.0.0.1:{port}; server_name old.test; serverid {app}; application live { live on; }",
        after: "listen 127.0.0.1:{port}; serverid {app}; application none { live on; } } server { \
                listen 127.0.0.1:{port}; server_name new.test; serverid {app}; application live { live on; }",
        look: |walk| {
            let player = Player::rtmp(at_host(walk, "old.test"));
            player.wait("play was accepted", |got| got.started.then_some(()));
            Box::new(move || {
                at_host(walk, "old.test").wait_end();
                let newcomer = Player::rtmp(at_host(walk, "new.test"));
                newcomer.wait("play was accepted", |got| got.started.then_some(()));
                assert_eq!(player.got().end, None);
            })
        },
    },
    Case {
        row: "rtmp server/serverid",
        place: Place::BareServer,
        before: "listen 127.0.0.1:{port}; serverid before; application live { live on; }",
        after: "listen 127.0.0.1:{port}; serverid after; application live { live on; }",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                // Another stream of the same name: it is free.
                let newcomer = walk.play("s");
                let mut other = walk.publish("s");
                other.skip_to(1_000);
                newcomer.wait_frame(other.send(GOP + 1));
                player.wait_frame(publisher.send(GOP + 1));
                assert!(player.frames().iter().all(|n| *n < 1_000));
            })
        },
    },
    Case {
        row: "rtmp server/timeout",
        place: Place::Server,
        before: "timeout 60s;",
        after: "timeout 100ms;",
        look: |walk| {
            let silent = Raw::open(walk.port);
            Box::new(move || {
                Raw::open(walk.port).wait_closed();
                assert_open(&silent);
            })
        },
    },
    Case {
        row: "rtmp server/ping",
        place: Place::Server,
        before: "ping 60s; ping_timeout 50ms;",
        after: "ping 50ms; ping_timeout 50ms;",
        look: mute_newcomers_end,
    },
    Case {
        row: "rtmp server/ping_timeout",
        place: Place::Server,
        before: "ping 50ms; ping_timeout 60s;",
        after: "ping 50ms; ping_timeout 50ms;",
        look: mute_newcomers_end,
    },
    Case {
        row: "rtmp server/busy",
        place: Place::Server,
        before: "ping 50ms; ping_timeout 60s; busy off;",
        after: "ping 50ms; ping_timeout 60s; busy on;",
        look: mute_newcomers_end,
    },
    Case {
        row: "rtmp server/max_streams",
        place: Place::Server,
        before: "max_streams 64;",
        after: "max_streams 32;",
        look: |walk| {
            // A ping answer on chunk stream 40.
            const BEYOND: &[u8] = b"\x28\0\0\0\0\0\x06\x04\0\0\0\0\0\x07\0\0\0\0";
            let mut old = connected(walk);
            Box::new(move || {
                let mut newcomer = connected(walk);
                newcomer.send(BEYOND);
                newcomer.wait_closed();
                old.send(BEYOND);
                assert_hears(old);
            })
        },
    },
    Case {
        row: "rtmp server/ack_window",
        place: Place::Server,
        before: "ack_window 1000000;",
        after: "ack_window 2000000;",
        look: |walk| announced(walk, 5, 1_000_000, 2_000_000),
    },
    Case {
        row: "rtmp server/chunk_size",
        place: Place::Server,
        before: "chunk_size 1000;",
        after: "chunk_size 2000;",
        look: |walk| announced(walk, 1, 1_000, 2_000),
    },
    Case {
        row: "rtmp server/max_message",
        place: Place::Server,
        before: "max_message 1m;",
        after: "max_message 10k;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                publisher.set_size(50_000);
                player.wait_frame(publisher.send(GOP));
                let mut newcomer = walk.publish("other");
                let large = Tracks::Video.frame(0, 50_000);
                newcomer.client.session.send_media(large.kind, large.timestamp, &large.payload).unwrap();
                newcomer.client.flush();
                newcomer.client.wait_end();
            })
        },
    },
    Case {
        row: "rtmp server/out_queue",
        place: Place::Server,
        before: "out_queue 4096;",
        after: "out_queue 32;",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            player.wait_frame(publisher.send(1));
            Box::new(move || {
                let newcomer = walk.play("s");
                newcomer.wait_frame(publisher.send(GOP));
                let players = [&player, &newcomer];
                players.iter().for_each(|player| player.hold());
                publisher.set_size(50_000);
                let last = publisher.send(400);
                players.iter().for_each(|player| player.resume());
                player.wait_frame(last);
                newcomer.wait_frame(last - GOP);
                assert_eq!((skipped(&player), skipped(&newcomer)), (false, true));
            })
        },
    },
    Case {
        row: "rtmp server/out_cork",
        place: Place::BareServer,
        before: "listen 127.0.0.1:{port}; serverid {app}; out_cork 200; \
                 application live { live on; buffer 1s; wait_key off; }",
        after: "listen 127.0.0.1:{port}; serverid {app}; out_cork 10; \
                application live { live on; buffer 1s; wait_key off; }",
        look: |walk| {
            let (player, mut publisher) = (walk.play("s"), walk.publish("s"));
            Box::new(move || {
                let newcomer = walk.play("s");
                newcomer.wait_frame(publisher.send(GOP) - 10);
                assert!(player.frames().is_empty(), "held back");
                player.wait_frame(publisher.send(300) - 200);
            })
        },
    },
    Case {
        row: "rtmp/play_time_fix",
        place: Place::Server,
        before: "play_time_fix on;",
        after: "play_time_fix off;",
        look: |walk| {
            let (mut player, mut publisher) = (Script::playing("s").send(walk.port), walk.publish("s"));
            hear(&mut player, b"NetStream.Play.Start");
            Box::new(move || {
                let mut newcomer = Script::playing("s").send(walk.port);
                hear(&mut newcomer, b"NetStream.Play.Start");
                send_late_and_large(&mut publisher);
                // Once in the header of the first message, or in each of its chunks.
                let stamps = |raw: &mut Raw| {
                    let heard = hear(raw, &[b"frame", &(LATE + 1).to_be_bytes()[..]].concat());
                    let stamp = (LATE as u32 * STEP).to_be_bytes();
                    heard.windows(4).filter(|part| *part == stamp).count()
                };
                assert!(stamps(&mut player) > 5 && stamps(&mut newcomer) < 5);
            })
        },
    },
    Case {
        row: "rtmp/publish_time_fix",
        place: Place::Server,
        before: "publish_time_fix on;",
        after: "publish_time_fix off;",
        look: |walk| {
            let mut publisher = walk.publish("s");
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                let player = walk.play("s");
                send_late_and_large(&mut publisher);
                assert!(arrives_whole(&player));
                // What the newcomer's chunks repeat is taken for media, and what follows for nonsense.
                let frame = Tracks::Video.frame(LATE, 50_000);
                while newcomer.client.end().is_none() {
                    newcomer.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
                    newcomer.client.flush();
                }
            })
        },
    },
    Case {
        row: "rtmp/hevc_codecid",
        place: Place::Application,
        before: "hevc_codecid 12; wait_key off;",
        after: "hevc_codecid 13; wait_key off;",
        look: |walk| {
            // A message recognised as a header is also sent to later players.
            let header = |publisher: &mut Publisher| {
                let mut frame = crate::support::frame::video_header();
                let mut payload = frame.payload.to_vec();
                payload[0] = 0x1C;
                frame.payload = Bytes::from(payload);
                publisher.send_frame(&frame);
            };
            let mut publisher = walk.publish("s");
            header(&mut publisher);
            Box::new(move || {
                let mut newcomer = walk.publish("other");
                header(&mut newcomer);
                header(&mut publisher);
                newcomer.send(1);
                publisher.send(1);
                let (player, other) = (walk.play("s"), walk.play("other"));
                player.wait_frame(publisher.send(2 * GOP));
                other.wait_frame(newcomer.send(2 * GOP));
                let has_header =
                    |player: &Player| player.got().media.iter().any(|media| media.payload[..2] == [0x1C, 0]);
                assert!(has_header(&player) && !has_header(&other));
            })
        },
    },
];

/// A player whose tcUrl names this host.
fn at_host(walk: &Walk<'_>, host: &str) -> RtmpClient {
    let purpose = ClientPurpose::Play { name: Bytes::from_static(b"s") };
    RtmpClient::open(
        walk.port,
        ClientSettings::new("live".to_owned(), format!("rtmp://{host}/live"), purpose),
    )
}

/// A client that has connected and says nothing more, not even what it has to.
fn connected(walk: &Walk<'_>) -> Raw {
    let mut raw = Script::connected("live").send(walk.port);
    hear(&mut raw, b"_result");
    raw
}

/// Reads until these bytes have come.
#[track_caller]
fn hear(raw: &mut Raw, wanted: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    raw.0.set_read_timeout(Some(PATIENCE)).unwrap();
    while !heard.windows(wanted.len()).any(|part| part == wanted) {
        let count = raw.0.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection ended before {wanted:?}");
        heard.extend_from_slice(&buffer[..count]);
    }
    heard
}

#[track_caller]
fn assert_open(raw: &Raw) {
    raw.0.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match (&raw.0).read(&mut buffer) {
            Ok(0) => panic!("the connection has ended"),
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
                return;
            }
        }
    }
}

/// The server still answers there.
#[track_caller]
fn assert_hears(mut raw: Raw) {
    raw.send(&Script::default().command(0, "createStream", &[pingosd::wire::amf0::AmfValue::Null]).finish());
    hear(&mut raw, b"_result");
}

/// A connection from before the reload may be silent for longer than a new one.
fn mute_newcomers_end<'w>(walk: &'w Walk<'w>) -> crate::walk::After<'w> {
    let old = connected(walk);
    Box::new(move || {
        connected(walk).wait_closed();
        assert_open(&old);
    })
}

/// Values that connections receive in a protocol control message of this type.
fn announced<'w>(walk: &'w Walk<'w>, type_id: u8, before: u32, after: u32) -> crate::walk::After<'w> {
    let tells = move |walk: &Walk<'_>, value: u32| {
        let mut raw = Script::connected("live").send(walk.port);
        hear(&mut raw, &[&[0, 0, 4, type_id, 0, 0, 0, 0], &value.to_be_bytes()[..]].concat());
        raw
    };
    let (old, player, mut publisher) = (tells(walk, before), walk.play("s"), walk.publish("s"));
    Box::new(move || {
        tells(walk, after);
        assert_hears(old);
        publisher.set_size(5_000);
        player.wait_frame(publisher.send(GOP));
    })
}

/// A frame with an extended timestamp, and a key frame.
const LATE: u64 = 1_000_000;

/// Frames with extended timestamps, in several chunks.
fn send_late_and_large(publisher: &mut Publisher) {
    publisher.set_size(50_000);
    publisher.skip_to(LATE);
    publisher.send(2 * GOP);
}

/// Whether the first of those frames comes as it was sent.
fn arrives_whole(player: &Player) -> bool {
    let due = std::time::Instant::now() + PATIENCE;
    loop {
        let got = player.got();
        if let Some(media) = got.media.iter().find(|media| media.payload.len() > 10_000) {
            let n = number(&media.payload).unwrap_or_default();
            return media.payload == Tracks::Both.frame(n, 50_000).payload;
        }
        if got.end.is_some() {
            return false;
        }
        drop(got);
        assert!(std::time::Instant::now() < due, "nothing came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn rtmp() {
    walk(CASES);
}
