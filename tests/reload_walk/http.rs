//! HTTP: connections that are open already get the new values with their next request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::support::http::{self, Connection, Response};
use crate::support::raw::Raw;
use crate::support::sockets::nodelay;
use crate::support::wait::until_true;
use crate::support::{Player, Publisher, RtmpClient};
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A row of a location `/{app}` of files.
macro_rules! location {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::Locations,
            before: concat!("location /{app} { alias {dir}/html; ", $before, " }"),
            after: concat!("location /{app} { alias {dir}/html; ", $after, " }"),
            look: $look,
        }
    };
}

pub(crate) use location;

pub const CASES: &[Case] = &[
    Case {
        row: "http/tcp_nodelay",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web}; tcp_nodelay on; return 200 x;",
        after: "listen 127.0.0.1:{web}; tcp_nodelay off; return 200 x;",
        look: |walk| {
            let mut stream = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
            let remote = stream.local_addr().unwrap().port();
            let seen = move |stream: &mut TcpStream| {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
                let mut got = Vec::new();
                while !got.ends_with(b"\r\n\r\nx") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    got.push(byte[0]);
                }
                nodelay(walk.server.pid(), walk.web, remote)
            };
            assert_eq!(seen(&mut stream), Some(true));
            Box::new(move || assert_eq!(seen(&mut stream), Some(false)))
        },
    },
    Case {
        row: "multi listen/multi_listen",
        place: Place::Events,
        before: "multi_listen unix:{dir}/old {http_port};",
        after: "multi_listen unix:{dir}/new {http_port};",
        look: |walk| {
            let path = |name: &str| walk.server.prefix().path().join(name);
            let answers = move |name: &str| {
                let mut socket = UnixStream::connect(path(name)).ok()?;
                socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                let mut got = String::new();
                socket.read_to_string(&mut got).unwrap();
                got.starts_with("HTTP/1.1 ").then_some(())
            };
            assert!(answers("old.0").and(answers("old.1")).is_some());
            assert!(answers("old.2").or(answers("new.0")).is_none());
            let mut kept = UnixStream::connect(path("old.1")).unwrap();
            kept.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            kept.read_exact(&mut [0; 9]).unwrap();
            Box::new(move || {
                assert!(answers("new.0").and(answers("new.1")).is_some());
                assert!(answers("old.0").or(answers("old.1")).is_none());
                assert!(!path("old.0").exists());
                // An open connection still gets an answer.
                kept.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                let mut rest = String::new();
                kept.read_to_string(&mut rest).unwrap();
                assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{rest}");
            })
        },
    },
    Case {
        row: "http server/listen",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web}; return 200 old;",
        after: "listen 127.0.0.1:{port}; return 200 old;",
        look: |walk| {
            let mut connection = asked(walk, "/");
            Box::new(move || {
                assert_eq!(http::get(walk.own_port, "/").text(), "old");
                until_true("nobody listens", || TcpStream::connect(("127.0.0.1", walk.web)).is_err());
                // An open connection is closed, and its client asks again on another one.
                connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                assert!(connection.rest().is_empty());
            })
        },
    },
    Case {
        row: "http server/server_name",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web}; return 200 default; } server { listen 127.0.0.1:{web}; server_name old.test; return 200 named;",
        after: "listen 127.0.0.1:{web}; return 200 default; } server { listen 127.0.0.1:{web}; server_name new.test; return 200 named;",
        look: |walk| {
            let named = |host: &str| http::get_with(walk.web, "/", &format!("Host: {host}\r\n")).text();
            assert_eq!((named("old.test"), named("new.test")), ("named".into(), "default".into()));
            let named = move |host: &str| http::get_with(walk.web, "/", &format!("Host: {host}\r\n")).text();
            Box::new(move || {
                assert_eq!((named("old.test"), named("new.test")), ("default".into(), "named".into()));
            })
        },
    },
    Case {
        row: "http server/client_header_timeout",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web}; client_header_timeout 60s; return 200 old;",
        after: "listen 127.0.0.1:{web}; client_header_timeout 100ms; return 200 old;",
        look: |walk| {
            let slow = |walk: &Walk<'_>| {
                let mut raw = Raw::open(walk.web);
                raw.send(b"GET / HTTP/1.1\r\n");
                raw
            };
            let mut old = slow(walk);
            // Its server has read the beginning: the next connection is answered after it.
            http::get(walk.web, "/");
            Box::new(move || {
                slow(walk).wait_closed();
                old.send(b"Host: h\r\nConnection: close\r\n\r\n");
                let mut answer = String::new();
                old.0.read_to_string(&mut answer).unwrap();
                assert!(answer.ends_with("old"), "{answer}");
            })
        },
    },
    Case {
        row: "http/root",
        place: Place::Locations,
        before: "location /{app} { root {dir}/one; }",
        after: "location /{app} { root {dir}/two; }",
        look: |walk| {
            for name in ["one", "two"] {
                walk.server.prefix().write(&format!("{name}/{}/f.txt", walk.own_app), name);
            }
            changes(walk, "f.txt", |response| response.text() == "one", |response| response.text() == "two")
        },
    },
    Case {
        row: "http/alias",
        place: Place::Locations,
        before: "location /{app} { alias {dir}/html; }",
        after: "location /{app} { alias {dir}/html/other; }",
        look: |walk| {
            walk.server.prefix().write("html/g.txt", "outer");
            walk.server.prefix().write("html/other/g.txt", "inner");
            changes(
                walk,
                "g.txt",
                |response| response.text() == "outer",
                |response| response.text() == "inner",
            )
        },
    },
    location!("http/types", "types { a/old txt; }", "types { a/new txt; }", |walk| {
        has_header(walk, "f.txt", "content-type", Some("a/old"), Some("a/new"))
    }),
    location!("http/default_type", "default_type a/old;", "default_type a/new;", |walk| {
        has_header(walk, "f", "content-type", Some("a/old"), Some("a/new"))
    }),
    Case {
        row: "rewrite/return",
        place: Place::Locations,
        before: "location /{app} { return 200 old; }",
        after: "location /{app} { return 200 new; }",
        look: |walk| {
            changes(walk, "", |response| response.text() == "old", |response| response.text() == "new")
        },
    },
    Case {
        row: "rewrite/set",
        place: Place::Locations,
        before: "location /{app} { set $walked old; return 200 $walked; }",
        after: "location /{app} { set $walked new; return 200 $walked; }",
        look: |walk| {
            changes(walk, "", |response| response.text() == "old", |response| response.text() == "new")
        },
    },
    Case {
        row: "referer/valid_referers",
        place: Place::Locations,
        before: "location /{app} { valid_referers localhost; return 200 i$invalid_referer; }",
        after: "location /{app} { valid_referers none localhost; return 200 i$invalid_referer; }",
        look: |walk| changes(walk, "", |response| response.text() == "i1", |response| response.text() == "i"),
    },
    Case {
        row: "rewrite/break",
        place: Place::Locations,
        before: "location /{app} { alias {dir}/html; break; return 404; }",
        after: "location /{app} { alias {dir}/html; return 404; }",
        look: |walk| {
            changes(walk, "f.txt", |response| response.status() == 200, |response| response.status() == 404)
        },
    },
    Case {
        row: "http static/empty_gif",
        place: Place::Locations,
        before: "location /{app} { alias {dir}/html; }",
        after: "location /{app} { empty_gif; }",
        look: |walk| has_header(walk, "f.txt", "content-type", Some("text/plain"), Some("image/gif")),
    },
    location!("http/add_header", "add_header x-a old;", "add_header x-a new;", |walk| {
        has_header(walk, "f.txt", "x-a", Some("old"), Some("new"))
    }),
    location!(
        "http/add_header_inherit",
        "add_header x-a outer; location /{app}/in/ { alias {dir}/html/; add_header x-b b; }",
        "add_header x-a outer; location /{app}/in/ { alias {dir}/html/; add_header x-b b; add_header_inherit merge; }",
        |walk| has_header(walk, "in/f.txt", "x-a", None, Some("outer"))
    ),
    location!("headers/expires", "expires 1h;", "expires 2h;", |walk| {
        has_header(walk, "f.txt", "cache-control", Some("max-age=3600"), Some("max-age=7200"))
    }),
    Case {
        row: "http/chunked_transfer_encoding",
        place: Place::Locations,
        before: "location /{app} { flv_live {rtmp_port} app=live; chunked_transfer_encoding on; }",
        after: "location /{app} { flv_live {rtmp_port} app=live; chunked_transfer_encoding off; }",
        look: |walk| {
            let feed = Publisher::start(walk.server.rtmp, &walk.own_app).keep_sending();
            let target = format!("/{0}/{0}", walk.own_app);
            let player = Player::http(walk.web, &target);
            player.wait_key();
            // Opened before, asks afterwards.
            let waiting = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
            Box::new(move || {
                let newcomer =
                    Player::http_over(waiting, &format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
                newcomer.wait_key();
                let is_chunked = |player: &Player| {
                    let got = player.got();
                    got.head.as_ref().is_some_and(|head| head.header("transfer-encoding") == Some("chunked"))
                };
                assert!(is_chunked(&player) && !is_chunked(&newcomer));
                player.wait_frame(feed.next());
                feed.stop().leave();
            })
        },
    },
    location!("http/keepalive_timeout", "keepalive_timeout 75s;", "keepalive_timeout 100ms;", |walk| {
        let (mut connection, mut idle) = (asked(walk, "f.txt"), asked(walk, "f.txt"));
        Box::new(move || {
            ask(walk, &mut connection, "f.txt");
            connection.rest();
            // A connection without a request is not affected.
            ask(walk, &mut idle, "f.txt");
        })
    }),
    location!("http/keepalive_requests", "keepalive_requests 100;", "keepalive_requests 2;", |walk| {
        has_header(walk, "f.txt", "connection", Some("keep-alive"), Some("close"))
    }),
    location!("http/server_tokens", "server_tokens off;", "server_tokens on;", |walk| {
        changes(
            walk,
            "f.txt",
            |response| response.header("server") == Some("pingosd"),
            |response| response.header("server").is_some_and(|server| server.starts_with("pingosd/")),
        )
    }),
    location!("http/etag", "etag off;", "etag on;", |walk| {
        changes(
            walk,
            "f.txt",
            |response| response.header("etag").is_none(),
            |response| response.header("etag").is_some(),
        )
    }),
    location!("http/client_max_body_size", "client_max_body_size 1m;", "client_max_body_size 10;", |walk| {
        let mut connection = asked(walk, "f.txt");
        let request = format!(
            "GET /{}/f.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n{}",
            walk.own_app,
            "a".repeat(20)
        );
        connection.send(request.as_bytes());
        assert_ne!(connection.response(false).status(), 413);
        let mut connection = asked(walk, "f.txt");
        Box::new(move || {
            connection.send(request.as_bytes());
            assert_eq!(connection.response(false).status(), 413);
        })
    }),
    location!("http/internal", "", "internal;", |walk| {
        changes(walk, "f.txt", |response| response.status() == 200, |response| response.status() == 404)
    }),
    location!("http/allow", "allow all;", "deny all;", |walk| {
        changes(walk, "f.txt", |response| response.status() == 200, |response| response.status() == 403)
    }),
    location!("http/send_timeout", "send_timeout 60s;", "send_timeout 200ms;", |walk| {
        let (mut connection, size) = (asked(walk, "f.txt"), 40_000_000);
        walk.server.prefix().write("html/large", vec![0; size]);
        Box::new(move || {
            connection.send(format!("GET /{}/large HTTP/1.1\r\nHost: h\r\n\r\n", walk.own_app).as_bytes());
            let given_up = || walk.server.log_lines("while sending response to client").len();
            let before = given_up();
            // Nothing is read until the server has given up.
            until_true("the server has given up", || given_up() > before);
            assert!(connection.rest().len() < size);
        })
    }),
    Case {
        row: "http/http_early_head",
        place: Place::Locations,
        before: "location /{app} { flv_live {rtmp_port} app=live; http_early_head off; }",
        after: "location /{app} { flv_live {rtmp_port} app=live; http_early_head on; }",
        look: |walk| {
            let target = format!("/{}/nobody", walk.own_app);
            let ask = move || {
                let mut connection = Connection::open(walk.web);
                connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
                connection
            };
            let old = ask();
            Box::new(move || {
                assert_eq!(ask().head().status, 200);
                old.socket.set_nonblocking(true).unwrap();
                assert!(old.socket.peek(&mut [0]).is_err(), "nothing has come");
            })
        },
    },
    Case {
        row: "flv/flv_live",
        place: Place::Locations,
        before: "location /{app} { flv_live {rtmp_port} app=live; }",
        after: "location /{app} { flv_live {rtmp_port} app=live audio=0; }",
        look: |walk| {
            let feed = Publisher::start(walk.server.rtmp, &walk.own_app).keep_sending();
            let target = format!("/{0}/{0}", walk.own_app);
            let player = Player::http(walk.web, &target);
            player.wait_key();
            Box::new(move || {
                let newcomer = Player::http(walk.web, &target);
                newcomer.wait_key();
                // The flags of the file header: audio 4, video 1.
                assert_eq!((player.got().file_header[4], newcomer.got().file_header[4]), (5, 1));
                player.wait_frame(feed.next());
                feed.stop().leave();
            })
        },
    },
    Case {
        row: "stat/rtmp_stat",
        place: Place::Locations,
        before: "location /{app} { rtmp_stat global; }",
        after: "location /{app} { rtmp_stat all; }",
        look: |walk| {
            let publisher = Publisher::start(walk.server.rtmp, &walk.own_app);
            let name = format!("<name>{}</name>", walk.own_app);
            let same = name.clone();
            let after = changes(
                walk,
                "",
                move |response| !response.text().contains(&name),
                move |response| response.text().contains(&same),
            );
            Box::new(move || {
                after();
                drop(publisher);
            })
        },
    },
    Case {
        row: "stat/rtmp_stat_format",
        place: Place::Locations,
        before: "location /{app} { rtmp_stat all; }",
        after: "location /{app} { rtmp_stat all; rtmp_stat_format json; }",
        look: |walk| {
            changes(
                walk,
                "",
                |response| response.text().starts_with("<?xml"),
                |response| response.text().starts_with("{\"rtmp\":"),
            )
        },
    },
    Case {
        row: "stat/sys_stat",
        place: Place::Locations,
        before: "location /{app} { return 200 none; }",
        after: "location /{app} { sys_stat; }",
        look: |walk| {
            changes(
                walk,
                "",
                |response| response.text() == "none",
                |response| response.text().contains("\"live_stream\":{"),
            )
        },
    },
    Case {
        row: "console/rtmp_console",
        place: Place::Locations,
        before: "location /{app} { return 200 none; }",
        after: "location /{app} { rtmp_console; }",
        look: |walk| {
            changes(
                walk,
                "",
                |response| response.text() == "none",
                |response| response.text().to_ascii_lowercase().starts_with("<!doctype html>"),
            )
        },
    },
    Case {
        row: "metrics/rtmp_metrics",
        place: Place::Locations,
        before: "location /{app} { rtmp_metrics; }",
        after: "location /{app} { rtmp_metrics top=1000; }",
        look: |walk| {
            let publisher = Publisher::start(walk.server.rtmp, &walk.own_app);
            let label = format!("stream=\"{}\"", walk.own_app);
            let same = label.clone();
            let after = changes(
                walk,
                "",
                move |response| {
                    response.text().contains("pingosd_streams ") && !response.text().contains(&label)
                },
                move |response| response.text().contains(&same),
            );
            Box::new(move || {
                after();
                drop(publisher);
            })
        },
    },
    Case {
        row: "stat/rtmp_stat_stylesheet",
        place: Place::Locations,
        before: "location /{app} { rtmp_stat all; rtmp_stat_stylesheet one.xsl; }",
        after: "location /{app} { rtmp_stat all; rtmp_stat_stylesheet two.xsl; }",
        look: |walk| {
            changes(
                walk,
                "",
                |response| response.text().contains("one.xsl"),
                |response| response.text().contains("two.xsl"),
            )
        },
    },
    Case {
        row: "control/rtmp_control",
        place: Place::Locations,
        before: "location /{app} { rtmp_control record; }",
        after: "location /{app} { rtmp_control drop; }",
        look: |walk| {
            let player = Player::rtmp(RtmpClient::play(walk.server.rtmp, "live", &walk.own_app));
            player.wait("play was accepted", |got| got.started.then_some(()));
            let target = format!("/{0}/drop/subscriber?srv=default&app=live&name={0}", walk.own_app);
            assert_ne!(http::get(walk.web, &target).status(), 200);
            Box::new(move || {
                assert_eq!(http::get(walk.web, &target).status(), 200);
                player.wait_end();
            })
        },
    },
];

