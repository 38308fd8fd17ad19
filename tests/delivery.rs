//! How media leaves: `send_delay`, what never waits, and what is sent when a stream ends.

mod support;

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pingosd::wire::MediaKind;
use pingosd::wire::rtmp::client_session::ClientPurpose;
use socket2::{Domain, Socket, Type};
use support::frame::{self, Frame, GOP, Tracks};
use support::player::numbered;
use support::process::status;
use support::rtmp::settings;
use support::server::free_port;
use support::wait::until_true;
use support::{Conf, End, Feed, Player, Publisher, RtmpClient, Server};

/// The longest `send_delay`. The first delivery time of so few players is as long after the server's start, so without an exception they
/// would wait for most of it.
const LONG: &str = "10s";

/// Long for a machine at work, but less than half of [`LONG`].
const AT_ONCE: Duration = Duration::from_secs(4);

/// Players of RTMP, and as many of HTTP.
fn players(server: &Server) -> Vec<Player> {
    let rtmp = (0..8).map(|_| Player::start(server.rtmp, "s"));
    let http = (0..8).map(|_| Player::http(server.http, "/flv/s"));
    rtmp.chain(http).collect()
}

/// A server with a stream whose headers and frames it has already processed, and with the longest delay in force since
/// then, so that further deliveries do not depend on timing.
fn underway(conf: impl Fn(&str) -> Conf) -> (Server, Publisher) {
    let server = Server::start(&conf("0"));
    let witness = Player::start(server.rtmp, "s");
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    witness.wait_key();
    let publisher = feed.stop();
    witness.wait_frame(publisher.next() - 1);
    server.reload(&conf(LONG));
    (server, publisher)
}

/// Waits until all players have been sent something, which must take less than the delay.
#[track_caller]
fn all_at_once(what: &str, players: &[Player], has: impl Fn(&Player) -> bool) {
    let began = Instant::now();
    until_true(what, || players.iter().all(&has));
    assert!(began.elapsed() < AT_ONCE, "{what} has waited for {:?}", began.elapsed());
}

fn has_frame(player: &Player, n: u64) -> bool {
    player.frames().last().is_some_and(|last| *last >= n)
}

fn delayed(send_delay: &str, more: &str) -> Conf {
    Conf::live(&format!("send_delay {send_delay}; {more}")).with_flv()
}

/// Frames from the first key frame on, without gap, repetition or change, up to `last`.
#[track_caller]
fn assert_has_all(player: &Player, last: u64) {
    let frames = numbered(&player.got());
    let key = frames.iter().position(|(_, media)| frame::is_key(&media.payload));
    let numbers: Vec<u64> = frames[key.expect("a key frame")..].iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (numbers[0]..=last).collect::<Vec<_>>());
}

#[test]
fn nothing_is_lost_or_reordered_whatever_the_delay() {
    let all = ["0", "1ms", "40ms", "300ms", "auto", "auto max=20ms"].map(|send_delay| ("uring", send_delay));
    for (delivery, send_delay) in all.into_iter().chain([("writev", "0"), ("writev", "40ms")]) {
        let conf = delayed(send_delay, "cache_time 1s;").events(&format!("delivery {delivery};"));
        let server = Server::start(&conf);
        let mut publisher = Publisher::start(server.rtmp, "s");
        let last = publisher.send(2 * GOP);
        let early = players(&server);
        for player in &early {
            player.wait_frame(last);
        }
        let feed = publisher.keep_sending();
        let late = players(&server);
        for player in &late {
            player.wait_key();
        }
        let last = feed.stop().next() - 1;
        for player in early.iter().chain(&late) {
            player.assert_whole(Tracks::Both, last);
        }
    }
}

