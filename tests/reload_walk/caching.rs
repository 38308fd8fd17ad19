//! Cached responses.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::http::{self, Connection};
use crate::support::wait::until_true;
use crate::walk::{Case, Place, Walk, walk_with};

/// How the responses to requests were found. `before` is the first part of their paths.
fn found(walk: &Walk<'_>, before: &str, asks: &[&str]) -> String {
    let all = asks.iter().map(|ask| {
        let (line, header) = ask.split_once('|').unwrap_or((ask, ""));
        let (method, target) = line.split_once(' ').unwrap();
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let response = http::request(walk.own_web, method, &format!("{before}{target}"), &header);
        response.header("x-cache").unwrap_or("-").to_owned()
    });
    all.collect::<Vec<_>>().join(" ")
}

/// A row of a location that caches, and how the responses to requests are found before and after.
macro_rules! cached {
    ($row:literal, $before:literal, $after:literal, $asks:expr, $old:literal, $new:literal) => {
        with_backend!(
            $row,
            concat!("proxy_cache {app}; ", $before),
            concat!("proxy_cache {app}; ", $after),
            "add_header X-Accel-Expires $arg_x always; add_header ETag '\"x\"'; if ($arg_f) { return 500; } if ($http_if_none_match) { return 304; } return 200 text;",
            |walk| {
                assert_eq!(found(walk, "/old", &$asks), $old);
                Box::new(move || assert_eq!(found(walk, "/new", &$asks), $new))
            }
        )
    };
}

/// A row of a location that forwards to a server of its own.
macro_rules! with_backend {
    ($row:literal, $before:expr, $after:expr, $backend:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!("proxy_cache_path {dir}/cache_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { add_header X-Cache $upstream_cache_status always; proxy_pass http://127.0.0.1:{port}; ", $before, " } } server { listen 127.0.0.1:{port}; ", $backend, " }"),
            after: concat!("proxy_cache_path {dir}/cache_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { add_header X-Cache $upstream_cache_status always; proxy_pass http://127.0.0.1:{port}; ", $after, " } } server { listen 127.0.0.1:{port}; ", $backend, " }"),
            look: $look,
        }
    };
}

/// A row of `proxy_cache_lock`, whose backend is the test.
macro_rules! locked {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!("proxy_cache_path {dir}/cache_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { proxy_cache {app}; proxy_cache_valid 1m; proxy_pass http://127.0.0.3:{port}; ", $before, " } }"),
            after: concat!("proxy_cache_path {dir}/cache_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { proxy_cache {app}; proxy_cache_valid 1m; proxy_pass http://127.0.0.3:{port}; ", $after, " } }"),
            look: $look,
        }
    };
}

/// Sends a request without waiting for its response.
fn begin(walk: &Walk<'_>, target: &str) -> Connection {
    let mut connection = Connection::open(walk.own_web);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    connection
}

/// Takes a request of the server, and answers it when it is dropped.
struct Held(std::net::TcpStream);

impl Held {
    fn take(listener: &TcpListener) -> Held {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        Held(stream)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext");
    }
}

