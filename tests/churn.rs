//! Players that are killed, stalled, half-closed and reset at random: they leave no session or socket behind, and the others miss
//! nothing.
//!
//! The default is a short run. `PINGOSD_CHURN_SECONDS=120 cargo test --release --test churn` is the long one.

mod support;

use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use support::frame::Tracks;
use support::process::descriptors;
use support::raw::{Random, Raw, Script};
use support::wait::until_true;
use support::{Conf, Player, Publisher, Server, http};

/// The order of events is the same in every run.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
/// Short-lived players at the same time.
const CROWD: usize = 40;
/// Players that stay, of each protocol.
const STAYING: usize = 3;
/// What a process may grow by after its first third of players: buffers and the allocator's reserves.
const GROWTH_KIB: u64 = 4096;

/// A misbehaving client.
enum Guest {
    /// Reads until it is dropped or resets.
    Reading(Player),
    /// Never reads what it asked for.
    Stalled(Raw),
}

impl Guest {
    fn join(server: &Server, random: &mut Random) -> Guest {
        match random.below(8) {
            0..3 => Guest::Reading(Player::rtmp(support::RtmpClient::play(server.rtmp, "live", "s"))),
            3..6 => Guest::Reading(Player::http(server.http, "/flv/s")),
            6 => Guest::Stalled(small(Script::playing("s").send(server.rtmp))),
            _ => {
                let mut raw = small(Raw::open(server.http));
                raw.send(b"GET /flv/s HTTP/1.1\r\nHost: localhost\r\n\r\n");
                Guest::Stalled(raw)
            }
        }
    }

    fn leave(self, random: &mut Random) {
        match (self, random.below(3)) {
            (Guest::Reading(player), 0) => player.reset(),
            (Guest::Stalled(raw), 0) => {
                socket2::SockRef::from(&raw.0).set_linger(Some(Duration::ZERO)).unwrap();
            }
            // A proper end, with or without unread bytes.
            (Guest::Reading(_) | Guest::Stalled(_), _) => {}
        }
    }
}

/// Sets a small receive buffer, so that the server soon notices a client that does not read.
fn small(raw: Raw) -> Raw {
    socket2::SockRef::from(&raw.0).set_recv_buffer_size(4096).unwrap();
    raw
}

fn seconds() -> Duration {
    let asked = std::env::var("PINGOSD_CHURN_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(20))
}

/// Sessions by the statistics.
fn clients(server: &Server) -> usize {
    http::get(server.http, "/stat").text().matches("<client>").count()
}

fn churn(delivery: &str, send_delay: &str, length: Duration, random: &mut Random) {
    let server = Server::start(
        &Conf::live(&format!("cache_time 500ms; send_delay {send_delay};"))
            .events(&format!("delivery {delivery};"))
            .rtmp("out_queue 128; timeout 3s;")
            .http_server(
                "location /flv { flv_live {rtmp_port} app=live; } location /stat { rtmp_stat all; }",
            ),
    );
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.set_size(6000);
    let feed = publisher.keep_sending();
    let staying: Vec<Player> = (0..2 * STAYING)
        .map(|n| match n % 2 {
            0 => Player::start(server.rtmp, "s"),
            _ => Player::http(server.http, "/flv/s"),
        })
        .collect();
    for player in &staying {
        player.wait_key();
    }
    let (open, sessions) = (descriptors(server.pid()), clients(&server));
    assert_eq!(sessions, 1 + staying.len());

    let began = Instant::now();
    let mut crowd: Vec<Guest> = Vec::new();
    let (mut joined, mut warm) = (0, None);
    while began.elapsed() < length {
        match random.below(8) {
            0..4 if crowd.len() < CROWD => {
                crowd.push(Guest::join(&server, random));
                joined += 1;
            }
            4 if !crowd.is_empty() => match &crowd[random.below(crowd.len())] {
                Guest::Reading(player) => player.hold(),
                Guest::Stalled(raw) => drop(raw.0.shutdown(Shutdown::Write)),
            },
            5 if !crowd.is_empty() => {
                if let Guest::Reading(player) = &crowd[random.below(crowd.len())] {
                    player.resume();
                }
            }
            // Half a handshake, or half a request.
            6 => drop(TcpStream::connect((
                "127.0.0.1",
                if joined % 2 == 0 { server.rtmp } else { server.http },
            ))),
            _ if !crowd.is_empty() => crowd.swap_remove(random.below(crowd.len())).leave(random),
            _ => {}
        }
        if warm.is_none() && began.elapsed() > length / 3 {
            warm = Some(server.resident());
        }
        std::thread::sleep(Duration::from_millis(random.next() % 12));
    }
    crowd.into_iter().for_each(|guest| guest.leave(random));
    assert!(joined > 50, "only {joined} players have come");

    until_true("all sessions have ended", || clients(&server) == sessions);
    // What the start needed may have been open still when they were counted first.
    until_true("all descriptors are closed", || descriptors(server.pid()) <= open);
    until_true("everybody who came has been seen off", || {
        let count = |text| server.log_lines(text).len();
        count(" playing 's', client") - count("stopped playing 's'") == staying.len()
            // Connections of RTMP: the publisher's and those of its players.
            && count("client connected") - count("client disconnected") == 1 + STAYING
    });
    let skipped = server.log_lines("slow player").len();
    println!(
        "{delivery}, send_delay {send_delay}: {joined} players have come, {skipped} times one was moved forward"
    );
    let last = feed.stop().next() - 1;
    for player in &staying {
        player.assert_whole(Tracks::Both, last);
    }
    let (grown, bound) = (server.resident().saturating_sub(warm.unwrap_or(0)), GROWTH_KIB);
    assert!(grown < bound, "{grown} KiB more after {joined} players");
}

#[test]
fn nothing_stays_of_players_that_misbehave_and_the_others_miss_nothing() {
    let mut random = Random::new(SEED);
    for (delivery, send_delay) in [("uring", "0"), ("uring", "40ms"), ("writev", "0"), ("writev", "100ms")] {
        churn(delivery, send_delay, seconds() / 4, &mut random);
    }
}