#[test]
fn first_key_frames_headers_and_large_batches_do_not_wait() {
    let (server, mut publisher) = underway(|delay| delayed(delay, "cache_time 0;"));
    let before = server.log_lines(" playing 's', client").len();
    let players = players(&server);
    until_true("all players have joined", || {
        server.log_lines(" playing 's', client").len() == before + players.len()
    });
    publisher.skip_to(publisher.next().next_multiple_of(GOP));
    let key = publisher.send(1);
    all_at_once("the next key frame", &players, |player| has_frame(player, key));

    let mut header = frame::video_header();
    let mut changed = header.payload.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    header.payload = changed.into();
    let before = publisher.send(3);
    publisher.send_frame(&header);
    all_at_once("a codec header and what came before it", &players, |player| {
        has_frame(player, before) && player.got().media.iter().any(|m| m.payload == header.payload)
    });

    publisher.set_size(20_000);
    // A player whose delivery time is near is sent what has arrived by then; after 64 KiB more it is due again.
    let full = publisher.send(4);
    let last = publisher.send(4);
    all_at_once("a batch of 64 KiB", &players, |player| has_frame(player, full));
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
}

#[test]
fn a_late_player_is_sent_the_cached_group_at_once() {
    let (server, publisher) = underway(|delay| delayed(delay, "cache_time 1s;"));
    let last = publisher.next() - 1;
    let players = players(&server);
    all_at_once("the cached frames", &players, |player| has_frame(player, last));
}

#[test]
fn media_waits_for_the_delay_and_a_reload_ends_that() {
    let conf = |delay: &str| {
        Conf::new(&format!(
            "application live {{ live on; send_delay {delay}; cache_time 1s; }} application now {{ live on; cache_time 1s; }}"
        ))
        .with_flv()
    };
    let (server, mut publisher) = underway(conf);
    let last = publisher.next() - 1;
    let players = players(&server);
    all_at_once("the cached frames", &players, |player| has_frame(player, last));
    let mut other = Publisher::with(RtmpClient::publish(server.rtmp, "now", "s"), Tracks::Both);
    let prompt = Player::rtmp(RtmpClient::play(server.rtmp, "now", "s"));
    // Frames sent earlier reach some of the waiting players after a frame sent later reaches a player that does not
    // wait.
    let waited = (0..GOP).any(|_| {
        let last = publisher.send(1);
        prompt.wait_frame(other.send(1));
        players.iter().any(|player| !has_frame(player, last))
    });
    assert!(waited, "nothing was held back");

    server.reload(&conf("0"));
    let last = publisher.send(1);
    all_at_once("media without a delay", &players, |player| has_frame(player, last));
    for player in &players {
        player.assert_whole(Tracks::Both, last);
    }
}

/// The only player of a stream is sent each frame without a copy, by itself or, where its socket is full, in parts.
#[test]
fn a_single_player_whose_socket_is_small_gets_every_byte() {
    let port = free_port();
    let conf = Conf::new("listen 127.0.0.1:{small} sndbuf=4k; application live { live on; cache_time 1s; }");
    let server = Server::start(&conf.var("small", port));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(1);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    let play = settings(port, "live", ClientPurpose::Play { name: Bytes::from_static(b"s") });
    let client = RtmpClient::over(socket.into(), play).wait_started();
    until_true("the player has begun", || server.log_lines(" playing 's', client").len() == 1);
    // One by one, and more than the sockets of both sides accept without a reader.
    for size in [100, 1000, 4000, 4096, 4097] {
        publisher.set_size(size);
        for _ in 0..30 {
            publisher.send(1);
            thread::sleep(Duration::from_millis(2));
        }
    }
    let player = Player::rtmp(client);
    let last = publisher.send(1);
    player.wait_frame(last);
    player.assert_whole(Tracks::Both, last);
}

/// How often the workers have gone to sleep.
fn sleeps(server: &Server) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    tasks
        .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .filter(|task| status(*task, "Name:").starts_with("worker"))
        .map(|task| status(task, "voluntary_ctxt_switches:").parse::<u64>().unwrap())
        .sum()
}

/// Workers wake up less often than frames come.
#[track_caller]
fn assert_rests(server: &Server, feed: &Feed, player: &Player) {
    let (slept, sent) = (sleeps(server), feed.next());
    player.wait_frame(sent + 400);
    let (slept, sent) = (sleeps(server) - slept, feed.next() - sent);
    assert!(slept < sent / 2, "{slept} wake-ups for {sent} frames");
}

