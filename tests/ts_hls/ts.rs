//! `ts_live`.

use crate::media::{Source, pids};
use crate::support::http::{Connection, Dechunker, Head};
use crate::support::wait::until_true;
use crate::support::{Answer, Conf, NotifyServer, Server};
use std::io::Read;

const LOCATION: &str = "location /ts { ts_live {rtmp_port} app=live; }
    location /whole { ts_live {rtmp_port} app=live; chunked_transfer_encoding off; }";

fn start(directives: &str) -> Server {
    Server::start(&Conf::live(directives).http_server(LOCATION))
}

/// A response that is still coming.
struct Watching {
    connection: Connection,
    head: Head,
    chunks: Option<Dechunker>,
    ts: Vec<u8>,
}

impl Watching {
    fn request(server: &Server, target: &str) -> Connection {
        let mut connection = Connection::open(server.http);
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        connection
    }

    /// Waits for the head.
    #[track_caller]
    fn begin(connection: Connection) -> Self {
        let mut held = Vec::new();
        let mut byte = [0];
        let head = loop {
            if let Some((head, _)) = Head::parse(&held) {
                break head;
            }
            assert_eq!(
                (&connection.socket).read(&mut byte).unwrap(),
                1,
                "the connection ended within the head"
            );
            held.push(byte[0]);
        };
        let chunks = head.header("transfer-encoding").map(|_| Dechunker::default());
        Watching { connection, head, chunks, ts: Vec::new() }
    }

    /// Reads on until `enough`; false: the connection ended before.
    #[track_caller]
    fn until(&mut self, enough: impl Fn(&[u8]) -> bool) -> bool {
        let mut buffer = [0; 4096];
        while !enough(&self.ts) {
            let count = (&self.connection.socket).read(&mut buffer).expect("something within the patience");
            if count == 0 {
                return false;
            }
            match &mut self.chunks {
                Some(chunks) => self.ts.extend(chunks.take(&buffer[..count]).0),
                None => self.ts.extend(&buffer[..count]),
            }
        }
        true
    }
}

#[test]
fn a_player_starts_with_tables_and_a_key_frame() {
    let server = start("mpegts_cache_time 2s;");
    let mut source = Source::start(&server, "s");
    source.send_to(3_500);
    for target in ["/ts/s", "/ts/s.ts?x=y", "/whole/s.ts"] {
        let mut watching = Watching::begin(Watching::request(&server, target));
        assert_eq!(watching.head.status, 200);
        assert_eq!(watching.head.header("content-type"), Some("video/mp2t"));
        assert_eq!(watching.head.header("access-control-allow-origin"), Some("*"));
        assert!(watching.until(|ts| ts.len() > 50 * 188));
        let whole = watching.ts.len() / 188 * 188;
        let mut seen = pids(&watching.ts[..whole]);
        seen.sort_unstable();
        assert_eq!(seen, [0, 0x100, 0x101, 0x1001]);
        // The first packet behind PAT and PMT is the start of a picture that can be decoded at once.
        let first = &watching.ts[2 * 188..3 * 188];
        assert_eq!((first[1] & 0x5F, first[2], first[5] & 0x40), (0x41, 0, 0x40), "{target}");
    }
}

#[test]
fn a_stream_without_video_is_delivered() {
    let server = start("mpegts_cache_time 1s;");
    let mut source = Source::audio(&server, "s");
    source.send_to(3_500);
    let mut watching = Watching::begin(Watching::request(&server, "/ts/s"));
    assert!(watching.until(|ts| ts.len() > 20 * 188));
    let whole = watching.ts.len() / 188 * 188;
    assert_eq!(pids(&watching.ts[..whole]), [0, 0x1001, 0x101]);
}

#[test]
fn a_player_that_waits_gets_the_publisher_that_comes_and_the_next_one() {
    let server = start("mpegts_cache_time 1s;");
    let connection = Watching::request(&server, "/ts/s");
    server.wait_log("play: name='s'");
    let mut source = Source::start(&server, "s");
    source.send_to(2_100);
    let mut watching = Watching::begin(connection);
    assert!(watching.until(|ts| ts.len() > 20 * 188));
    source.leave();
    server.wait_log("stopped publishing 's'");
    let before = watching.ts.len();
    let mut source = Source::start(&server, "s");
    source.send_to(3_000);
    assert!(watching.until(|ts| ts.len() > before + 40 * 188));
    let whole = watching.ts.len() / 188 * 188;
    pids(&watching.ts[..whole]);
}

#[test]
fn without_idle_streams_the_connection_ends_with_the_publisher() {
    let server = start("mpegts_cache_time 1s; idle_streams off;");
    let refused = Watching::begin(Watching::request(&server, "/ts/s"));
    assert_eq!(refused.head.status, 404);
    let mut source = Source::start(&server, "s");
    source.send_to(2_500);
    let mut watching = Watching::begin(Watching::request(&server, "/ts/s"));
    assert!(watching.until(|ts| !ts.is_empty()));
    source.leave();
    assert!(!watching.until(|_| false));
}

/// The first pieces come at once and the last ones with the end, so neither waits for the delay.
#[test]
fn a_send_delay_changes_nothing_of_what_is_sent() {
    let tail = |send_delay: &str| {
        let server = start(&format!("mpegts_cache_time 1s; idle_streams off; send_delay {send_delay};"));
        let mut source = Source::start(&server, "s");
        source.send_to(2_500);
        let mut watching = Watching::begin(Watching::request(&server, "/ts/s"));
        assert!(watching.until(|ts| !ts.is_empty()));
        source.send_to(4_000);
        source.leave();
        assert!(!watching.until(|_| false));
        watching.ts.split_off(watching.ts.len() - 100 * 188)
    };
    let prompt = tail("0");
    for send_delay in ["40ms", "10s"] {
        assert!(tail(send_delay) == prompt, "send_delay {send_delay}");
    }
}

#[test]
fn a_refused_player_gets_403() {
    let notify = NotifyServer::start();
    notify.answer("call=play act=start", Answer::Status(403));
    let hook = format!("mpegts_cache_time 1s; on_play {};", notify.url("/cb"));
    let server = start(&hook);
    assert_eq!(Watching::begin(Watching::request(&server, "/ts/s")).head.status, 403);
}

#[test]
fn without_a_cache_a_player_starts_at_the_next_key_frame() {
    let notify = NotifyServer::start();
    let server = start(&format!("on_play {};", notify.url("/cb")));
    let mut source = Source::start(&server, "s");
    source.send_to(1_500);
    let connection = Watching::request(&server, "/ts/s");
    let mut now = 1_500;
    until_true("the player plays", || {
        now += 100;
        source.send_to(now);
        !server.log_lines("playing 's'").is_empty()
    });
    let mut watching = Watching::begin(connection);
    assert_eq!(watching.head.status, 200);
    source.send_to(now + 4_000);
    assert!(watching.until(|ts| ts.len() > 30 * 188));
    let whole = watching.ts.len() / 188 * 188;
    pids(&watching.ts[..whole]);
    let first = &watching.ts[2 * 188..3 * 188];
    assert_eq!((first[1] & 0x5F, first[2], first[5] & 0x40), (0x41, 0, 0x40));
    assert_eq!(notify.requests_of("call=play act=start").len(), 1);
}
