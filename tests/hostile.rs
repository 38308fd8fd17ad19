//! Peers that mean harm or are broken: whatever they send, the server lives, its memory stays bounded, and a
//! publisher with its player beside them notices nothing.

mod support;

use std::io::{Read, Write};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use pingosd::wire::amf0::AmfValue;
use pingosd::wire::rtmp::message::type_id;
use support::frame::{Frame, GOP, Tracks};
use support::http::{self, Connection};
use support::raw::{Random, Raw, Script};
use support::wait::{PATIENCE, until_true};
use support::{Answer, Conf, Feed, NotifyServer, Player, Publisher, RtmpClient, Server};

/// A server with a publisher and a player.
struct Victim {
    server: Server,
    feed: Option<Feed>,
    player: Player,
    resident: u64,
}

/// KiB by which the server may grow: buffers of the connections that were open at once, and what the allocator
/// keeps. A server that believes declared lengths exceeds it.
const GROWTH: u64 = 48 * 1024;

impl Victim {
    fn start(conf: &Conf) -> Self {
        let server = Server::start(conf);
        let feed = Publisher::start(server.rtmp, "bystander").keep_sending();
        let player = Player::start(server.rtmp, "bystander");
        player.wait_key();
        let resident = server.resident();
        Victim { server, feed: Some(feed), player, resident }
    }

    fn assert_bounded(&self) {
        let now = self.server.resident();
        assert!(now < self.resident + GROWTH, "{} -> {now} KiB resident", self.resident);
    }

    /// Checks that nothing has happened to the others.
    #[track_caller]
    fn assert_unharmed(mut self) {
        self.assert_bounded();
        let last = self.feed.take().unwrap().stop().next() - 1;
        self.player.assert_whole(Tracks::Both, last);
        let mut publisher = Publisher::start(self.server.rtmp, "newcomer");
        let player = Player::start(self.server.rtmp, "newcomer");
        let last = publisher.send(2 * GOP);
        player.assert_whole(Tracks::Both, last);
        assert_eq!(self.server.log_lines("[crit]").len() + self.server.log_lines("[emerg]").len(), 0);
    }
}

#[test]
fn what_is_no_handshake_is_closed() {
    let victim = Victim::start(&Conf::live(""));
    let mut random = Random::new(1);
    let mut first = random.bytes(5000);
    first[0] = 0xFF;
    for bytes in [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], &first, b"\x06", b"\x00", &[0x16, 3, 1, 2, 0]] {
        let mut raw = Raw::open(victim.server.rtmp);
        raw.send(bytes);
        raw.wait_closed();
    }
    assert_eq!(victim.server.log_lines("protocol error: handshake").len(), 5);
    victim.assert_unharmed();
}

#[test]
fn a_handshake_must_be_finished_in_time() {
    let victim = Victim::start(&Conf::live("").rtmp("timeout 1s;"));
    let whole = Script::connected("live").finish();
    let mut half: Vec<Raw> = [0, 1, 700, 1537, 2000, 3073, 3080]
        .map(|length| {
            let mut raw = Raw::open(victim.server.rtmp);
            raw.send(&whole[..length]);
            raw
        })
        .into();
    half.iter_mut().for_each(Raw::wait_closed);
    assert_eq!(victim.server.log_lines("client timed out").len(), half.len());
    victim.assert_unharmed();
}

#[test]
fn a_declared_length_costs_its_sender_only() {
    // A type 0 header on chunk stream 3 that announces almost 16 MiB.
    let huge = |type_id, less: u8| [3, 0, 0, 0, 0xFF, 0xFF, 0xFF - less, type_id, 0, 0, 0, 0];
    let victim = Victim::start(&Conf::live(""));
    // An error that repeats word for word is written once, so each has a length of its own.
    for (script, type_id, less) in [
        (Script::handshake(), type_id::COMMAND, 0),
        (Script::connected("live"), type_id::COMMAND, 1),
        (Script::publishing("s"), type_id::VIDEO, 2),
    ] {
        let mut raw = script.bytes(&huge(type_id, less)).bytes(&[0; 128]).send(victim.server.rtmp);
        raw.wait_closed();
    }
    assert_eq!(victim.server.log_lines(" 1677721").len(), 3);
    victim.assert_unharmed();
    let victim = Victim::start(&Conf::live("").rtmp("max_message 16m;"));
    let open: Vec<Raw> = (0..50)
        .map(|_| {
            Script::publishing("s").bytes(&huge(type_id::VIDEO, 0)).bytes(&[0; 128]).send(victim.server.rtmp)
        })
        .collect();
    until_true("all want to publish", || victim.server.log_lines("publish: name='s'").len() == open.len());
    victim.assert_bounded();
    drop(open);
    victim.assert_unharmed();
}

