//! Outgoing connections: what callbacks wait for, and how long their connections are kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::RtmpClient;
use crate::support::notify::Answer;
use crate::support::sockets::nodelay;
use crate::support::wait::until_true;
use crate::walk::{Around, Case, Place, Walk, walk_each};

/// Applications whose callback servers behave in different ways.
const SERVER: &str = "application silent { live on; on_publish {old}/silent timeout=60s; } \
                      application kept { live on; on_publish http://127.0.0.1:{kept}/; } \
                      application full { live on; on_publish http://127.0.0.1:{full}/ timeout=60s; } \
                      application stuck { live on; on_publish http://127.0.0.1:{stuck}/ args=$pargs timeout=60s; }";

/// Connections that the callback server of `kept` has accepted.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// Its port, and that of the client of the latest connection.
static KEPT: AtomicU16 = AtomicU16::new(0);
static LATEST: AtomicU16 = AtomicU16::new(0);

pub const CASES: &[Case] = &[
    Case {
        row: "client/keepalive",
        place: Place::Main,
        before: "keepalive 60s;",
        after: "keepalive 0;",
        look: |walk| {
            let opened = |walk: &Walk<'_>| {
                let before = CONNECTIONS.load(Ordering::SeqCst);
                for name in ["a", "b", "c"] {
                    RtmpClient::publish(walk.server.rtmp, "kept", name).wait_started();
                }
                CONNECTIONS.load(Ordering::SeqCst) - before
            };
            assert_eq!(opened(walk), 1);
            Box::new(move || assert_eq!(opened(walk), 3))
        },
    },
    Case {
        row: "client/tcp_nodelay",
        place: Place::Main,
        before: "tcp_nodelay on;",
        after: "tcp_nodelay off;",
        look: |walk| {
            // Of the connection that a callback has used.
            let seen = |walk: &Walk<'_>| {
                RtmpClient::publish(walk.server.rtmp, "kept", "a").wait_started();
                let local = LATEST.load(Ordering::SeqCst);
                let remote = KEPT.load(Ordering::SeqCst);
                nodelay(walk.server.pid(), local, remote)
            };
            assert_eq!(seen(walk), Some(true));
            Box::new(move || assert_eq!(seen(walk), Some(false)))
        },
    },
    Case {
        row: "client/connect_timeout",
        place: Place::Main,
        before: "connect_timeout 60s; header_timeout 60s;",
        after: "connect_timeout 100ms; header_timeout 60s;",
        look: |walk| fails_after(walk, "full", "s"),
    },
    Case {
        row: "client/send_timeout",
        place: Place::Main,
        before: "send_timeout 60s; header_timeout 60s;",
        after: "send_timeout 100ms; header_timeout 60s;",
        // More than the callback server's buffer takes.
        look: |walk| fails_after(walk, "stuck", &format!("s?x={}", "x".repeat(60_000))),
    },
    Case {
        row: "client/header_timeout",
        place: Place::Main,
        before: "header_timeout 60s;",
        after: "header_timeout 100ms;",
        look: |walk| {
            walk.old.answer("path=/silent", Answer::Silent);
            fails_after(walk, "silent", "s")
        },
    },
];

/// A callback fails only with the value after the reload.
fn fails_after<'w>(walk: &'w Walk<'w>, app: &'static str, name: &str) -> Box<dyn FnOnce() + 'w> {
    let name = name.to_owned();
    let publish = {
        let port = walk.server.rtmp;
        move || drop(RtmpClient::publish(port, app, &name).wait_end())
    };
    // It waits for the callback with the value before.
    thread::spawn(publish.clone());
    let failed = |walk: &Walk<'_>| {
        let lines = walk.server.log_lines("notify publish start: ");
        lines.iter().filter(|line| line.contains("no answer") || line.contains("timed out")).count()
    };
    assert_eq!(failed(walk), 0);
    Box::new(move || {
        assert_eq!(failed(walk), 0);
        publish();
        until_true("a failed callback", || failed(walk) == 1);
    })
}

/// Answers every request with 200 and counts connections.
fn keeping() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    KEPT.store(port, Ordering::SeqCst);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            CONNECTIONS.fetch_add(1, Ordering::SeqCst);
            LATEST.store(socket.peer_addr().map_or(0, |peer| peer.port()), Ordering::SeqCst);
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while socket.read(&mut byte).is_ok_and(|count| count > 0) {
                    head.extend_from_slice(&byte);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                    }
                }
            });
        }
    });
    port
}

/// A listening socket with these sizes of its queue and its receive buffer, and its port.
fn listening(queue: i32, buffer: Option<usize>) -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer).unwrap();
    }
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(queue).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

#[test]
fn outgoing_connections() {
    // Nothing is accepted: one connection fills the queue, further ones wait for it, and one of the other is never read.
    let (_full, full) = listening(0, None);
    let _queued = TcpStream::connect(("127.0.0.1", full)).unwrap();
    let (_stuck, stuck) = listening(16, Some(1));
    let ports = [("kept", keeping()), ("full", full), ("stuck", stuck)];
    let vars = ports.map(|(name, port)| (name, port.to_string()));
    walk_each(CASES, Around { server: SERVER, vars: &vars, ..Around::default() });
}