#[test]
fn a_relay_is_read_when_somebody_wants_what_it_brings() {
    let origin = Server::start(&Conf::live("cache_time 1s;"));
    let feed = Publisher::start(origin.rtmp, "s").keep_sending();
    let pull = format!("cache_time 1s; pull rtmp://127.0.0.1:{};", origin.rtmp);
    let edge = Server::start(&delayed("400ms", &pull));
    let player = Player::start(edge.rtmp, "s");
    player.wait_key();
    player.wait_frame(feed.next() + 100);
    assert_rests(&edge, &feed, &player);
    player.assert_whole(Tracks::Both, feed.stop().next() - 1);
}

#[test]
fn a_publisher_is_read_when_somebody_wants_what_it_sends() {
    let conf = |delay: &str| delayed(delay, "cache_time 1s;");
    let server = Server::start(&conf("400ms"));
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let player = Player::start(server.rtmp, "s");
    player.wait_key();
    // What follows its first key frame waits, and so does the publisher's socket.
    player.wait_frame(feed.next() + 100);
    assert_rests(&server, &feed, &player);

    // Not for a new player, and no longer without a delay.
    let late = Player::start(server.rtmp, "s");
    late.wait_key();
    server.reload(&conf("0"));
    player.wait_frame(feed.next() + 10);
    let mut publisher = feed.stop();
    let last = publisher.next() - 1;
    player.assert_whole(Tracks::Both, last);
    late.assert_whole(Tracks::Both, last);
    let last = publisher.send(1);
    all_at_once("a frame by itself", &[player, late], |player| has_frame(player, last));
}

#[test]
fn a_publisher_that_is_left_alone_may_send_much_and_end_at_once() {
    let server = Server::start(&delayed("400ms", "cache_time 1s;"));
    for round in 0..4 {
        let mut publisher = Publisher::start(server.rtmp, "s");
        publisher.send(GOP + 1);
        let player = Player::start(server.rtmp, "s");
        player.wait_frame(GOP);
        // Small messages first, so that the socket is being left alone when the large ones come.
        for _ in 0..20 {
            publisher.send(1);
            thread::sleep(Duration::from_millis(5));
        }
        publisher.set_size(60_000);
        let last = publisher.send(40);
        let ends = server.log_lines("stopped publishing").len();
        if round % 2 == 0 {
            publisher.leave();
        } else {
            drop(publisher);
        }
        until_true("the end of the stream", || server.log_lines("stopped publishing").len() > ends);
        player.wait_frame(last);
        assert_has_all(&player, last);
    }
}

