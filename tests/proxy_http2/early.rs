//! `proxy_request_buffering off`: backends over HTTP/1.1 and HTTP/2 that answer before they have the whole body of the request.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use socket2::SockRef;

use crate::backend::{Backend, Counts};
use crate::support::http::{Connection, Head, get};
use crate::support::wait::until_true;
use crate::support::{Conf, Server};
use crate::{LARGE, MOST_UNREAD, bytes};

/// Length of a body that sockets do not hold.
const LONG: usize = 12 * 1024 * 1024;

/// Memory in KiB that the server may take for a client that does not read.
const MOST_GROWTH: u64 = 32 * 1024;

/// A backend of HTTP/1.1, whose paths say what it does.
fn http1() -> Backend {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let counts = Arc::new(Counts::default());
    let kept = counts.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            kept.connections.fetch_add(1, Ordering::SeqCst);
            let counts = kept.clone();
            thread::spawn(move || serve(stream, &counts));
        }
    });
    Backend { port, counts }
}

fn serve(mut stream: TcpStream, counts: &Counts) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        let (path, length) = loop {
            if let Some((path, length, end)) = request(&received) {
                received.drain(..end);
                break (path, length);
            }
            read(&mut stream, &mut received)?;
        };
        counts.requests.fetch_add(1, Ordering::SeqCst);
        let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        // Hands each part of the body out as it comes.
        let mut each =
            |stream: &mut TcpStream, take: &mut dyn FnMut(&mut TcpStream, &[u8]) -> io::Result<()>| {
                let mut left = length;
                while left > 0 {
                    if received.is_empty() {
                        read(stream, &mut received).inspect_err(|_| {
                            counts.cancelled.fetch_add(1, Ordering::SeqCst);
                        })?;
                    }
                    let part: Vec<u8> = received.drain(..left.min(received.len())).collect();
                    left -= part.len();
                    take(stream, &part)?;
                }
                io::Result::Ok(())
            };
        match path.as_str() {
            "/echo-at-once" => {
                stream.write_all(head(length).as_bytes())?;
                each(&mut stream, &mut |stream, part| {
                    stream.write_all(part)?;
                    counts.sent.fetch_add(part.len(), Ordering::SeqCst);
                    Ok(())
                })?;
            }
            "/download" => {
                let mut writes = stream.try_clone()?;
                let text = [head(LARGE).into_bytes(), vec![b'x'; LARGE]].concat();
                let sending = thread::spawn(move || writes.write_all(&text));
                each(&mut stream, &mut |_, part| {
                    counts.received.fetch_add(part.len(), Ordering::SeqCst);
                    Ok(())
                })?;
                let _ = sending.join();
            }
            "/refuse" => {
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")?;
                // The connection stays as it is.
                loop {
                    thread::park();
                }
            }
            "/closes-reading" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbegun")?;
                stream.shutdown(Shutdown::Read)?;
                stream.write_all(b"end")?;
            }
            "/cut" => {
                stream.write_all(format!("{}begun", head(10)).as_bytes())?;
                SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO))?;
                return Ok(());
            }
            // The body is wanted by an interim response, and comes before the response.
            "/continue" => {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                let mut count = 0;
                each(&mut stream, &mut |_, part| {
                    count += part.len();
                    Ok(())
                })?;
                let text = count.to_string();
                stream.write_all(format!("{}{text}", head(text.len())).as_bytes())?;
            }
            _ => {
                each(&mut stream, &mut |_, _| Ok(()))?;
                stream.write_all(format!("{}x", head(1)).as_bytes())?;
            }
        }
    }
}

/// Path, length of the body, and end of the head of a request.
fn request(received: &[u8]) -> Option<(String, usize, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&received[..end]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let path = text.split(' ').nth(1).unwrap().to_owned();
    Some((path, length.map_or(0, |length| length.parse().unwrap()), end))
}

fn read(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 64 * 1024];
    match stream.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            received.extend_from_slice(&bytes[..length]);
            Ok(())
        }
    }
}

