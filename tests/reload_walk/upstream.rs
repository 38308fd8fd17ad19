//! Groups of servers.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::thread;
use std::time::Duration;

use crate::support::Records;
use crate::support::http::{self, Connection};
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A row of a group, to which a server of its own forwards, and which has that server's second port.
macro_rules! grouped {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!("upstream {app} { ", $before, " } server { listen 127.0.0.1:{web}; location / { proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://{app}; add_header X-Addr $upstream_addr; } } server { listen 127.0.0.1:{port}; listen 127.0.0.2:{port}; return 200 \"$server_addr $connection_requests\"; }"),
            after: concat!("upstream {app} { ", $after, " } server { listen 127.0.0.1:{web}; location / { proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://{app}; add_header X-Addr $upstream_addr; } } server { listen 127.0.0.1:{port}; listen 127.0.0.2:{port}; return 200 \"$server_addr $connection_requests\"; }"),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    grouped!(
        "upstream/server",
        "server 127.0.0.1:{port};",
        "server 127.0.0.2:{port};",
        |walk| group_answers(walk, &["127.0.0.1 1"], &["127.0.0.2 1"])
    ),
    grouped!(
        "upstream/hash",
        "server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        "hash fixed; server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        becomes_fixed
    ),
    grouped!(
        "upstream/ip_hash",
        "server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        "ip_hash; server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        becomes_fixed
    ),
    Case {
        row: "upstream/least_time",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.1:{port}; server 127.0.0.2:{port}; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.2:{port}; return 200 x; }",
        after: "upstream {app} { least_time last_byte; server 127.0.0.1:{port}; server 127.0.0.2:{port}; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.2:{port}; return 200 x; }",
        look: |walk| {
            let slow = TcpListener::bind(("127.0.0.1", walk.own_port)).unwrap();
            thread::spawn(move || {
                for mut stream in slow.incoming().flatten() {
                    let _ = stream.read(&mut [0; 4096]);
                    thread::sleep(Duration::from_millis(200));
                    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nslow");
                }
            });
            let slow =
                |walk: &Walk<'_>| (0..6).filter(|_| http::get(walk.own_web, "/").text() == "slow").count();
            assert_eq!(slow(walk), 3);
            // One at most, until it is known to be slow.
            Box::new(move || assert!(slow(walk) < 2))
        },
    },
    Case {
        row: "upstream/resolver",
        place: Place::Http,
        before: "upstream {app} { resolver 127.0.0.1:1 ipv6=off; resolver_timeout 100ms; server app.test:{port} resolve; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "upstream {app} { resolver {dns} ipv6=off; resolver_timeout 60s; server app.test:{port} resolve; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: |walk| {
            walk.dns.set("app.test", Records::Addresses(vec![IpAddr::from([127, 0, 0, 1])], 3600));
            let status = |walk: &Walk<'_>| http::get(walk.own_web, "/").status();
            assert_eq!(status(walk), 502);
            Box::new(move || assert_eq!(status(walk), 200))
        },
    },
    Case {
        row: "upstream/resolver_timeout",
        place: Place::Http,
        before: "upstream {app} { resolver {dns} ipv6=off; resolver_timeout 50ms; server late.test:{port} resolve; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "upstream {app} { resolver {dns} ipv6=off; resolver_timeout 60s; server late.test:{port} resolve; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: |walk| {
            walk.dns.set("late.test", Records::Withheld(vec![IpAddr::from([127, 0, 0, 1])], 3600));
            let status = |walk: &Walk<'_>| http::get(walk.own_web, "/").status();
            assert_eq!(status(walk), 502);
            Box::new(move || {
                thread::scope(|scope| {
                    let waits = scope.spawn(|| status(walk));
                    thread::sleep(Duration::from_millis(300));
                    walk.dns.release();
                    assert_eq!(waits.join().unwrap(), 200);
                });
            })
        },
    },
    grouped!(
        "upstream/random",
        "server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        "random; server 127.0.0.1:{port}; server 127.0.0.2:{port};",
        |walk| {
            let alternates = |walk: &Walk<'_>| {
                let all = addresses(walk, 40);
                all.windows(2).all(|pair| pair[0] != pair[1])
            };
            assert!(alternates(walk));
            Box::new(move || assert!(!alternates(walk)))
        }
    ),
    Case {
        row: "upstream/sticky",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.1:{port} route=a; server 127.0.0.2:{port} route=b; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 a; } server { listen 127.0.0.2:{port}; return 200 b; }",
        after: "upstream {app} { server 127.0.0.1:{port} route=a; server 127.0.0.2:{port} route=b; sticky route $arg_r; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 a; } server { listen 127.0.0.2:{port}; return 200 b; }",
        look: |walk| {
            let answers =
                |walk: &Walk<'_>| (0..4).map(|_| http::get(walk.own_web, "/?r=b").text()).collect::<String>();
            let before = answers(walk);
            assert!(before == "abab" || before == "baba", "{before}");
            Box::new(move || assert_eq!(answers(walk), "bbbb"))
        },
    },
    Case {
        row: "upstream/least_conn",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.1:{port}; server 127.0.0.2:{port}; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } }",
        after: "upstream {app} { least_conn; server 127.0.0.1:{port}; server 127.0.0.2:{port}; } server { listen 127.0.0.1:{web}; location / { proxy_pass http://{app}; } }",
        look: |walk| {
            // One of them does not answer.
            let silent = TcpListener::bind(("127.0.0.1", walk.own_port)).unwrap();
            let other = TcpListener::bind(("127.0.0.2", walk.own_port)).unwrap();
            thread::spawn(move || {
                for mut stream in other.incoming().flatten() {
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
                }
            });
            let begin = |walk: &Walk<'_>| {
                let mut connection = Connection::open(walk.own_web);
                connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                connection
            };
            let mut waiting: Vec<_> = (0..4).map(|_| begin(walk)).collect();
            let mut taken: Vec<_> = (0..2).map(|_| silent.accept().unwrap()).collect();
            silent.set_nonblocking(true).unwrap();
            Box::new(move || {
                let mut answered = 0;
                for _ in 0..7 {
                    let connection = begin(walk);
                    connection.socket.set_nonblocking(true).unwrap();
                    let mut is_answered = None;
                    until_true("an answer, or a request that waits", || {
                        if connection.socket.peek(&mut [0]).is_ok_and(|length| length > 0) {
                            is_answered = Some(true);
                        } else if let Ok(accepted) = silent.accept() {
                            taken.push(accepted);
                            is_answered = Some(false);
                        }
                        is_answered.is_some()
                    });
                    answered += usize::from(is_answered == Some(true));
                    // A request whose client leaves is no connection of its backend any more.
                    waiting.push(connection);
                }
                // A request may begin before the answered one before it has ended, and go to the silent backend once more.
                assert!(answered >= 5, "{answered}");
                drop((taken, waiting, silent));
            })
        },
    },
    grouped!(
        "upstream/keepalive",
        "server 127.0.0.1:{port};",
        "server 127.0.0.1:{port}; keepalive 1;",
        |walk| group_answers(walk, &["127.0.0.1 1", "127.0.0.1 1"], &["127.0.0.1 1", "127.0.0.1 2"])
    ),
    grouped!(
        "upstream/keepalive_requests",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_requests 1;",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_requests 9;",
        |walk| group_answers(walk, &["127.0.0.1 1", "127.0.0.1 1"], &["127.0.0.1 1", "127.0.0.1 2"])
    ),
    grouped!(
        "upstream/keepalive_timeout",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_timeout 1ms;",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_timeout 60s;",
        |walk| group_answers(walk, &["127.0.0.1 1", "127.0.0.1 1"], &["127.0.0.1 1", "127.0.0.1 2"])
    ),
    grouped!(
        "upstream/keepalive_time",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_time 0;",
        "server 127.0.0.1:{port}; keepalive 1; keepalive_time 1h;",
        |walk| group_answers(walk, &["127.0.0.1 1", "127.0.0.1 1"], &["127.0.0.1 1", "127.0.0.1 2"])
    ),
    Case {
        row: "proxy/proxy_next_upstream",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.1:1 max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_next_upstream off; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "upstream {app} { server 127.0.0.1:1 max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_next_upstream error; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: becomes_good,
    },
    Case {
        row: "proxy/proxy_next_upstream_tries",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.1:1 max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_next_upstream_tries 1; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "upstream {app} { server 127.0.0.1:1 max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_next_upstream_tries 2; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: becomes_good,
    },
    Case {
        row: "proxy/proxy_next_upstream_timeout",
        place: Place::Http,
        before: "upstream {app} { server 127.0.0.3:{port} max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_read_timeout 100ms; proxy_next_upstream_timeout 10ms; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "upstream {app} { server 127.0.0.3:{port} max_fails=0; server 127.0.0.1:{port} backup; } server { listen 127.0.0.1:{web}; location / { proxy_read_timeout 100ms; proxy_next_upstream_timeout 0; proxy_pass http://{app}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: |walk| {
            let silent = TcpListener::bind(("127.0.0.3", walk.own_port)).unwrap();
            assert_eq!(http::get(walk.own_web, "/").status(), 504);
            Box::new(move || {
                assert_eq!(http::get(walk.own_web, "/").status(), 200);
                drop(silent);
            })
        },
    },
];