#[test]
fn a_status_message_does_not_overtake_media_that_waits() {
    let server = Server::start(&delayed(LONG, "cache_time 1s; publish_notify on;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.send(GOP + 1);
    let player = Player::start(server.rtmp, "s");
    player.wait_frame(GOP);
    let last = publisher.send(5);
    publisher.leave();
    let began = Instant::now();
    player.wait_status("NetStream.Play.UnpublishNotify");
    assert!(began.elapsed() < AT_ONCE);
    assert_has_all(&player, last);
}

/// With `idle_streams off` players end with their publisher; what it sent last is theirs still.
#[test]
fn the_last_batch_arrives_when_players_leave_with_their_publisher() {
    for send_delay in ["0", "40ms", LONG] {
        let server = Server::start(&delayed(send_delay, "cache_time 1s; idle_streams off;"));
        for round in 0..10 {
            let mut publisher = Publisher::start(server.rtmp, "s");
            let first = publisher.send(GOP);
            let players = players(&server);
            for player in &players {
                player.wait_frame(first);
            }
            // One write, so that media and end are handled in one go.
            let last = publisher.send(7);
            if round % 2 == 0 {
                publisher.leave();
            } else {
                publisher.reset();
            }
            for player in &players {
                assert_ne!(player.wait_end(), End::Complete);
                assert_has_all(player, last);
            }
        }
    }
}

#[test]
fn the_last_batch_arrives_when_the_server_stops() {
    let mut server = Server::start(&delayed(LONG, "cache_time 1s;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let first = publisher.send(GOP);
    let players = players(&server);
    for player in &players {
        player.wait_frame(first);
    }
    let witness = Player::start(server.rtmp, "s");
    witness.wait_frame(first);
    let last = publisher.send(7);
    // A new player is sent what has come, so the server has it.
    let new = Player::start(server.rtmp, "s");
    new.wait_frame(last);
    server.stop();
    for player in &players {
        player.wait_end();
        assert_has_all(player, last);
    }
}

#[test]
fn the_slowest_players_are_closed_when_too_much_waits_for_all_of_them() {
    let conf = Conf::live("cache_time 1s; stream_backlog 1000m;")
        .rtmp("total_backlog 8m; out_queue 100000;")
        .with_flv();
    let server = Server::start(&conf);
    let mut publisher = Publisher::start(server.rtmp, "s");
    let first = publisher.send(1);
    let fast = Player::start(server.rtmp, "s");
    let slow = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    for player in slow.iter().chain([&fast]) {
        player.wait_frame(first);
    }
    slow.iter().for_each(Player::hold);
    publisher.set_size(500_000);
    // Never more than one frame waits for the fast player.
    until_true("too much waits", || {
        fast.wait_frame(publisher.send(1));
        server.log_lines("reason: total_backlog").len() == slow.len()
    });
    for player in &slow {
        player.resume();
        player.wait_end();
    }
    publisher.set_size(100);
    fast.wait_frame(publisher.send(GOP));
}

/// A publisher, and a player of each protocol that reads no more.
fn with_slow_players(server: &Server) -> (Publisher, [Player; 2]) {
    let mut publisher = Publisher::start(server.rtmp, "s");
    let first = publisher.send(1);
    let players = [Player::start(server.rtmp, "s"), Player::http(server.http, "/flv/s")];
    for player in &players {
        player.wait_frame(first);
        player.hold();
    }
    (publisher, players)
}

#[test]
fn memory_goes_back_to_the_system_when_slow_players_have_left() {
    let server = Server::start(&Conf::live("cache_time 1s; stream_backlog 200m;").with_flv());
    let (mut publisher, players) = with_slow_players(&server);
    let before = server.resident();
    publisher.set_size(1_000_000);
    publisher.send(150);
    until_true("much waits", || server.resident().saturating_sub(before) > 64 * 1024);
    drop(players);
    // The stream's own cache holds no large frame any more either.
    publisher.set_size(100);
    publisher.send(4 * GOP);
    until_true("the memory has gone back", || server.resident() < before + 16 * 1024);
}

#[test]
fn hls_in_memory_is_bounded_in_bytes_whatever_timestamps_say() {
    let server = Server::start(&Conf::live("hls2 on; stream_backlog 8m;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let witness = Player::start(server.rtmp, "s");
    witness.wait_frame(publisher.send(1));
    let before = server.resident();
    // One key frame, then frames without end at nearly the same time.
    for n in 0..200 {
        let (head, unit) = if n == 0 { (0x17, 0x65) } else { (0x27, 0x41) };
        let unit = [&[unit][..], &[b'x'; 999_999]].concat();
        let payload = [&[head, 1, 0, 0, 0][..], &1_000_000_u32.to_be_bytes(), &unit].concat();
        publisher.send_frame(&Frame { kind: MediaKind::Video, timestamp: n % 2, payload: payload.into() });
    }
    witness.wait_frame(publisher.send(GOP));
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
}

#[test]
fn what_waits_for_slow_players_is_bounded_in_bytes() {
    let server = Server::start(&Conf::live("cache_time 1h; stream_backlog 8m;").with_flv());
    let (mut publisher, players) = with_slow_players(&server);
    let before = server.resident();
    publisher.set_size(1_000_000);
    publisher.send(300);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more");
    for player in &players {
        player.resume();
    }
    publisher.set_size(100);
    let last = publisher.send(2 * GOP);
    for player in &players {
        player.wait_frame(last);
    }
    server.wait_log("reason: stream_backlog");
}
