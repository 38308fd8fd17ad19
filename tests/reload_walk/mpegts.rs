//! MPEG-TS over HTTP: how much players get, and how it is packaged.

use std::net::Shutdown;

use crate::media::Source;
use crate::support::http::{Connection, Dechunker, Head};
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk};

pub const CASES: &[Case] = &[
    Case {
        row: "mpegts/mpegts_cache_time",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 1s;",
        after: "idle_streams off; mpegts_cache_time 0;",
        look: |walk| {
            let mut source = walk.source("s");
            source.send_to(3_500);
            let old = Player::start(walk, "s");
            Box::new(move || {
                // It gets no more than what follows.
                let newcomer = Player::start(walk, "s");
                until_true("two players", || walk.server.log_lines("playing 's'").len() >= 2);
                source.send_to(5_500);
                source.leave();
                let (old, new) = (old.rest().len(), newcomer.rest().len());
                assert!(new > 10 * 188 && old > new + 20 * 188, "{old} and {new} bytes");
            })
        },
    },
    Case {
        row: "mpegts/mpegts_one_off_send",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 1s;",
        look: |walk| start_differs(walk, "", |old, new| old > new + new / 2),
    },
    Case {
        row: "mpegts/mpegts_send_all",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 1s; mpegts_send_all on;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 1s; mpegts_send_all off;",
        look: |walk| start_differs(walk, "", |old, new| old > new + new / 2),
    },
    Case {
        row: "mpegts/mpegts_low_latency",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_low_latency off;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_low_latency on;",
        look: |walk| start_differs(walk, "", |old, new| old > new + new / 2),
    },
    Case {
        row: "mpegts/mpegts_roll_back",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 1s; mpegts_roll_back 10s;",
        after: "idle_streams off; mpegts_cache_time 1s; mpegts_roll_back 0;",
        look: |walk| start_differs(walk, "?roll_back=9000", |old, new| old > new + new / 2),
    },
    Case {
        row: "mpegts/mpegts_out_queue",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_out_queue 4096;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_out_queue 40;",
        look: |walk| publishers_differ(walk, |old, new| old.len() > new.len() + new.len() / 2),
    },
    Case {
        row: "mpegts/mpegts_audio_buffer_size",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_audio_buffer_size 1m;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_audio_buffer_size 30;",
        look: |walk| publishers_differ(walk, |old, new| audio(new).len() > 2 * audio(old).len()),
    },
    Case {
        row: "mpegts/mpegts_audio_delay",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_audio_delay 300ms;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_audio_delay 50ms;",
        look: |walk| publishers_differ(walk, |old, new| audio(new).len() > 2 * audio(old).len()),
    },
    Case {
        row: "mpegts/mpegts_sync",
        place: Place::Application,
        before: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_sync 0;",
        after: "idle_streams off; mpegts_cache_time 10s; mpegts_one_off_send 10s; mpegts_sync 300ms;",
        look: |walk| {
            publishers_differ(walk, |old, new| {
                // The frames last longer than their timestamps say; where that is not smoothed away, a packet ends.
                audio(old).len() > audio(new).len()
            })
        },
    },
    Case {
        row: "ts/ts_live",
        place: Place::Locations,
        before: "location /{app} { ts_live {rtmp_port} app=mpegts_audio_delay7; }",
        after: "location /{app} { ts_live {rtmp_port} app=nowhere; }",
        look: |walk| {
            let client = crate::support::RtmpClient::publish(walk.server.rtmp, "mpegts_audio_delay7", "t");
            let mut source = Source::over(client, true);
            source.send_to(3_500);
            let target = format!("/{}/t", walk.own_app);
            let old = Player::of(ask(walk, &target));
            Box::new(move || {
                assert_eq!(ask(walk, &target).response(false).status(), 404);
                source.send_to(6_500);
                source.leave();
                assert!(old.rest().len() > 60 * 188);
            })
        },
    },
];

/// A response that is still coming.
struct Player(Connection, Head);

fn ask(walk: &Walk<'_>, target: &str) -> Connection {
    let mut connection = Connection::open(walk.web);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    connection
}

impl Player {
    fn request(walk: &Walk<'_>, name: &str) -> Connection {
        let and = if name.contains('?') { '&' } else { '?' };
        ask(walk, &format!("/ts/{name}{and}app={}", walk.app))
    }

    /// Plays the case's stream; its first bytes are there.
    #[track_caller]
    fn start(walk: &Walk<'_>, name: &str) -> Self {
        Player::of(Player::request(walk, name))
    }

    #[track_caller]
    fn of(connection: Connection) -> Self {
        let head = connection.head();
        assert_eq!(head.status, 200);
        Player(connection, head)
    }

    /// Everything up to the end of the stream.
    #[track_caller]
    fn rest(mut self) -> Vec<u8> {
        let bytes = self.0.rest();
        let (_, length) = Head::parse(&bytes).unwrap();
        let _ = self.0.socket.shutdown(Shutdown::Both);
        match self.1.header("transfer-encoding") {
            Some(_) => Dechunker::default().take(&bytes[length..]).0,
            None => bytes[length..].to_vec(),
        }
    }
}

/// A player that was there before, and one that asks for the same afterwards.
fn start_differs<'w>(walk: &'w Walk<'w>, query: &'static str, fits: fn(usize, usize) -> bool) -> After<'w> {
    let mut source = walk.source("s");
    source.send_to(9_100);
    let name = format!("s{query}");
    let old = Player::start(walk, &name);
    Box::new(move || {
        let newcomer = Player::start(walk, &name);
        source.send_to(10_100);
        source.leave();
        let (old, new) = (old.rest().len(), newcomer.rest().len());
        assert!(fits(old, new), "{old} and {new} bytes");
    })
}

/// Players of a publisher that was there before, and of a newcomer; both begin with what is kept.
fn publishers_differ<'w>(walk: &'w Walk<'w>, fits: fn(&[u8], &[u8]) -> bool) -> After<'w> {
    let mut source = walk.source("old");
    source.send_to(5_100);
    let old = Player::start(walk, "old");
    Box::new(move || {
        let mut newcomer = walk.source("new");
        // Its packaging begins with its first player.
        let waiting = Player::request(walk, "new");
        until_true("the player waits", || !walk.server.log_lines("play: name='new'").is_empty());
        newcomer.send_to(5_100);
        let first = Player::of(waiting);
        let new = Player::start(walk, "new");
        source.leave();
        newcomer.leave();
        drop(first);
        let (old, new) = (old.rest(), new.rest());
        assert!(fits(&old, &new), "{} and {} bytes", old.len(), new.len());
    })
}

/// Presentation times of audio packets.
fn audio(ts: &[u8]) -> Vec<u64> {
    let starts = ts.chunks_exact(188).filter(|packet| packet[1] & 0x5F == 0x41 && packet[2] == 1);
    let times = starts.filter_map(|packet| {
        let at = packet.windows(3).position(|part| part == [0, 0, 1])?;
        let pts = packet.get(at + 9..at + 14)?;
        let (high, middle, low) = (
            u64::from(pts[0] >> 1 & 7),
            (u64::from(pts[1]) << 7) | u64::from(pts[2] >> 1),
            (u64::from(pts[3]) << 7) | u64::from(pts[4] >> 1),
        );
        Some(high << 30 | middle << 15 | low)
    });
    times.collect()
}

#[test]
fn mpegts() {
    walk(CASES);
}
