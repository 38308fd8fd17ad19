//! Clients that do not keep to the rules, or are too slow.

use std::io::{Read, Write};
use std::net::TcpStream;

use h2::Reason;
use http::{Method, Request};
use pingosd::net::http2::PREFACE;

use crate::client::Client;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RESET, Raw, SETTINGS,
    WINDOW_UPDATE, frame, head, update,
};
use crate::support::server::free_port;
use crate::support::wait::PATIENCE;
use crate::support::{Conf, Server};
use crate::{SAYS, start};

/// After what one client has done, the server serves others, and has logged it once.
fn serves_on(server: &Server, log: &str) {
    assert_eq!(Client::open(server.http).get("/says").0, 200);
    if !log.is_empty() {
        server.wait_log(log);
        assert_eq!(server.log_lines(log).len(), 1, "{}", server.log());
    }
}

#[test]
fn floods_end_the_connection() {
    /// More than any bound.
    const MANY: usize = 2_000_000;
    let server = start("keepalive_requests 1000000; location /flv { flv_live {rtmp_port} app=live; }");
    let get = head(2);
    // Requests that are reset at once (CVE-2023-44487).
    let mut raw = Raw::open(server.http);
    let sent = raw.flood(MANY / 10, |number| {
        let stream = u32::try_from(number * 2 + 1).unwrap();
        [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &get),
            frame(RESET, 0, stream, &8_u32.to_be_bytes()),
        ]
        .concat()
    });
    assert!(sent < MANY / 10, "{sent} resets");
    serves_on(&server, "");
    for (what, next) in [
        ("settings", frame(SETTINGS, 0, 0, b"")),
        ("pings", frame(PING, 0, 0, &[0; 8])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
    ] {
        let many = next.repeat(500);
        let sent = Raw::open(server.http).flood(MANY / 500, |_| many.clone());
        assert!(sent < MANY / 500, "{sent} of {what}");
        serves_on(&server, "");
    }
    // Frames of a body that are empty.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &head(3))).unwrap();
    let many = frame(DATA, 0, 1, b"").repeat(500);
    let sent = raw.flood(MANY / 500, |_| many.clone());
    assert!(sent < MANY / 500, "{sent} of empty data");
    serves_on(&server, "");
}

#[test]
fn heads_are_bounded() {
    let server = start("");
    // A head that goes on in more and more frames.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, 0, 1, &head(2))).unwrap();
    let more = frame(CONTINUATION, 0, 1, &[&[0, 1, b'x', 100][..], &[b'y'; 100]].concat().repeat(10));
    let sent = raw.flood(100_000, |_| more.clone());
    assert!(sent < 100_000, "{sent} frames of a head");
    serves_on(&server, "");
    // A few bytes that stand for a long head: one field in the table (62), and many references to it.
    let mut raw = Raw::open(server.http);
    let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    let bomb = [&head(2)[..], &field, &[0xbe; 8000]].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).unwrap();
    let before = server.resident();
    serves_on(&server, "");
    assert!(server.resident() < before + 20_000, "{} KiB", server.resident());
}

#[test]
fn max_headers_decides_how_many_there_may_be() {
    let server = start("max_headers 5000; large_client_header_buffers 4 16k;");
    let lines = |count| [&head(2)[..], &[0, 1, b'x', 1, b'y'].repeat(count)].concat();
    let mut raw = Raw::open(server.http);
    for (stream, count, status) in [(1, 3000, 0x88), (3, 5000, 0x88), (5, 5001, 0x8c)] {
        let block = lines(count);
        let mut parts = block.chunks(16_384).enumerate().peekable();
        while let Some((number, part)) = parts.next() {
            let kind = if number == 0 { HEADERS } else { CONTINUATION };
            let ends = if parts.peek().is_none() { END_HEADERS } else { 0 };
            let flags = if number == 0 { END_STREAM | ends } else { ends };
            raw.0.write_all(&frame(kind, flags, stream, part)).unwrap();
        }
        assert_eq!(raw.status(stream), status, "{count}");
    }
}