/// A backend of either version, and a server that passes bodies on to it as they come.
fn each(lines: &str) -> [(Backend, Server); 2] {
    [(http1(), "1.1"), (Backend::start(), "2")].map(|(backend, version)| {
        let conf = Conf::new("application live { live on; }")
            .http(&format!("upstream kept {{ server 127.0.0.1:{}; keepalive 4; }}", backend.port))
            .http_server(&format!(
                "client_max_body_size 0; proxy_http_version {version}; proxy_set_header Connection ''; proxy_request_buffering off;
                 location / {{ proxy_pass http://kept; {lines} }}"
            ));
        let server = Server::start(&conf);
        (backend, server)
    })
}

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

/// Waits until the backend has noticed that its only request has ended.
fn assert_is_told(backend: &Backend) {
    until_true("the backend is told", || backend.counts.cancelled.load(Ordering::SeqCst) == 1);
}

/// Sends a request while the response is read.
fn sends(connection: &Connection, path: &str, body: &[u8]) -> JoinHandle<io::Result<()>> {
    let mut socket = connection.socket.try_clone().unwrap();
    let all = [head(path, body.len()).as_bytes(), body].concat();
    thread::spawn(move || socket.write_all(&all))
}

/// Waits until a number does not change any more.
fn settled(what: &str, number: impl Fn() -> usize) -> usize {
    let (mut before, mut unchanged) = (0, 0);
    until_true(what, || {
        let now = number();
        unchanged = if now == before && now > 0 { unchanged + 1 } else { 0 };
        before = now;
        unchanged == 40
    });
    before
}

#[test]
fn a_body_goes_both_ways_at_once() {
    for (backend, server) in each("") {
        let body = bytes(LONG);
        let mut connection = Connection::open(server.http);
        let sending = sends(&connection, "/echo-at-once", &body);
        let response = connection.response(false);
        sending.join().unwrap().unwrap();
        assert!(response.status() == 200 && response.body == body);
        // Both connections are of further use.
        connection.send(b"GET /show HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(connection.response(false).status(), 200);
        assert_eq!((backend.counts.connections(), backend.counts.requests()), (1, 2));
    }
}

#[test]
fn a_client_that_does_not_read_stops_both_ways() {
    for (backend, server) in each("") {
        let before = server.resident();
        let body = bytes(MOST_UNREAD + LONG);
        let mut connection = Connection::open(server.http);
        let sending = sends(&connection, "/echo-at-once", &body);
        let sent = settled("the backend is stopped", || backend.counts.sent.load(Ordering::SeqCst));
        let grown = server.resident().saturating_sub(before);
        assert!(sent < MOST_UNREAD && grown < MOST_GROWTH, "{sent} bytes, {grown} KiB");
        let response = connection.response(false);
        sending.join().unwrap().unwrap();
        assert!(response.body == body);
    }
}

#[test]
fn a_body_is_passed_on_although_the_response_is_not_read() {
    for (backend, server) in each("") {
        let body = bytes(LONG);
        let connection = Connection::open(server.http);
        let sending = sends(&connection, "/download", &body);
        let received = || backend.counts.received.load(Ordering::SeqCst);
        until_true("the backend has the body", || received() == body.len());
        sending.join().unwrap().unwrap();
        assert_eq!(connection.head().status, 200);
    }
}

#[test]
fn a_client_that_stops_sending_ends_its_response() {
    for (backend, server) in each("client_body_timeout 300ms;") {
        let mut connection = Connection::open(server.http);
        connection.send(format!("{}0123456789", head("/echo-at-once", 20)).as_bytes());
        let (head, _) = Head::parse(&connection.rest()).unwrap();
        assert_eq!(head.status, 200);
        server.wait_log("client timed out (110: Connection timed out)");
        assert_is_told(&backend);
    }
}

#[test]
fn a_client_that_leaves_ends_its_request() {
    for (backend, server) in each("") {
        let mut connection = Connection::open(server.http);
        connection.send(format!("{}0123456789", head("/echo-at-once", 20)).as_bytes());
        assert_eq!(connection.head().status, 200);
        drop(connection);
        server.wait_log("client prematurely closed connection");
        assert_is_told(&backend);
    }
}

#[test]
fn a_backend_that_is_reset_ends_the_response() {
    for (_, server) in each("") {
        let mut connection = Connection::open(server.http);
        let sending = sends(&connection, "/cut", &bytes(LONG));
        let (head, _) = Head::parse(&connection.rest()).unwrap();
        assert!([200, 502].contains(&head.status));
        drop(connection);
        let _ = sending.join();
        assert_eq!(get(server.http, "/show").status(), 200);
    }
}

#[test]
fn a_response_is_complete_although_the_backend_stops_reading() {
    let [(_, server), _] = each("");
    let mut connection = Connection::open(server.http);
    let sending = sends(&connection, "/closes-reading", &bytes(LONG));
    assert_eq!(connection.response(false).text(), "begunend");
    drop(connection);
    let _ = sending.join();
}

#[test]
fn a_complete_response_ends_the_request() {
    for (backend, server) in each("") {
        for _ in 0..2 {
            let mut connection = Connection::open(server.http);
            let sending = sends(&connection, "/refuse", &bytes(LONG));
            let response = connection.response(false);
            assert_eq!((response.status(), response.text()), (403, "no".into()));
            assert_eq!(connection.rest(), b"");
            drop(connection);
            let _ = sending.join();
        }
        // The connection of the first was not used again.
        assert_eq!(backend.counts.connections(), 2);
    }
}

#[test]
fn an_interim_response_does_not_stop_the_body() {
    let [(_, server), _] = each("proxy_read_timeout 500ms;");
    let mut connection = Connection::open(server.http);
    connection.send(format!("{}01234", head("/continue", 10)).as_bytes());
    // The time for the head begins when the body is sent.
    thread::sleep(std::time::Duration::from_secs(1));
    connection.send(b"56789");
    assert_eq!(connection.response(false).text(), "10");
}
