//! Heads and bodies of requests.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, frame, head};
use crate::support::wait::{PATIENCE, until_true};
use crate::support::{Conf, Server};
use crate::{SAYS, start};

/// As in nginx since 1.31, on their streams: their connections go on.
#[test]
fn malformed_heads_are_answered() {
    let format = "log_format heads '$request $status $request_length $connection_requests';";
    let server = Server::start(
        &Conf::live("")
            .http(format)
            .http_server(&format!("http2 on; {SAYS} access_log logs/heads.log heads;")),
    );
    let value = |byte: u8| [&head(2)[..], &[0, 1, b'x', 2, b'a', byte]].concat();
    for (what, bad, line) in [
        ("no path", vec![0x82, 0x86, 0x01, 1, b'a'], "-"),
        ("no method", vec![0x86, 0x84, 0x01, 1, b'a'], "-"),
        ("no host", vec![0x82, 0x86, 0x84], "GET / HTTP/2.0"),
        ("a status", vec![0x82, 0x86, 0x84, 0x88], "-"),
        ("two paths", vec![0x82, 0x86, 0x84, 0x84], "-"),
        ("a header before the path", [&[0, 1, b'x', 0], &head(2)[..]].concat(), "-"),
        ("a name with a colon", [&head(2)[..], &[0, 3, b'x', b':', b'y', 0]].concat(), "-"),
        ("a line end", value(b'\n'), "-"),
        ("a carriage return", value(b'\r'), "-"),
        ("a zero", value(0), "-"),
        ("a length without a body", [&head(2)[..], &[0x0f, 13, 1, b'3']].concat(), "GET /says HTTP/2.0"),
    ] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bad)).unwrap();
        // Status 400 and status 200 of HPACK's table.
        assert_eq!(raw.status(1), 0x8c, "{what}");
        let line = format!("{line} 400 {} 1", bad.len());
        until_true(&format!("{what}: {line}"), || {
            server.prefix().read("logs/heads.log").lines().last() == Some(line.as_str())
        });
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))).unwrap();
        assert_eq!(raw.status(3), 0x88, "{what}");
    }
}

#[test]
fn what_surrounds_a_value_is_left_out_and_a_host_may_be_named_twice() {
    let server = start("location /shows { return 200 '[$http_x][$http_host]'; }");
    let mut raw = Raw::open(server.http);
    let path = [&[0x82, 0x86, 0x04, 6][..], b"/shows", &[0x01, 1, b'a']].concat();
    let fields = [&path[..], &[0, 1, b'x', 4, b'\t', b'y', b' ', b'\t'], &[0x0f, 23, 1, b'a']].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields)).unwrap();
    assert_eq!(raw.answer(1), (0x88, b"[y][a]".to_vec()));
    let other = [&path[..], &[0x0f, 23, 1, b'b']].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &other)).unwrap();
    assert_eq!(raw.status(3), 0x8c);
}

#[test]
fn a_body_has_its_declared_length() {
    let server = start(
        "error_page 400 /error; location /error { proxy_pass http://127.0.0.1:{http_port}/says; }
         location /body { proxy_pass http://127.0.0.1:{http_port}/says; }",
    );
    let declared = [&[0x83, 0x86, 0x04, 10][..], b"/body/says", &[0x01, 1, b'a', 0x0f, 13, 1, b'3']].concat();
    for (sent, status) in [("ab", 0x8c), ("abcd", 0x8c), ("abc", 0x88)] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &declared)).unwrap();
        raw.0.write_all(&frame(DATA, END_STREAM, 1, sent.as_bytes())).unwrap();
        let (answered, body) = raw.answer(1);
        assert_eq!(answered, status, "{sent}");
        // The page of the error comes from another server, which waits for no body.
        assert!(body.starts_with(b"HTTP/1.0 "), "{sent}");
    }
    // Frames larger than the least that a server has to accept, with padding.
    let large = [&[0x83, 0x86, 0x04, 5][..], b"/says", &[0x01, 1, b'a']].concat();
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &large)).unwrap();
    raw.0
        .write_all(&frame(DATA, END_STREAM | 8, 1, &[&[99][..], &[b'x'; 50_000], &[0; 99]].concat()))
        .unwrap();
    assert_eq!(raw.status(1), 0x88);
}

/// Its bytes would be the next request otherwise.
#[test]
fn a_body_that_is_passed_on_as_it_comes_is_sent_in_chunks() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = backend.local_addr().unwrap().port();
    let server = start(&format!(
        "location /says/more {{ proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:{port}; }}"
    ));
    let head = [&[0x83, 0x86, 0x04, 10][..], b"/says/more", &[0x01, 1, b'a']].concat();
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &head)).unwrap();
    let (mut socket, _) = backend.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    let mut until = |end: &[u8]| {
        while !received.ends_with(end) {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        received.clone()
    };
    let began = until(b"\r\n\r\n");
    let began = String::from_utf8_lossy(&began);
    assert!(
        began.contains("\r\nTransfer-Encoding: chunked\r\n") && !began.contains("Content-Length"),
        "{began}"
    );
    // Frames that come together are one chunk, as in nginx.
    raw.0.write_all(&[frame(DATA, 0, 1, b"ab"), frame(DATA, 0, 1, b"c")].concat()).unwrap();
    until(b"3\r\nabc\r\n");
    raw.0.write_all(&frame(DATA, END_STREAM, 1, b"")).unwrap();
    until(b"0\r\n\r\n");
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(raw.status(1), 0x88);
}
