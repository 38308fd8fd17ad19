//! Upgraded connections (WebSocket): their times, what the logs say of them, and their figures.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use support::http::Connection;
use support::server::Signal;
use support::wait::{PATIENCE, until};
use support::{Conf, Server};

mod support;

/// What both sides are told on the way into a tunnel.
const ASKS: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
const AGREES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";

/// More than the buffers of the system and of the server take.
const FLOOD: usize = 64 * 1024 * 1024;

/// A tunnel through a server with these directives in its location.
struct Tunnel {
    server: Server,
    client: Connection,
    backend: TcpStream,
    /// Bytes of the request's head that the backend has got.
    head: usize,
}

impl Tunnel {
    fn open(directives: &str) -> Tunnel {
        Tunnel::open_with("", directives)
    }

    fn open_with(main: &str, directives: &str) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let conf = Conf::live("")
            .main(main)
            .http(
                "log_format t '$status $body_bytes_sent up $upstream_bytes_sent, $request_completion.';
                 access_log logs/access.log t;",
            )
            .http_server(&format!(
                "location / {{ proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; {directives} }}"
            ));
        let server = Server::start(&conf);
        let mut client = Connection::open(server.http);
        client.send(ASKS);
        let (mut backend, _) = listener.accept().unwrap();
        backend.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = read_head(&mut backend);
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        backend.write_all(AGREES).unwrap();
        let answer = read_head(&mut client.socket);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Tunnel { server, client, backend, head: head.len() }
    }

    /// Sends text through the tunnel, and another one back.
    fn talk(&mut self) {
        self.client.send(b"ping");
        let mut bytes = [0; 4];
        self.backend.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"ping");
        self.backend.write_all(b"answer").unwrap();
        let mut bytes = [0; 6];
        self.client.socket.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"answer");
    }

    /// The line of the access log, once there is one.
    fn line(&self) -> String {
        until("a line in the access log", || {
            let log = self.server.prefix().read("logs/access.log");
            log.ends_with('\n').then(|| log.trim_end().to_owned())
        })
    }

    /// Waits for the line of the error log about the end, and checks its level.
    fn ends(&self, level: &str, text: &str) {
        let text = format!("{text} while proxying upgraded connection, client: 127.0.0.1, ");
        self.server.wait_log(&text);
        let lines = self.server.log_lines(" while proxying upgraded connection");
        assert!(lines.len() == 1 && lines[0].contains(&format!(" [{level}] ")), "{lines:?}");
        assert!(lines[0].contains("upstream: \"http://127.0.0.1:"), "{lines:?}");
    }
}

/// Bytes up to the end of a head, and none behind it.
fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Sends much until the other side has taken it, or ends the connection; tells whether everything was taken.
fn flood(socket: &TcpStream) -> Receiver<bool> {
    let mut socket = socket.try_clone().unwrap();
    let (done, flooded) = channel();
    thread::spawn(move || {
        let piece = vec![b'z'; 64 * 1024];
        let all = (0..FLOOD / piece.len()).all(|_| socket.write_all(&piece).is_ok());
        let _ = done.send(all);
    });
    flooded
}

/// Closes with a reset.
fn reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_client_that_takes_nothing_is_left_after_send_timeout() {
    let tunnel = Tunnel::open("send_timeout 300ms; proxy_read_timeout 1h; proxy_send_timeout 1h;");
    let flooded = flood(&tunnel.backend);
    tunnel.ends("info", "client timed out (110: Connection timed out)");
    assert!(!flooded.recv_timeout(PATIENCE).unwrap());
    assert!(tunnel.line().ends_with(", ."), "{}", tunnel.line());
}