/// Bodies of requests one after the other on a connection, with time in between.
fn bodies(walk: &Walk<'_>, count: usize) -> Vec<String> {
    let mut connection = Connection::open(walk.own_web);
    let each = (0..count).map(|_| {
        connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let text = connection.response(false).text();
        thread::sleep(Duration::from_millis(50));
        text
    });
    each.collect()
}

fn group_answers<'w>(
    walk: &'w Walk<'w>,
    old: &'static [&'static str],
    new: &'static [&'static str],
) -> After<'w> {
    assert_eq!(bodies(walk, old.len()), old);
    Box::new(move || assert_eq!(bodies(walk, new.len()), new))
}

/// Addresses of the servers that requests reach.
fn addresses(walk: &Walk<'_>, count: usize) -> Vec<String> {
    let mut connection = Connection::open(walk.own_web);
    let each = (0..count).map(|_| {
        connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        connection.response(false).text()
    });
    each.collect()
}

/// Requests go to both servers in turn, then to one of them.
fn becomes_fixed<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let all = addresses(walk, 4);
    assert_ne!(all[0], all[1]);
    Box::new(move || {
        let all = addresses(walk, 4);
        assert!(all.iter().all(|address| *address == all[0]), "{all:?}");
    })
}

fn becomes_good<'w>(walk: &'w Walk<'w>) -> After<'w> {
    assert_eq!(http::get(walk.own_web, "/").status(), 502);
    Box::new(move || assert_eq!(http::get(walk.own_web, "/").status(), 200))
}

#[test]
fn groups() {
    walk_with(CASES, |prefix| drop(prefix.write("html/f", "text")));
}