#[test]
fn impossible_chunk_sizes_are_refused() {
    let victim = Victim::start(&Conf::live(""));
    for size in [0u32, 1 << 31, u32::MAX] {
        let script = Script::connected("live").message(type_id::SET_CHUNK_SIZE, 0, &size.to_be_bytes());
        script.send(victim.server.rtmp).wait_closed();
    }
    assert_eq!(victim.server.log_lines("chunk size 0x").len(), 3);
    // What is merely too large means the same as the largest.
    let large = Script::connected("live").message(type_id::SET_CHUNK_SIZE, 0, &0x7FFF_FFFFu32.to_be_bytes());
    let mut raw = large.message(type_id::SET_CHUNK_SIZE, 0, b"").send(victim.server.rtmp);
    raw.wait_closed();
    victim.server.wait_log("control message of type 0x01 is only 0 bytes long");
    victim.assert_unharmed();
}

#[test]
fn deep_values_end_the_connection_and_not_the_stack() {
    let victim = Victim::start(&Conf::live("meta copy;"));
    let mut objects = BytesMut::new();
    pingosd::wire::amf0::encode(&"connect".into(), &mut objects);
    pingosd::wire::amf0::encode(&1.0.into(), &mut objects);
    (0..10_000).for_each(|_| objects.put_slice(b"\x03\0\x01a"));
    let mut arrays = BytesMut::new();
    pingosd::wire::amf0::encode(&"onMetaData".into(), &mut arrays);
    (0..10_000).for_each(|_| arrays.put_slice(b"\x0A\0\0\0\x01"));
    let scripts = [
        Script::handshake().message(type_id::COMMAND, 0, &objects),
        Script::connected("live").message(type_id::COMMAND, 0, &objects),
        Script::publishing("s1").message(type_id::DATA, 1, &arrays),
        Script::publishing("s2").message(type_id::DATA_AMF3, 1, &arrays),
    ];
    // Scripts that are accepted end with an answer to a second connect.
    for script in scripts {
        let mut raw = script
            .command(0, "connect", &[AmfValue::object([("app", "live".into())])])
            .send(victim.server.rtmp);
        raw.wait_closed();
    }
    victim.assert_unharmed();
}

#[test]
fn a_session_may_come_byte_by_byte() {
    let server = Server::start(&Conf::live(""));
    let player = Player::start(server.rtmp, "drops");
    let mut raw = Raw::open(server.rtmp);
    Script::publishing("drops").finish().iter().for_each(|byte| raw.send(&[*byte]));
    server.wait_log("publishing 'drops'");
    published().finish().iter().for_each(|byte| raw.send(&[*byte]));
    player.assert_whole(Tracks::Both, GOP);
    assert_eq!(player.frames(), (0..=GOP).collect::<Vec<_>>());
}

#[test]
fn an_encoder_need_not_wait_for_the_answer_to_publish() {
    let server = Server::start(&Conf::live(""));
    let player = Player::start(server.rtmp, "hasty");
    let mut raw = Script::publishing("hasty").send(server.rtmp);
    raw.send(&published().finish());
    player.assert_whole(Tracks::Both, GOP);
    assert_eq!(player.frames(), (0..=GOP).collect::<Vec<_>>());
}

/// Headers and a group of pictures with the key frame that follows.
fn published() -> Script {
    let headers = Tracks::Both.headers().into_iter();
    let frames = headers.chain((0..=GOP).map(|n| Tracks::Both.frame(n, 150)));
    frames.fold(Script::default(), |script, frame| script.frame(&frame))
}

