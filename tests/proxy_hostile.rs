//! Backends that answer with anything: neither the server nor a request to it hangs, and memory stays bounded.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use support::http;
use support::raw::Random;
use support::{Conf, Server};

mod support;

/// Responses that are changed, and parts that are put into them.
const RESPONSES: [&[u8]; 8] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nto the end",
    b"HTTP/1.1 302 Found\r\nLocation: http://a/b\r\nSet-Cookie: a=b; path=/; domain=c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nanything",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /inside\r\nX-Accel-Charset: x\r\nX-Accel-Limit-Rate: 100000\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n",
];

const PARTS: [&[u8]; 20] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"HTTP/1.1 ",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"ffffffffffffffff\r\n",
    b"7fffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"-5\r\n",
    b"X-Accel-Redirect: /../../etc\r\n",
    b"X-Accel-Redirect: @none\r\n",
    b"Set-Cookie: ;;=;=\r\n",
    b"Content-Type: ;charset=\";\r\n",
    b"\xff\xfe",
    b"Connection: close\r\n",
];

/// Responses that are tried.
const ROUNDS: usize = 1500;

/// Requests at the same time.
const AT_ONCE: usize = 4;

/// Memory in KiB that the server may have taken meanwhile.
const MOST_GROWTH: u64 = 32 * 1024;

fn response(random: &mut Random) -> Vec<u8> {
    let mut bytes = RESPONSES[random.below(RESPONSES.len())].to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, PARTS[random.below(PARTS.len())].iter().copied())),
            2 if at < bytes.len() => bytes[at] = random.bytes(1)[0],
            3 => {
                let length = random.below(200);
                let more = random.bytes(length);
                drop(bytes.splice(at..at, more));
            }
            4 => {
                let long = vec![b'a'; random.below(100_000)];
                drop(bytes.splice(at..at, long));
            }
            _ => {
                let lines = b"A: b\r\n".repeat(random.below(2000));
                drop(bytes.splice(at..at, lines));
            }
        }
    }
    bytes
}

/// Answers each request with the next changed response; closes, resets, or is silent afterwards.
fn backend() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut random = Random::new(0x5eed_9407);
        for mut stream in listener.incoming().flatten() {
            let (bytes, is_silent, pieces) = (response(&mut random), random.below(20) == 0, random.below(3));
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let size = [usize::MAX, 1000, 7][pieces];
                for piece in bytes.chunks(size).take(300) {
                    if stream.write_all(piece).is_err() {
                        return;
                    }
                }
                if is_silent {
                    thread::sleep(Duration::from_secs(1));
                }
            });
        }
    });
    port
}

#[test]
fn any_response_of_a_backend_is_survived() {
    let conf = Conf::new("application live { live on; }")
        .http("upstream changing { server 127.0.0.1:{backend} max_fails=0; server 127.0.0.2:1 backup max_fails=0; keepalive 4; }")
        .http_server(
            "proxy_read_timeout 200ms; proxy_next_upstream error timeout invalid_header; proxy_http_version 1.1; proxy_set_header Connection '';
             proxy_cookie_path / /x; proxy_cookie_domain c d; proxy_cookie_flags ~ secure; proxy_redirect http://a/ /y/;
             location /plain { proxy_pass http://changing; }
             location /alone { proxy_pass http://127.0.0.1:{backend}; proxy_set_header Upgrade $http_upgrade; }
             location /changed { sub_filter hello other; gzip on; gzip_min_length 1; proxy_force_ranges on; proxy_pass http://changing; }
             location /inside { internal; return 200 inside; }
             location /alive { return 200 alive; }",
        )
        .var("backend", backend());
    let server = Server::start(&conf);
    for _ in 0..20 {
        ask(server.http, 0);
    }
    let before = server.resident();
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|client| {
            let port = server.http;
            thread::spawn(move || (0..ROUNDS / AT_ONCE).for_each(|round| ask(port, round * AT_ONCE + client)))
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(http::get(server.http, "/alive").text(), "alive");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < MOST_GROWTH, "{grown} KiB");
    assert_eq!(server.log_lines("panicked").len(), 0);
}

/// Sends a request, and waits until the connection ends.
fn ask(port: u16, round: usize) {
    let target = ["/plain", "/alone", "/changed"][round % 3];
    let method = ["GET", "POST", "HEAD"][round / 3 % 3];
    let more = ["", "Upgrade: x\r\n", "Range: bytes=1-2\r\nAccept-Encoding: gzip\r\n"][round / 9 % 3];
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n{more}\r\nbody"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = [0; 65536];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let is_reset = error.kind() == std::io::ErrorKind::ConnectionReset;
                assert!(is_reset, "{target} in round {round}: {error}");
                return;
            }
        }
    }
}