#[test]
fn what_is_too_slow_is_closed() {
    let server = Server::start(&Conf::live("").http_server(&format!(
        "http2 on; client_header_timeout 300ms; client_body_timeout 300ms; send_timeout 300ms; keepalive_timeout 5s;
         {SAYS} location /body {{ proxy_pass http://127.0.0.1:{{http_port}}; }}"
    )));
    // No end of a head, or of a frame of one: as in nginx, the stream is reset and its connection goes on.
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2));
    let open = frame(HEADERS, END_STREAM, 1, &head(2));
    let end = frame(CONTINUATION, END_HEADERS, 1, &[0x40, 1, b'a', 1, b'b']);
    for (beginning, rest) in [(&open[..], &end[..]), whole.split_at(12), whole.split_at(10)] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(beginning).unwrap();
        let (stream, payload) = loop {
            let (kind, _, stream, payload) = raw.next();
            if kind == RESET {
                break (stream, payload);
            }
        };
        assert_eq!((stream, payload), (1, vec![0, 0, 0, 1]));
        raw.0.write_all(&[rest, &frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))].concat()).unwrap();
        assert_eq!(raw.status(3), 0x88);
    }
    server.wait_log("client timed out");
    // Half of another frame.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(PING, 0, 0, &[0; 8])[..12]).unwrap();
    raw.closed();
    // Nothing at all, and half of a preface.
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&PREFACE[..10]).unwrap();
    let _ = socket.read(&mut [0; 10]);
    // A window that stays closed: the stream is reset, its connection goes on.
    server.prefix().write("html/big.bin", vec![0; 100_000]);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(10);
    let client = Client::with(server.http, &builder);
    let (_, mut body) = client.head(client.ask(Method::GET, "/big.bin", None)).unwrap().into_parts();
    let reset = client.runtime.block_on(async {
        loop {
            match tokio::time::timeout(PATIENCE, body.data()).await.unwrap() {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("the body has ended"),
            }
        }
    });
    assert_eq!(reset.reason(), Some(Reason::INTERNAL_ERROR));
    server.wait_log("client timed out (110: Connection timed out) while sending response to client");
    // A body that does not come.
    let request = Request::post("http://localhost/body/says").body(()).unwrap();
    let mut send = client.runtime.block_on(client.send.clone().ready()).unwrap();
    let (response, _stream) = send.send_request(request, false).unwrap();
    assert!(client.head(response).unwrap_err().is_reset());
    assert_eq!(client.get("/says").0, 200);
}

/// Why the server ends a connection, from all that it says.
fn reasons(mut said: &[u8]) -> Vec<u32> {
    const GOAWAY: u8 = 7;
    let mut reasons = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, frame @ ..] = said {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        if *kind == GOAWAY {
            reasons.push(u32::from_be_bytes(frame[4..8].try_into().unwrap()));
        }
        said = &frame[length..];
    }
    reasons
}

#[test]
fn a_wrong_preface_is_answered() {
    let only = free_port();
    let server = Server::start(&Conf::live("").http(&format!("server {{ listen 127.0.0.1:{only} http2; }}")));
    for wrong in ["GET / HTTP/1.1\r\nHost: here\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"] {
        let mut socket = TcpStream::connect(("127.0.0.1", only)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(wrong.as_bytes()).unwrap();
        let mut said = Vec::new();
        socket.read_to_end(&mut said).unwrap();
        assert_eq!(reasons(&said), [u32::from(Reason::PROTOCOL_ERROR)], "{wrong}");
    }
    server.wait_log("invalid connection preface while processing HTTP/2 connection, client: 127.0.0.1");
}

#[test]
fn faults_of_frames_have_nginxs_reasons() {
    let server = start("");
    let large = [&head(2)[..], &[0, 1, b'x', 0x7f, 0x82, 0x3f], &[b'y'; 8193]].concat();
    for (what, sent, reason) in [
        (
            "a table index",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0x10]),
            Reason::COMPRESSION_ERROR,
        ),
        ("half a head", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82, 0x41]), Reason::FRAME_SIZE_ERROR),
        ("a long value", frame(HEADERS, END_HEADERS | END_STREAM, 1, &large), Reason::ENHANCE_YOUR_CALM),
        ("a short ping", frame(PING, 0, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
        ("a long reset", frame(RESET, 0, 1, &[0; 5]), Reason::FRAME_SIZE_ERROR),
        ("half a window", frame(WINDOW_UPDATE, 0, 0, &[0; 2]), Reason::FRAME_SIZE_ERROR),
        ("half a setting", frame(SETTINGS, 0, 0, &[0; 3]), Reason::FRAME_SIZE_ERROR),
        ("an acknowledgement with a setting", frame(SETTINGS, 1, 0, &[0; 6]), Reason::FRAME_SIZE_ERROR),
        ("a short priority", frame(PRIORITY, 0, 1, &[0; 4]), Reason::FRAME_SIZE_ERROR),
        ("a priority of no stream", update(0, "u=0"), Reason::PROTOCOL_ERROR),
        ("a priority of an even stream", update(2, "u=0"), Reason::PROTOCOL_ERROR),
        (
            "a priority on a stream",
            frame(0x10, 0, 1, &[0, 0, 0, 1, b'u', b'=', b'0']),
            Reason::PROTOCOL_ERROR,
        ),
        ("half of a stream's number", frame(0x10, 0, 0, &[0, 0, 0]), Reason::FRAME_SIZE_ERROR),
        ("an unknown way of priorities", frame(SETTINGS, 0, 0, &[0, 9, 0, 0, 0, 2]), Reason::PROTOCOL_ERROR),
        ("a loop of priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), Reason::PROTOCOL_ERROR),
    ] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&sent).unwrap();
        assert_eq!(reasons(&raw.closed()), [u32::from(reason)], "{what}");
        serves_on(&server, "");
    }
}