pub const CASES: &[Case] = &[
    with_backend!(
        "proxy/proxy_cache",
        "proxy_cache_valid 1m; proxy_cache off;",
        "proxy_cache_valid 1m; proxy_cache {app};",
        "return 200 text;",
        |walk| {
            assert_eq!(found(walk, "/old", &["GET /", "GET /"]), "- -");
            Box::new(move || assert_eq!(found(walk, "/new", &["GET /", "GET /"]), "MISS HIT"))
        }
    ),
    Case {
        row: "proxy/proxy_cache_path",
        place: Place::Http,
        before: "proxy_cache_path {dir}/old_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { proxy_cache {app}; proxy_cache_valid 1m; proxy_pass http://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port}; return 200 text; }",
        after: "proxy_cache_path {dir}/new_{app} keys_zone={app}:1m; server { listen 127.0.0.1:{web}; location / { proxy_cache {app}; proxy_cache_valid 1m; proxy_pass http://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port}; return 200 text; }",
        look: |walk| {
            let files = |kind: &str| {
                let path = walk.server.prefix().path().join(format!("{kind}_{}", walk.own_app));
                std::fs::read_dir(path).map_or(0, Iterator::count)
            };
            http::get(walk.own_web, "/a");
            assert_eq!((files("old"), files("new")), (1, 0));
            Box::new(move || {
                http::get(walk.own_web, "/a");
                assert_eq!((files("old"), files("new")), (1, 1));
            })
        },
    },
    cached!(
        "proxy/proxy_cache_key",
        "proxy_cache_valid 1m; proxy_cache_key $uri;",
        "proxy_cache_valid 1m; proxy_cache_key $uri$args;",
        ["GET /?1", "GET /?2"],
        "MISS HIT",
        "MISS MISS"
    ),
    cached!(
        "proxy/proxy_cache_valid",
        "proxy_cache_valid 404 1m;",
        "proxy_cache_valid 1m;",
        ["GET /", "GET /"],
        "MISS MISS",
        "MISS HIT"
    ),
    cached!(
        "proxy/proxy_cache_methods",
        "proxy_cache_valid 1m; proxy_cache_methods GET;",
        "proxy_cache_valid 1m; proxy_cache_methods POST;",
        ["POST /", "POST /"],
        "- -",
        "MISS HIT"
    ),
    cached!(
        "proxy/proxy_cache_min_uses",
        "proxy_cache_valid 1m; proxy_cache_min_uses 3;",
        "proxy_cache_valid 1m; proxy_cache_min_uses 1;",
        ["GET /", "GET /"],
        "MISS MISS",
        "MISS HIT"
    ),
    cached!(
        "proxy/proxy_cache_bypass",
        "proxy_cache_valid 1m; proxy_cache_bypass $arg_none;",
        "proxy_cache_valid 1m; proxy_cache_bypass $arg_b;",
        ["GET /?b=1", "GET /?b=1"],
        "MISS HIT",
        "BYPASS BYPASS"
    ),
    cached!(
        "proxy/proxy_no_cache",
        "proxy_cache_valid 1m; proxy_no_cache $arg_none;",
        "proxy_cache_valid 1m; proxy_no_cache $arg_b;",
        ["GET /?b=1", "GET /?b=1"],
        "MISS HIT",
        "MISS MISS"
    ),
    cached!(
        "proxy/proxy_cache_use_stale",
        "proxy_cache_key $uri; proxy_cache_use_stale off;",
        "proxy_cache_key $uri; proxy_cache_use_stale http_500;",
        ["GET /?x=@1", "GET /?f=1"],
        "MISS EXPIRED",
        "MISS STALE"
    ),
    cached!(
        "proxy/proxy_cache_background_update",
        "proxy_cache_use_stale updating; proxy_cache_background_update off;",
        "proxy_cache_use_stale updating; proxy_cache_background_update on;",
        ["GET /?x=@1", "GET /?x=@1"],
        "MISS EXPIRED",
        "MISS STALE"
    ),
    cached!(
        "proxy/proxy_cache_revalidate",
        "proxy_cache_revalidate off;",
        "proxy_cache_revalidate on;",
        ["GET /?x=@1", "GET /?x=@1"],
        "MISS EXPIRED",
        "MISS REVALIDATED"
    ),
    cached!(
        "proxy/proxy_cache_max_range_offset",
        "proxy_cache_valid 1m; proxy_cache_max_range_offset 100;",
        "proxy_cache_valid 1m; proxy_cache_max_range_offset 0;",
        ["GET /|Range: bytes=0-1", "GET /|Range: bytes=0-1"],
        "MISS HIT",
        "MISS MISS"
    ),
    cached!(
        "proxy/proxy_buffering",
        "proxy_cache_valid 1m; proxy_buffering off;",
        "proxy_cache_valid 1m; proxy_buffering on;",
        ["GET /", "GET /"],
        "MISS MISS",
        "MISS HIT"
    ),
    with_backend!(
        "proxy/proxy_cache_convert_head",
        "proxy_cache {app}; proxy_cache_convert_head off;",
        "proxy_cache {app}; proxy_cache_convert_head on;",
        "add_header X-Method $request_method; return 200 text;",
        |walk| {
            let method = |walk: &Walk<'_>| {
                let response = http::request(walk.own_web, "HEAD", "/", "");
                response.header("x-method").unwrap_or_default().to_owned()
            };
            assert_eq!(method(walk), "HEAD");
            Box::new(move || assert_eq!(method(walk), "GET"))
        }
    ),
    locked!(
        "proxy/proxy_cache_lock",
        "proxy_cache_lock off; proxy_cache_lock_timeout 50ms;",
        "proxy_cache_lock on; proxy_cache_lock_timeout 50ms;",
        |walk| {
            let listener = TcpListener::bind(("127.0.0.3", walk.own_port)).unwrap();
            let waits = move |walk: &Walk<'_>, target: &str| {
                let lines = || {
                    walk.server
                        .log_lines("cache lock timeout")
                        .iter()
                        .filter(|line| line.contains(target))
                        .count()
                };
                let first = begin(walk, target);
                let held = Held::take(&listener);
                let second = begin(walk, target);
                let both = (held, Held::take(&listener));
                drop((both, first, second));
                lines()
            };
            let target = format!("/{}", walk.own_app);
            assert_eq!(waits(walk, &format!("{target}/old")), 0);
            Box::new(move || assert_eq!(waits(walk, &format!("{target}/new")), 1))
        }
    ),
    locked!(
        "proxy/proxy_cache_lock_timeout",
        "proxy_cache_lock on; proxy_cache_lock_timeout 60s;",
        "proxy_cache_lock on; proxy_cache_lock_timeout 50ms;",
        |walk| {
            let listener = TcpListener::bind(("127.0.0.3", walk.own_port)).unwrap();
            Box::new(move || {
                let first = begin(walk, "/timeout");
                let held = Held::take(&listener);
                let second = begin(walk, "/timeout");
                let lines = || walk.server.log_lines("cache lock timeout");
                until_true("the wait ends", || lines().iter().any(|line| line.contains("/timeout")));
                let both = (held, Held::take(&listener));
                drop((both, first, second));
            })
        }
    ),
    locked!(
        "proxy/proxy_cache_lock_age",
        "proxy_cache_lock on; proxy_cache_lock_timeout 600s; proxy_cache_lock_age 600s;",
        "proxy_cache_lock on; proxy_cache_lock_timeout 600s; proxy_cache_lock_age 50ms;",
        |walk| {
            let listener = TcpListener::bind(("127.0.0.3", walk.own_port)).unwrap();
            Box::new(move || {
                let first = begin(walk, "/age");
                let held = Held::take(&listener);
                let second = begin(walk, "/age");
                // Only because the lock is old.
                let both = (held, Held::take(&listener));
                drop((both, first, second));
            })
        }
    ),
];

#[test]
fn caching() {
    walk_with(CASES, |_| {});
}