#[test]
fn random_bytes_after_the_handshake_harm_nobody() {
    let victim = Victim::start(&Conf::live("").rtmp("timeout 1s;"));
    let mut random = Random::new(0x5EED);
    for n in 0..60 {
        let script = match n % 3 {
            0 => Script::handshake(),
            1 => Script::connected("live"),
            _ => Script::publishing("random"),
        };
        let mut raw = script.bytes(&random.bytes(50_000)).send(victim.server.rtmp);
        if n % 10 == 0 {
            raw.wait_closed();
        }
    }
    victim.assert_unharmed();
}

#[test]
fn flipped_bits_in_a_session_harm_nobody() {
    let victim = Victim::start(&Conf::live("cache_time 1s; meta copy;"));
    let watcher = RtmpClient::play(victim.server.rtmp, "live", "flipped").wait_started();
    let whole = Script::publishing("flipped").bytes(&published().finish()).finish();
    let handshake = Script::handshake().finish().len();
    let mut random = Random::new(0xF11B);
    for _ in 0..200 {
        let mut bytes = whole.to_vec();
        for _ in 0..1 + random.below(8) {
            let at = handshake + random.below(bytes.len() - handshake);
            bytes[at] ^= 1 << random.below(8);
        }
        bytes.truncate(handshake + random.below(bytes.len() - handshake));
        Raw::open(victim.server.rtmp).send(&bytes);
    }
    drop(watcher);
    victim.assert_unharmed();
}

#[test]
fn odd_media_is_passed_on_or_left_out() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let player = Player::start(server.rtmp, "s");
    let mut publisher = Publisher::start(server.rtmp, "s");
    let mut random = Random::new(3);
    let mut last = publisher.send(GOP);
    for n in 0..300 {
        let kind = match n % 3 {
            0 => type_id::AUDIO,
            1 => type_id::VIDEO,
            _ => type_id::DATA,
        };
        let kind = pingosd::wire::MediaKind::from_type_id(kind).unwrap();
        let length = random.below(40);
        // The timestamps are as wild as the rest.
        let timestamp = random.next() as u32;
        publisher.send_frame(&Frame { kind, timestamp, payload: random.bytes(length).into() });
        last = publisher.send(1);
    }
    player.wait_frame(last);
    assert_eq!(player.got().end, None);
    Player::start(server.rtmp, "s");
}

#[test]
fn wild_timestamps_leave_the_chunk_stream_in_order() {
    let server = Server::start(&Conf::live("cache_time 1s;"));
    let mut publisher = Publisher::start(server.rtmp, "s");
    let player = Player::start(server.rtmp, "s");
    let mut random = Random::new(77);
    for n in 0..10 * GOP {
        let timestamp = match random.below(4) {
            0 => random.next() as u32,
            1 => u32::MAX - random.below(10) as u32,
            2 => 0xFF_FFFF + random.below(3) as u32 - 1,
            _ => random.below(100) as u32,
        };
        publisher.send_frame(&Frame { timestamp, ..Tracks::Both.frame(n, 300) });
    }
    player.assert_whole(Tracks::Both, 10 * GOP - 1);
}

#[test]
fn a_peer_that_asks_without_reading_is_given_up() {
    let victim = Victim::start(&Conf::live("").rtmp("timeout 1s;"));
    let ping = [0, 6, 0, 0, 0, 1];
    let mut asking = Script::default();
    for _ in 0..20_000 {
        asking = asking.message(type_id::USER_CONTROL, 0, &ping);
    }
    let asking = asking.finish();
    for script in [Script::connected("live"), Script::playing("bystander")] {
        let mut raw = Raw::open(victim.server.rtmp);
        socket2::SockRef::from(&raw.0).set_recv_buffer_size(8 * 1024).unwrap();
        raw.0.set_write_timeout(Some(PATIENCE)).unwrap();
        raw.send(&script.finish());
        let before = victim.server.log_lines("client disconnected").len();
        until_true("the server gives the peer up", || {
            raw.send(&asking);
            victim.server.log_lines("client disconnected").len() > before
        });
        victim.assert_bounded();
    }
    victim.assert_unharmed();
}