#[test]
fn a_backend_that_takes_nothing_is_left_after_proxy_send_timeout() {
    let mut tunnel = Tunnel::open("proxy_send_timeout 300ms; proxy_read_timeout 1h; send_timeout 1h;");
    let flooded = flood(&tunnel.client.socket);
    tunnel.ends("info", "upstream timed out (110: Connection timed out)");
    // What the client still sends is read, so that it gets what it was sent before.
    assert!(flooded.recv_timeout(PATIENCE).unwrap());
    assert!(tunnel.client.rest().is_empty());
    assert!(tunnel.line().ends_with(", OK."), "{}", tunnel.line());
}

#[test]
fn a_silent_backend_is_left_after_proxy_read_timeout() {
    let mut tunnel = Tunnel::open("proxy_read_timeout 300ms; proxy_send_timeout 1h; send_timeout 1h;");
    tunnel.ends("info", "upstream timed out (110: Connection timed out)");
    assert!(tunnel.client.rest().is_empty());
    assert!(tunnel.line().ends_with(", OK."), "{}", tunnel.line());
}

#[test]
fn the_backend_is_not_waited_for_while_the_client_takes_nothing() {
    let mut tunnel = Tunnel::open("proxy_read_timeout 3s; proxy_send_timeout 1h; send_timeout 1h;");
    let flooded = flood(&tunnel.backend);
    thread::sleep(Duration::from_secs(5));
    assert!(flooded.try_recv().is_err(), "the buffers have taken everything");
    let mut left = FLOOD;
    let mut bytes = vec![0; 1024 * 1024];
    while left > 0 {
        let count = tunnel.client.socket.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection has ended with {left} bytes left");
        left -= count;
    }
    assert!(flooded.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn what_a_backend_has_sent_before_its_end_arrives() {
    let mut tunnel = Tunnel::open("");
    let flooded = flood(&tunnel.backend);
    let Tunnel { client, backend, .. } = &mut tunnel;
    let shut = backend.try_clone().unwrap();
    let ends = thread::spawn(move || {
        assert!(flooded.recv_timeout(PATIENCE).unwrap());
        shut.shutdown(std::net::Shutdown::Write).unwrap();
    });
    assert_eq!(client.rest().len(), FLOOD);
    ends.join().unwrap();
    assert_eq!(tunnel.line(), format!("101 {FLOOD} up {}, OK.", tunnel.head));
}

#[test]
fn a_reset_is_logged() {
    let mut tunnel = Tunnel::open("");
    tunnel.talk();
    reset(&tunnel.backend);
    tunnel.backend = TcpStream::connect(("127.0.0.1", tunnel.server.http)).unwrap();
    tunnel.ends("error", "recv() failed (104: Connection reset by peer)");
    assert!(tunnel.line().ends_with(", OK."), "{}", tunnel.line());

    let mut tunnel = Tunnel::open("");
    tunnel.talk();
    reset(&tunnel.client.socket);
    tunnel.client = Connection::open(tunnel.server.http);
    tunnel.ends("info", "recv() failed (104: Connection reset by peer)");
    assert!(tunnel.line().ends_with(", OK."), "{}", tunnel.line());
}

#[test]
fn an_orderly_end_is_not_logged() {
    let mut tunnel = Tunnel::open("");
    tunnel.talk();
    tunnel.backend.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(tunnel.client.rest().is_empty());
    assert_eq!(tunnel.line(), format!("101 6 up {}, OK.", tunnel.head + 4));
    assert_eq!(tunnel.server.log_lines(" while proxying upgraded connection"), [""; 0]);
}

#[test]
fn the_end_of_the_server_leaves_the_figures() {
    for (main, signal) in [("worker_shutdown_timeout 1s;", Signal::SIGQUIT), ("", Signal::SIGTERM)] {
        let mut tunnel = Tunnel::open_with(main, "");
        tunnel.talk();
        tunnel.server.signal(signal);
        assert!(tunnel.client.rest().is_empty());
        assert!(tunnel.server.wait_exit().success());
        assert_eq!(tunnel.line(), format!("101 6 up {}, .", tunnel.head + 4), "{signal}");
    }
}
