//! Backends that fail, and those that do not keep to HTTP/2.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::backend::Backend;
use crate::support::http::{Connection, get};
use crate::support::raw::Random;
use crate::support::wait::until_true;
use crate::support::{Conf, Server};
use crate::{bytes, forwards, post};

/// Everything up to the end of the connection, behind the head.
fn cut(port: u16, target: &str) -> (u16, String) {
    let mut connection = Connection::open(port);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").as_bytes());
    let head = connection.head();
    let text = String::from_utf8(connection.rest()).unwrap();
    (head.status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn a_body_that_is_not_as_told_ends_as_one_that_is_cut() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    // The frame that contradicts the length may count or not.
    let (status, body) = cut(server.http, "/short");
    assert!(status == 200 && "short".starts_with(&body), "{status} {body}");
    server.wait_log(
        "upstream sent invalid http2 data (unspecific protocol error detected) while reading upstream",
    );
    let (status, body) = cut(server.http, "/long");
    assert!(status == 502 || body.len() < 5, "{status} {body}");
    assert_eq!(cut(server.http, "/cut"), (200, "begun".into()));
    server.wait_log("upstream rejected request with error 2 while reading upstream");
    // None of these connections is used again.
    assert!(get(server.http, "/show").text().starts_with("GET "));
    assert_eq!(backend.counts.connections(), 4);
}

#[test]
fn a_request_that_is_refused_goes_to_the_next_server_as_in_nginx() {
    let backend = Backend::start();
    let conf = |next: &str| {
        Conf::new("application live { live on; }")
            .http(&format!(
                "upstream two {{ server 127.0.0.1:{} max_fails=0; server 127.0.0.1:{{http_port}} backup; }}",
                backend.port
            ))
            .http_server(&format!(
                "http2 on; proxy_http_version 2; proxy_next_upstream {next};
                 location / {{ add_header X-Status $upstream_status; proxy_pass http://two; }}
                 location /refused {{ add_header X-Status $upstream_status; if ($server_protocol = HTTP/2.0) {{ return 200 next; }} proxy_pass http://two; }}"
            ))
    };
    let server = Server::start(&conf("error timeout"));
    assert_eq!(get(server.http, "/refused").status(), 502);
    server.wait_log("upstream rejected request with error 7 while reading response header from upstream");
    server.reload(&conf("error timeout invalid_header"));
    let response = get(server.http, "/refused");
    assert_eq!((response.header("x-status"), response.text()), (Some("502, 200"), "next".into()));
}

#[test]
fn waits_for_a_backend_end() {
    let backend = Backend::start();
    let server = forwards(
        &backend,
        "proxy_read_timeout 100ms; proxy_send_timeout 100ms; proxy_next_upstream off; client_body_buffer_size 2m; }
         location /stall { proxy_read_timeout 3s; proxy_pass http://kept;",
    );
    assert_eq!(get(server.http, "/silent").status(), 504);
    server.wait_log(
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
    );
    assert_eq!(post(server.http, "/silent", &bytes(1024 * 1024)).status(), 504);
    server.wait_log("upstream timed out (110: Connection timed out) while sending request to upstream");
    assert_eq!(cut(server.http, "/stall"), (200, "begun".into()));
    server.wait_log("upstream timed out (110: Connection timed out) while reading upstream");
    until_true("the streams are cancelled", || backend.counts.cancelled.load(Ordering::SeqCst) == 3);
}

#[test]
fn a_client_that_leaves_cancels_its_request() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
    until_true("the backend has the request", || backend.counts.requests() == 1);
    drop(connection);
    until_true("the stream is cancelled", || backend.counts.cancelled.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_head_has_at_most_the_size_of_its_buffer() {
    let backend = Backend::start();
    let server = forwards(&backend, "proxy_buffer_size 4k;");
    assert_eq!(get(server.http, "/big-head").status(), 502);
    server.wait_log("upstream sent too big header while reading response header from upstream");
    let server = forwards(&backend, "proxy_buffer_size 8k;");
    assert_eq!(get(server.http, "/big-head").header("x-0").unwrap().len(), 6000);
    // Beyond the bound of any, the size of the buffer does not help.
    let server =
        forwards(&backend, "proxy_buffer_size 16m; proxy_busy_buffers_size 16m; proxy_buffers 4 8m;");
    assert_eq!(get(server.http, "/huge-head").status(), 502);
    assert_eq!(get(server.http, "/show").status(), 200);
}

/// A backend that answers each connection by itself; the number counts them.
fn raw(answer: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer(counted.fetch_add(1, Ordering::SeqCst), socket);
        }
    });
    (port, count)
}

fn to(port: u16, location: &str) -> Server {
    Server::start(&Conf::new("application live { live on; }").http(&format!("upstream kept {{ server 127.0.0.1:{port} max_fails=0; server 127.0.0.1:{port} max_fails=0; keepalive 4; }}")).http_server(&format!(
        "proxy_http_version 2; location / {{ proxy_pass http://127.0.0.1:{port}; {location} }} location /kept {{ proxy_pass http://kept; {location} }}"
    )))
}

#[test]
fn a_backend_that_speaks_something_else_is_an_invalid_one() {
    let (port, _) = raw(|number, mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        if number == 0 {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            // Until the server has closed.
            let _ = socket.read_to_end(&mut Vec::new());
        }
    });
    let server = to(port, "");
    assert_eq!(get(server.http, "/").status(), 502);
    server.wait_log("upstream sent invalid http2 data (");
    assert_eq!(get(server.http, "/").status(), 502);
    let lines = || server.log_lines("while reading response header from upstream").len();
    until_true("both are logged", || lines() == 2);
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const PING: u8 = 6;
const END: u8 = 1 | 4;

/// Reads until a frame of HEADERS has begun.
fn until_request(socket: &mut TcpStream, held: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        // Behind the preface, frame by frame.
        let mut at = if held.starts_with(b"PRI") { 24 } else { 0 };
        while let Some(head) = held.get(at..at + 9) {
            let length = usize::from(head[1]) * 256 + usize::from(head[2]);
            if held.len() < at + 9 + length {
                break;
            }
            let kind = head[3];
            at += 9 + length;
            if kind == HEADERS {
                held.drain(..at);
                return true;
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(length) => held.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn a_request_that_a_leaving_backend_has_not_seen_is_sent_again() {
    let (port, count) = raw(|number, mut socket| {
        thread::spawn(move || {
            let mut held = Vec::new();
            let _ = socket.write_all(&frame(SETTINGS, 0, 0, b""));
            if !until_request(&mut socket, &mut held) {
                return;
            }
            // `:status 204`, and a question that is answered although no request runs.
            let _ = socket.write_all(&frame(HEADERS, END, 1, &[0x89]));
            let _ = socket.write_all(&frame(PING, 0, 0, b"question"));
            if number == 0 && until_request(&mut socket, &mut held) {
                let _ = socket.write_all(&frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
            }
            let _ = socket.read_to_end(&mut held);
        });
    });
    let server = to(port, "");
    let mut connection = Connection::open(server.http);
    for _ in 0..2 {
        connection.send(b"GET /kept HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(connection.response(false).status(), 204);
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
    server.wait_log("upstream sent goaway with error 0 while reading response header from upstream");
}

#[test]
fn a_backend_that_closes_idle_connections_fails_no_request() {
    let (port, count) = raw(|_, mut socket| {
        thread::spawn(move || {
            let _ = socket.write_all(&frame(SETTINGS, 0, 0, b""));
            if until_request(&mut socket, &mut Vec::new()) {
                let _ = socket.write_all(&frame(HEADERS, END, 1, &[0x89]));
            }
        });
    });
    let server = to(port, "");
    let mut connection = Connection::open(server.http);
    for _ in 0..10 {
        connection.send(b"GET /kept HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(connection.response(false).status(), 204);
    }
    assert_eq!(count.load(Ordering::SeqCst), 10);
}

#[test]
fn trailers_are_bounded() {
    let backend = Backend::start();
    let server = forwards(&backend, "proxy_pass_trailers on;");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /huge-trailers HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    // As after malformed chunks, what waits is not sent either.
    let text = String::from_utf8(connection.rest()).unwrap();
    assert!(!text.contains("\r\n0\r\n") && !text.contains("aaaa"), "{text}");
    server.wait_log("upstream sent too big trailers while reading upstream");
}

#[test]
fn interim_responses_are_bounded() {
    let (port, _) = raw(|_, mut socket| {
        let _ = socket.write_all(&frame(SETTINGS, 0, 0, b""));
        if until_request(&mut socket, &mut Vec::new()) {
            let interim = frame(HEADERS, 4, 1, &[0x08, 3, b'1', b'0', b'2']);
            let _ = socket.write_all(&interim.repeat(pingosd::limits::PROXY_INTERIM + 1));
            let _ = socket.write_all(&frame(HEADERS, END, 1, &[0x89]));
            let _ = socket.read_to_end(&mut Vec::new());
        }
    });
    let server = to(port, "");
    assert_eq!(get(server.http, "/").status(), 502);
    server.wait_log("upstream sent too many interim responses while reading response header from upstream");
}

/// Frames that are changed, behind a request.
fn any_frames(random: &mut Random) -> Vec<u8> {
    let frames = [
        frame(HEADERS, 4, 1, &[0x88]),
        frame(HEADERS, END, 1, &[0x89]),
        frame(0, 0, 1, b"some data"),
        frame(0, 9, 1, b"\x03data\0\0\0"),
        frame(HEADERS, END, 1, &[0x00, 1, b'x', 1, b'y']),
        frame(3, 0, 1, &[0, 0, 0, 8]),
        frame(8, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(9, 4, 1, &[0x88]),
        frame(5, 4, 1, &[0, 0, 0, 2, 0x82]),
        frame(PING, 0, 0, b"question"),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0]),
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(SETTINGS, 0, 0, &[0, 1, 0xff, 0xff, 0xff, 0xff]),
        frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]),
        frame(HEADERS, 4, 1, &[0x88, 0x0f, 0x0d, 1, b'5']),
    ];
    let mut bytes: Vec<u8> =
        (0..1 + random.below(6)).flat_map(|_| frames[random.below(frames.len())].clone()).collect();
    for _ in 0..random.below(3) {
        let at = random.below(bytes.len());
        match random.below(3) {
            0 => bytes[at] = random.bytes(1)[0],
            1 => bytes.truncate(at.max(1)),
            _ => drop(bytes.splice(at..at, random.bytes(5))),
        }
    }
    bytes
}

#[test]
fn any_frames_of_a_backend_are_survived() {
    let random = Mutex::new(Random::new(0x5eed_0002));
    let (port, _) = raw(move |_, mut socket| {
        let bytes = any_frames(&mut random.lock().unwrap());
        thread::spawn(move || {
            let _ = socket.write_all(&frame(SETTINGS, 0, 0, b""));
            if until_request(&mut socket, &mut Vec::new()) && socket.write_all(&bytes).is_ok() {
                let _ = socket.read(&mut [0; 4096]);
            }
        });
    });
    let server = to(port, "proxy_read_timeout 100ms; proxy_pass_trailers on;");
    let client = |target: &'static str| {
        let port = server.http;
        thread::spawn(move || {
            for _ in 0..150 {
                let mut connection = Connection::open(port);
                let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
                connection.send(format!("{head}Content-Length: 4\r\n\r\nbody").as_bytes());
                assert!(connection.rest().starts_with(b"HTTP/1.1 "), "each is answered");
            }
        })
    };
    let clients = ["/", "/kept", "/kept"].map(client);
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(server.log_lines("panicked").len(), 0);
}

#[test]
fn a_request_that_http2_cannot_carry_is_not_sent() {
    let backend = Backend::start();
    let server = forwards(
        &backend,
        "proxy_set_header Host ''; error_page 500 /500; location /500 { return 500 own; }",
    );
    assert_eq!(get(server.http, "/show").status(), 500);
    server.wait_log("invalid method \"GET\" or host \"\" for HTTP/2");
    assert_eq!(backend.counts.requests(), 0);
}

#[test]
fn a_connection_is_not_upgraded() {
    let (port, _) = raw(|_, mut socket| {
        let _ = socket.write_all(&frame(SETTINGS, 0, 0, b""));
        if until_request(&mut socket, &mut Vec::new()) {
            // `:status 101`, as a literal with the name of the static table's entry 8.
            let _ = socket.write_all(&frame(HEADERS, 4, 1, &[0x08, 3, b'1', b'0', b'1']));
            let _ = socket.read_to_end(&mut Vec::new());
        }
    });
    let server = to(port, "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    assert_eq!(connection.response(false).status(), 502);
    server.wait_log("upstream sent unexpected :status \"101\" while reading response header from upstream");
}