#[test]
fn a_publisher_that_never_pauses_can_be_dropped() {
    let server = Server::start(&Conf::live("").http_server("location /control { rtmp_control all; }"));
    let flood = flood(&server);
    assert_eq!(http::get(server.http, "/control/drop/publisher?srv=default&name=s").text(), "1");
    server.wait_log("stopped publishing 's'");
    flood.join().unwrap();
}

#[test]
fn a_publisher_that_never_pauses_gets_its_done_when_the_server_stops() {
    let notify = NotifyServer::start();
    let conf = Conf::live("on_publish {callback}/ stage=done;").var("callback", notify.url(""));
    let mut server = Server::start(&conf);
    let flood = flood(&server);
    assert!(server.stop().success());
    flood.join().unwrap();
    assert_eq!(notify.requests_of("act=done").len(), 1);
}

/// Publishes large frames as fast as the server takes them, until it closes.
fn flood(server: &Server) -> JoinHandle<()> {
    let mut publisher = Publisher::start(server.rtmp, "s");
    publisher.client.socket.set_write_timeout(Some(PATIENCE)).unwrap();
    server.wait_log("publishing 's'");
    thread::spawn(move || {
        let frame = Tracks::Both.frame(0, 100_000);
        while publisher.client.end().is_none() {
            publisher.client.session.send_media(frame.kind, frame.timestamp, &frame.payload).unwrap();
            publisher.client.flush();
        }
    })
}

#[test]
fn a_publisher_that_reads_nothing_gets_its_done_when_the_server_stops() {
    let notify = NotifyServer::start();
    let conf = Conf::live("on_publish {callback}/ stage=done;").var("callback", notify.url(""));
    let mut server = Server::start(&conf);
    let mut client = RtmpClient::publish(server.rtmp, "live", "s").wait_started();
    // Longer than its answer, so that no more answers pile up than are allowed.
    let ping = [&[0, 6, 0, 0, 0, 1][..], &[0; 54]].concat();
    let pings =
        (0..1000).fold(Script::default(), |script, _| script.message(type_id::USER_CONTROL, 0, &ping));
    let pings = pings.finish();
    client.socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until the server reads no more, since it waits for us to take its answers.
    while client.socket.write_all(&pings).is_ok() {}
    assert!(server.log_lines("client disconnected").is_empty());
    assert!(server.stop().success());
    assert_eq!(notify.requests_of("act=done").len(), 1);
}

#[test]
fn streams_and_commands_of_a_connection_are_counted() {
    let victim = Victim::start(&Conf::live(""));
    let many = |script: Script| {
        (0..1000).fold(script, |script, _| script.command(0, "createStream", &[AmfValue::Null]))
    };
    many(Script::connected("live")).send(victim.server.rtmp).wait_closed();
    victim.server.wait_log("message streams");
    let mut client = RtmpClient::play(victim.server.rtmp, "live", "s").wait_started();
    client.socket.write_all(&many(Script::default()).finish()).unwrap();
    client.wait_end();
    victim.server.wait_log("message streams");
    let object = AmfValue::object([("app", "live".into())]);
    Script::connected("live").command(0, "connect", &[object]).send(victim.server.rtmp).wait_closed();
    victim.server.wait_log("second connect");
    victim.assert_unharmed();
}