/// Asks for a file of the case's location.
pub fn ask(walk: &Walk<'_>, connection: &mut Connection, file: &str) -> Response {
    ask_with(walk, connection, file, "")
}

/// As [`ask`], with headers.
pub fn ask_with(walk: &Walk<'_>, connection: &mut Connection, file: &str, headers: &str) -> Response {
    let target = match file {
        "/" => "/".to_owned(),
        file => format!("/{}/{file}", walk.own_app),
    };
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes());
    connection.response(false)
}

/// A connection that has been used.
fn asked(walk: &Walk<'_>, file: &str) -> Connection {
    let mut connection = Connection::open(walk.web);
    ask(walk, &mut connection, file);
    connection
}

/// The same connection gets another answer.
pub fn changes<'w>(
    walk: &'w Walk<'w>,
    file: &'static str,
    is_old: impl Fn(&Response) -> bool,
    is_new: impl Fn(&Response) -> bool + 'w,
) -> After<'w> {
    changes_with(walk, file, "", is_old, is_new)
}

/// As [`changes`], with headers of the requests.
pub fn changes_with<'w>(
    walk: &'w Walk<'w>,
    file: &'static str,
    headers: &'static str,
    is_old: impl Fn(&Response) -> bool,
    is_new: impl Fn(&Response) -> bool + 'w,
) -> After<'w> {
    let mut connection = Connection::open(walk.web);
    let response = ask_with(walk, &mut connection, file, headers);
    assert!(is_old(&response), "{response:?}");
    Box::new(move || {
        let response = ask_with(walk, &mut connection, file, headers);
        assert!(is_new(&response), "{response:?}");
    })
}

pub fn has_header<'w>(
    walk: &'w Walk<'w>,
    file: &'static str,
    name: &'static str,
    old: Option<&'static str>,
    new: Option<&'static str>,
) -> After<'w> {
    changes(
        walk,
        file,
        move |response| response.header(name) == old,
        move |response| response.header(name) == new,
    )
}

#[test]
fn http() {
    walk_with(CASES, |prefix| {
        for name in ["f", "f.txt"] {
            prefix.write(&format!("html/{name}"), "text");
        }
    });
}
