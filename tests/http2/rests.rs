//! Connections that rest between requests.

use std::io::Write;
use std::time::Duration;

use http::Method;
use nix::sys::signal::Signal;
use pingosd::limits::HTTP2_PARKED_AFTER;

use crate::client::Client;
use crate::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PRIORITY, RESET, Raw, WINDOW_UPDATE, frame, head,
};
use crate::support::Conf;
use crate::support::wait::until_true;
use crate::{SAYS, start};

/// Longer than a connection without requests is left as it is.
fn rest() {
    std::thread::sleep(HTTP2_PARKED_AFTER + Duration::from_millis(200));
}

#[test]
fn idle_connections_need_little_memory() {
    const COUNT: u64 = 500;
    let server = start("keepalive_timeout 60s;");
    let open = || {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2))).unwrap();
        assert_eq!(raw.status(1), 0x88);
        raw
    };
    let _first: Vec<Raw> = (0..100).map(|_| open()).collect();
    rest();
    let before = server.resident();
    let mut more: Vec<Raw> = (0..COUNT).map(|_| open()).collect();
    let each = || server.resident().saturating_sub(before) / COUNT;
    // The crate h2 keeps 17 KiB of each connection that is not parked.
    until_true("it is parked", || each() < 16);
    for raw in &mut more {
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))).unwrap();
        assert_eq!(raw.status(3), 0x88);
    }
    until_true("it is parked again", || each() < 16);
}

#[test]
fn a_connection_goes_on_after_rests() {
    let server = start(
        "client_max_body_size 3m; location /echo { proxy_pass http://127.0.0.1:{http_port}/length; }
         location /length { return 200 $content_length; }",
    );
    let big: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).take(300_000).collect();
    server.prefix().write("html/big.bin", &big);
    let mut small_table = h2::client::Builder::new();
    small_table.header_table_size(0);
    let mut wide = h2::client::Builder::new();
    wide.initial_window_size(1 << 20).initial_connection_window_size(1 << 21).max_frame_size(1 << 17);
    for builder in [h2::client::Builder::new(), small_table, wide] {
        let client = Client::with(server.http, &builder);
        for round in 0..4 {
            let (status, says) = client.get("/says");
            let number = 3 * round + 1;
            assert!(status == 200 && says.starts_with(&format!("HTTP/2.0 h2c {number} ")), "{says}");
            if round % 2 == 0 {
                rest();
            }
            let (_, mut body) = client.head(client.ask(Method::GET, "/big.bin", None)).unwrap().into_parts();
            assert!(client.body(&mut body).unwrap() == big);
            let sent = client.ask(Method::POST, "/echo", Some(vec![b'x'; 500_000].into()));
            let (_, mut body) = client.head(sent).unwrap().into_parts();
            assert_eq!(client.body(&mut body).unwrap(), b"500000");
            rest();
        }
    }
}

#[test]
fn late_frames_of_a_stream_do_not_end_a_connection_after_a_rest() {
    const GOAWAY: u8 = 7;
    let server = start("");
    let mut raw = Raw::open(server.http);
    let get = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(2));
    raw.0.write_all(&[get(1), get(3)].concat()).unwrap();
    assert_eq!((raw.status(1), raw.status(3)), (0x88, 0x88));
    let late = [
        frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 9]),
        frame(RESET, 0, 3, &[0, 0, 0, 8]),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 1]),
        frame(DATA, 0, 1, b"late"),
    ];
    for (number, bytes) in late.iter().enumerate() {
        rest();
        let stream = 2 * u32::try_from(number).unwrap() + 5;
        raw.0.write_all(&[&bytes[..], &get(stream)].concat()).unwrap();
        assert_eq!(raw.status(stream), 0x88);
        rest();
        raw.0.write_all(bytes).unwrap();
    }
    rest();
    // A stream cannot be used again, and the last one that was answered is known.
    raw.0.write_all(&get(3)).unwrap();
    let said = raw.closed();
    let goaway = frame(GOAWAY, 0, 0, &[0, 0, 0, 11, 0, 0, 0, 1]);
    assert!(said.windows(goaway.len()).any(|part| part == goaway), "{said:x?}");
}

#[test]
fn connections_that_rest_end_like_others() {
    let mut server = start("keepalive_requests 3;");
    let client = Client::open(server.http);
    for _ in 0..3 {
        rest();
        assert_eq!(client.get("/says").0, 200);
    }
    client.ended().unwrap();
    let conf = |rest: &str| Conf::live("").http_server(&format!("http2 on; {rest} {SAYS}"));
    server.reload(&conf("keepalive_timeout 1s;"));
    let client = Client::open(server.http);
    // Each request begins the time anew.
    for _ in 0..4 {
        assert_eq!(client.get("/says").0, 200);
        rest();
    }
    client.ended().unwrap();
    // What the client was told is in force as long as its connection.
    server.reload(&conf("http2_max_concurrent_streams 7;"));
    let client = Client::open(server.http);
    assert_eq!(client.get("/says").0, 200);
    rest();
    server.reload(&conf("http2_max_concurrent_streams 1;"));
    let answers: Vec<_> = (0..5).map(|_| client.ask(Method::GET, "/says", None)).collect();
    for answer in answers {
        assert_eq!(client.head(answer).unwrap().status(), 200);
    }
    rest();
    server.signal(Signal::SIGQUIT);
    client.ended().unwrap();
    server.wait_exit();
}