#[test]
fn http_heads_must_be_finished_in_time() {
    let conf = Conf::live("").http("client_header_timeout 1s;").http_server("return 200 x;");
    let victim = Victim::start(&conf);
    let mut slow: Vec<Raw> = (0..100)
        .map(|n| {
            let mut raw = Raw::open(victim.server.http);
            raw.send(&b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: 1"[..n % 30]);
            raw
        })
        .collect();
    assert_eq!(http::get(victim.server.http, "/").text(), "x");
    slow.iter_mut().for_each(Raw::wait_closed);
    victim.assert_unharmed();
}

#[test]
fn http_garbage_is_refused() {
    let conf = Conf::live("")
        .http_server("location /flv { flv_live {rtmp_port} app=live; } location / { root html; }");
    let victim = Victim::start(&conf);
    let mut random = Random::new(9);
    let noise = random.bytes(4000);
    let long = [b"GET /", &b"a".repeat(1 << 20)[..], b" HTTP/1.1\r\n\r\n"].concat();
    let many = [&b"GET / HTTP/1.1\r\n"[..], &b"X-Header: value\r\n".repeat(100_000), b"\r\n"].concat();
    for bytes in [
        &noise[..],
        b"\x03\0\0\0\0\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET nothing HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03",
        &long,
        &many,
    ] {
        let mut raw = Raw::open(victim.server.http);
        raw.send(bytes);
        let _ = raw.0.shutdown(std::net::Shutdown::Write);
        raw.wait_closed();
        victim.assert_bounded();
    }
    victim.assert_unharmed();
}

#[test]
fn a_body_that_nobody_reads_is_no_next_request() {
    let server = Server::start(&Conf::live("").http_server("return 200 $request_uri;"));
    let mut connection = Connection::open(server.http);
    connection.send(
        b"POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n0123",
    );
    assert_eq!(connection.response(false).text(), "/one");
    connection.send(b"GET /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let rest = String::from_utf8_lossy(&connection.rest()).into_owned();
    assert!(!rest.contains("smuggled"), "{rest}");
}

#[test]
fn connections_are_counted_and_the_surplus_is_closed() {
    // Twice eight, two of which the bystanders hold.
    let victim = Victim::start(&Conf::live("").events("worker_connections 8;").http_server("return 200 x;"));
    let mut flood: Vec<Raw> =
        (0..100).map(|n| Raw::open([victim.server.rtmp, victim.server.http][n % 2])).collect();
    until_true("the surplus is closed", || {
        victim.server.log_lines("16 worker_connections are not enough").len() == flood.len() - 14
    });
    victim.assert_bounded();
    flood.clear();
    until_true("there is room again", || {
        let mut raw = Raw::open(victim.server.http);
        raw.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        matches!(raw.0.read(&mut [0; 12]), Ok(12))
    });
    victim.assert_unharmed();
}

#[test]
fn streams_that_nobody_uses_leave_nothing_behind() {
    let victim = Victim::start(&Conf::live("").http_server("location / { rtmp_stat all; }"));
    for round in 0..10 {
        let players: Vec<RtmpClient> = (0..50)
            .map(|n| RtmpClient::play(victim.server.rtmp, "live", &format!("name-{round}-{n}")))
            .map(RtmpClient::wait_started)
            .collect();
        assert!(http::get(victim.server.http, "/").text().contains("name-"));
        drop(players);
    }
    until_true("all are gone", || !http::get(victim.server.http, "/").text().contains("name-"));
    victim.assert_unharmed();
}

#[test]
fn a_callback_server_may_answer_anything() {
    let notify = NotifyServer::start();
    let conf = Conf::new(
        "application live { live on; }
         application asked { live on; on_publish {callback}/ stage=update,done update=50ms timeout=300ms; }",
    );
    let conf = conf.var("callback", notify.url(""));
    let victim = Victim::start(&conf);
    let mut random = Random::new(4);
    let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(500_000)].concat();
    for answer in [
        random.bytes(10_000),
        b"HTTP/1.1 \r\n\r\n".to_vec(),
        b"HTTP/1.1 99999 X\r\n\r\n".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        endless,
    ] {
        notify.answer("act=start", Answer::Raw(answer));
        let mut client = RtmpClient::publish(victim.server.rtmp, "asked", "s");
        client.wait_status("NetStream.Publish.Forbidden");
        victim.assert_bounded();
    }
    let body = [&b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"[..], &[b'x'; 1 << 20]].concat();
    notify.answer("app=asked", Answer::Raw(body));
    RtmpClient::publish(victim.server.rtmp, "asked", "s").wait_started();
    notify.wait_count("act=done", 6);
    victim.assert_unharmed();
}
