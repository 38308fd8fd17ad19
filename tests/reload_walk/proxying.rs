//! Forwarding of requests: what is asked, answered and stored.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use crate::support::http::{self, Connection};
use crate::support::wait::until_true;
use crate::support::{DnsServer, Records};
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A row of a location that forwards to another one of the same server.
macro_rules! forwarded {
    ($row:literal, $before:literal, $after:literal, $backend:literal, $old:expr, $new:expr) => {
        forwarded!($row, $before, $after, $backend, "GET /", $old, $new)
    };
    ($row:literal, $before:literal, $after:literal, $backend:literal, $request:literal, $old:expr, $new:expr) => {
        own!(
            $row,
            concat!(
                "location / { proxy_pass http://127.0.0.1:{web}/b/; ",
                $before,
                " } location /b/ { ",
                $backend,
                " }"
            ),
            concat!(
                "location / { proxy_pass http://127.0.0.1:{web}/b/; ",
                $after,
                " } location /b/ { ",
                $backend,
                " }"
            ),
            |walk| answers(walk, $request, $old, $new)
        )
    };
}

/// A row of a server of its own.
macro_rules! own {
    ($row:literal, $before:expr, $after:expr, $look:expr) => {
        Case {
            row: $row,
            place: Place::HttpServer,
            before: concat!("listen 127.0.0.1:{web}; listen 127.0.0.1:{port}; ", $before),
            after: concat!("listen 127.0.0.1:{web}; listen 127.0.0.1:{port}; ", $after),
            look: $look,
        }
    };
}

/// A row of a location that forwards to the test itself.
macro_rules! forwarded_here {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::HttpServer,
            before: concat!("listen 127.0.0.1:{web}; proxy_pass_request_headers off; location / { proxy_pass http://127.0.0.1:{port}; ", $before, " }"),
            after: concat!("listen 127.0.0.1:{web}; proxy_pass_request_headers off; location / { proxy_pass http://127.0.0.1:{port}; ", $after, " }"),
            look: $look,
        }
    };
}

/// A row that stores responses in a file.
macro_rules! stored {
    ($row:literal, $before:literal, $after:literal, $is_new:expr) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!(
                "server { listen 127.0.0.1:{web}; location / { proxy_pass http://127.0.0.1:{port}; ",
                $before,
                " } } server { listen 127.0.0.1:{port}; return 200 text; }"
            ),
            after: concat!(
                "server { listen 127.0.0.1:{web}; location / { proxy_pass http://127.0.0.1:{port}; ",
                $after,
                " } } server { listen 127.0.0.1:{port}; return 200 text; }"
            ),
            look: |walk| {
                let is_new: fn(&std::path::Path) -> bool = $is_new;
                let path = walk.server.prefix().path().join("stored").join(&walk.own_app);
                assert_eq!(http::get(walk.own_web, "/").text(), "text");
                assert!(!is_new(&path), "{}", path.display());
                Box::new(move || {
                    assert_eq!(http::get(walk.own_web, "/").text(), "text");
                    until_true("the response is stored", || is_new(&path));
                })
            },
        }
    };
}

pub const CASES: &[Case] = &[
    own!(
        "proxy/proxy_pass",
        "location / { proxy_pass http://127.0.0.1:{web}/old; } location /old { return 200 old; } location /new { return 200 new; }",
        "location / { proxy_pass http://127.0.0.1:{web}/new; } location /old { return 200 old; } location /new { return 200 new; }",
        |walk| answers(walk, "GET /", "old", "new")
    ),
    forwarded!(
        "proxy/proxy_redirect",
        "proxy_redirect off;",
        "proxy_redirect http://a.test/ http://b.test/;",
        "return 302 http://a.test/x;",
        "http://a.test/x",
        "http://b.test/x"
    ),
    forwarded!(
        "proxy/proxy_cookie_domain",
        "proxy_cookie_domain off;",
        "proxy_cookie_domain a.test b.test;",
        "add_header Set-Cookie 'a=b; domain=a.test'; return 200 x;",
        "domain=a.test",
        "domain=b.test"
    ),
    forwarded!(
        "proxy/proxy_cookie_path",
        "proxy_cookie_path off;",
        "proxy_cookie_path /a /b;",
        "add_header Set-Cookie 'a=b; path=/a'; return 200 x;",
        "path=/a",
        "path=/b"
    ),
    forwarded!(
        "proxy/proxy_cookie_flags",
        "proxy_cookie_flags a nosecure;",
        "proxy_cookie_flags a samesite=lax;",
        "add_header Set-Cookie 'a=b; secure'; return 200 x;",
        "a=b",
        "SameSite=Lax"
    ),
    forwarded!(
        "proxy/proxy_request_buffering",
        "proxy_set_header X file$request_body_file.; client_body_in_file_only clean;",
        "proxy_request_buffering off; proxy_set_header X file$request_body_file.; client_body_in_file_only clean;",
        "return 200 $http_x;",
        "POST /",
        "file/",
        "file."
    ),
    forwarded!(
        "proxy/proxy_bind",
        "proxy_bind 127.0.0.8;",
        "proxy_bind 127.0.0.9;",
        "return 200 $remote_addr;",
        "127.0.0.8",
        "127.0.0.9"
    ),
    forwarded!(
        "proxy/proxy_buffer_size",
        "proxy_buffer_size 64;",
        "proxy_buffer_size 4k;",
        "return 200 long;",
        "502",
        "long"
    ),
    forwarded!(
        "proxy/proxy_force_ranges",
        "proxy_force_ranges off;",
        "proxy_force_ranges on;",
        "return 200 0123456789;",
        "GET / range",
        "0123456789",
        "bytes 1-2/10"
    ),
    forwarded!(
        "proxy/proxy_set_header",
        "proxy_set_header X old;",
        "proxy_set_header X new;",
        "return 200 $http_x;",
        "old",
        "new"
    ),
    forwarded!(
        "proxy/proxy_set_body",
        "proxy_set_body old;",
        "proxy_set_body newer;",
        "return 200 $http_content_length.;",
        "3.",
        "5."
    ),
    forwarded!(
        "proxy/proxy_method",
        "proxy_method PUT;",
        "proxy_method POST;",
        "return 200 $request_method;",
        "PUT",
        "POST"
    ),
    forwarded!(
        "proxy/proxy_pass_request_headers",
        "proxy_pass_request_headers on;",
        "proxy_pass_request_headers off;",
        "return 200 \"[$http_range]\";",
        "GET / range",
        "[bytes=1-2]",
        "[]"
    ),
    own!(
        "proxy/proxy_pass_request_body",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; proxy_set_header Content-Length 4; } location /b/ { client_body_timeout 100ms; proxy_set_header X $request_body; proxy_pass http://127.0.0.1:{web}/c/; } location /c/ { return 200 \"[$http_x]\"; }",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; proxy_pass_request_body off; proxy_set_header Content-Length 0; } location /b/ { client_body_timeout 100ms; proxy_set_header X $request_body; proxy_pass http://127.0.0.1:{web}/c/; } location /c/ { return 200 \"[$http_x]\"; }",
        |walk| answers(walk, "POST /", "[body]", "[]")
    ),
    forwarded!(
        "proxy/proxy_pass_header",
        "add_header Y z;",
        "proxy_pass_header X-Pad; add_header Y z;",
        "add_header X-Pad value; return 200 x;",
        "y: z",
        "x-pad: value"
    ),
    forwarded!(
        "proxy/proxy_hide_header",
        "proxy_hide_header Y;",
        "proxy_hide_header X;",
        "add_header X old; add_header Y new; return 200 x;",
        "x: old",
        "y: new"
    ),
    own!(
        "proxy/proxy_ignore_headers",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; } location /b/ { add_header X-Accel-Redirect /c; return 200 new; } location /c { return 200 old; }",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; proxy_ignore_headers X-Accel-Redirect; } location /b/ { add_header X-Accel-Redirect /c; return 200 new; } location /c { return 200 old; }",
        |walk| answers(walk, "GET /", "old", "new")
    ),
    own!(
        "proxy/proxy_intercept_errors",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; error_page 404 /c; } location /b/ { return 404 old; } location /c { return 200 new; }",
        "location / { proxy_pass http://127.0.0.1:{web}/b/; error_page 404 /c; proxy_intercept_errors on; } location /b/ { return 404 old; } location /c { return 200 new; }",
        |walk| answers(walk, "GET /", "old", "new")
    ),
    forwarded!(
        "proxy/proxy_http_version",
        "proxy_http_version 1.0;",
        "proxy_http_version 1.1;",
        "return 200 [$server_protocol];",
        "[HTTP/1.0]",
        "[HTTP/1.1]"
    ),
    forwarded!(
        "proxy/proxy_limit_rate",
        "proxy_limit_rate 1; proxy_read_timeout 60s; limit_rate 1;",
        "limit_rate 0;",
        "return 200 whole;",
        "GET / begin",
        "",
        "whole"
    ),
    forwarded_here!(
        "proxy/proxy_read_timeout",
        "proxy_read_timeout 50ms;",
        "proxy_read_timeout 60s;",
        |walk| {
            let _backend = backend(walk, Duration::from_millis(400), Duration::ZERO);
            answers(walk, "GET /", "504", "served")
        }
    ),
    forwarded_here!(
        "proxy/proxy_header_timeout",
        "proxy_header_timeout 50ms;",
        "proxy_header_timeout 60s;",
        |walk| {
            let _backend = backend(walk, Duration::from_millis(400), Duration::ZERO);
            answers(walk, "GET /", "504", "served")
        }
    ),
    forwarded_here!(
        "proxy/proxy_send_timeout",
        "client_max_body_size 0; proxy_send_timeout 50ms;",
        "client_max_body_size 0; proxy_send_timeout 60s;",
        |walk| {
            let _backend = backend(walk, Duration::ZERO, Duration::from_millis(600));
            answers(walk, "POST / long", "504", "served")
        }
    ),
    forwarded_here!(
        "proxy/proxy_pass_trailers",
        "proxy_pass_trailers off;",
        "proxy_pass_trailers on;",
        |walk| {
            let bytes =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-End: yes\r\n\r\n";
            begins_to_contain(walk, bytes, "X-End: yes")
        }
    ),
    forwarded_here!("http core/early_hints", "early_hints '' 0;", "early_hints '' 1;", |walk| {
        let bytes =
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        begins_to_contain(walk, bytes, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")
    }),
    forwarded_here!(
        "proxy/proxy_connect_timeout",
        "proxy_connect_timeout 60s;",
        "proxy_connect_timeout 50ms;",
        |walk| {
            // A queue that is full takes no connection.
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let address: std::net::SocketAddr = ([127, 0, 0, 1], walk.own_port).into();
            socket.bind(&address.into()).unwrap();
            socket.listen(0).unwrap();
            let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
            let full: Vec<_> = (0..8).map_while(|_| connect().ok()).collect();
            let mut waiting = Connection::open(walk.web);
            waiting.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            Box::new(move || {
                assert_eq!(http::get(walk.web, "/").status(), 504);
                drop((full, socket, waiting));
            })
        }
    ),
    forwarded_here!(
        "proxy/proxy_ignore_client_abort",
        "access_log abort.log;",
        "access_log abort.log; proxy_ignore_client_abort on;",
        |walk| {
            let listener = TcpListener::bind(("127.0.0.1", walk.own_port)).unwrap();
            let log = walk.server.prefix().path().join("abort.log");
            let logged = move |status: &str| {
                until_true("the request is logged", || {
                    std::fs::read_to_string(&log).unwrap_or_default().contains(status)
                });
            };
            let begin = |walk: &Walk<'_>, listener: &TcpListener| {
                let mut connection = Connection::open(walk.web);
                connection.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 16]).unwrap();
                stream
            };
            let open = begin(walk, &listener);
            logged("\" 499 ");
            drop(open);
            Box::new(move || {
                let mut stream = begin(walk, &listener);
                // Longer than a request goes on without its client otherwise.
                thread::sleep(Duration::from_millis(1500));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").unwrap();
                logged("\" 200 ");
            })
        }
    ),
];

/// What is stored, and what names lead to.
pub const OTHERS: &[Case] = &[
    stored!("proxy/proxy_store", "proxy_store off;", "proxy_store {dir}/stored/{app};", |path| path.exists()),
    stored!(
        "proxy/proxy_store_access",
        "proxy_store {dir}/stored/{app};",
        "proxy_store {dir}/stored/{app}; proxy_store_access group:rw all:r;",
        |path| std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o777 == 0o664)
    ),
    stored!(
        "proxy/proxy_temp_path",
        "proxy_temp_path html/f; proxy_store {dir}/stored/{app};",
        "proxy_temp_path stored_temp; proxy_store {dir}/stored/{app};",
        |path| path.exists()
    ),
    Case {
        row: "charset/override_charset",
        place: Place::Http,
        before: "charset_map old{app} new{app} { 80 81; } server { listen 127.0.0.1:{web}; location / { charset new{app}; override_charset off; proxy_pass http://127.0.0.1:{web}/b/; } location /b/ { charset old{app}; return 200 x; } }",
        after: "charset_map old{app} new{app} { 80 81; } server { listen 127.0.0.1:{web}; location / { charset new{app}; override_charset on; proxy_pass http://127.0.0.1:{web}/b/; } location /b/ { charset old{app}; return 200 x; } }",
        look: |walk| {
            let has = |walk: &Walk<'_>, charset: &str| {
                let response = http::get(walk.own_web, "/");
                assert!(response.header("content-type").unwrap().contains(charset), "{response:?}");
            };
            has(walk, "charset=old");
            Box::new(move || has(walk, "charset=new"))
        },
    },
    Case {
        row: "http core/resolver",
        place: Place::Http,
        before: "server { listen 127.0.0.1:{web}; location / { set $n origin.test; proxy_pass http://$n:{port}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        after: "server { listen 127.0.0.1:{web}; location / { resolver {dns}; set $n origin.test; proxy_pass http://$n:{port}; } } server { listen 127.0.0.1:{port}; return 200 x; }",
        look: |walk| {
            name_is_known(walk.dns);
            becomes_good(walk)
        },
    },
    Case {
        row: "http core/resolver_timeout",
        place: Place::Http,
        before: "server { listen 127.0.0.1:{web}; location / { resolver {dns}; resolver_timeout 60s; set $n silent.test; proxy_pass http://$n:{port}; } }",
        after: "server { listen 127.0.0.1:{web}; location / { resolver {dns}; resolver_timeout 100ms; set $n silent.test; proxy_pass http://$n:{port}; } }",
        look: |walk| {
            walk.dns.set("silent.test", Records::Silent);
            let mut waiting = Connection::open(walk.own_web);
            waiting.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            Box::new(move || {
                assert_eq!(http::get(walk.own_web, "/").status(), 502);
                walk.server.wait_log("silent.test could not be resolved (110: Operation timed out)");
                drop(waiting);
            })
        },
    },
];

fn name_is_known(dns: &DnsServer) {
    dns.set("origin.test", Records::Addresses(vec!["127.0.0.1".parse().unwrap()], 3600));
}

/// A backend of the test's: reads after a time, answers after another one.
fn backend(walk: &Walk<'_>, answer: Duration, read: Duration) -> thread::JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", walk.own_port)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                thread::sleep(read);
                let mut bytes = vec![0; 1 << 20];
                let mut received = Vec::new();
                let is_whole = |received: &[u8]| {
                    let text = String::from_utf8_lossy(&received[..received.len().min(4096)]).into_owned();
                    let Some(head) = text.find("\r\n\r\n") else { return false };
                    let length =
                        text.split("Content-Length: ").nth(1).and_then(|text| text.split("\r\n").next());
                    received.len() >= head + 4 + length.map_or(0, |length| length.parse().unwrap())
                };
                while !is_whole(&received) {
                    match stream.read(&mut bytes) {
                        Ok(length) if length > 0 => received.extend_from_slice(&bytes[..length]),
                        _ => return,
                    }
                }
                thread::sleep(answer);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved");
            });
        }
    })
}

/// Status, headers and body of an answer, as far as it comes.
fn answer(walk: &Walk<'_>, request: &str) -> String {
    let (line, more) = request.split_once(" / ").unwrap_or((request.trim_end_matches(" /"), ""));
    let body = match (line, more) {
        ("POST", "long") => "x".repeat(30 << 20),
        ("POST", _) => "body".into(),
        _ => String::new(),
    };
    let range = if more == "range" { "Range: bytes=1-2\r\n" } else { "" };
    let mut stream = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
    let head = format!(
        "{line} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{range}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
    let patience = if more == "begin" { Duration::from_millis(500) } else { Duration::from_secs(20) };
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(length) = stream.read(&mut bytes) {
        if length == 0 {
            break;
        }
        text.extend_from_slice(&bytes[..length]);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}\n", name.to_ascii_lowercase()),
        None => format!("{line}\n"),
    });
    format!("{}{body}", lines.collect::<String>())
}

/// Answers contain this before the reload, and that afterwards.
fn answers<'w>(walk: &'w Walk<'w>, request: &'static str, old: &'static str, new: &'static str) -> After<'w> {
    let found = answer(walk, request);
    assert!(found.contains(old) && !found.contains(new), "{found}");
    Box::new(move || {
        let found = answer(walk, request);
        assert!(found.contains(new), "{found}");
    })
}

fn becomes_good<'w>(walk: &'w Walk<'w>) -> After<'w> {
    assert_eq!(http::get(walk.own_web, "/").status(), 502);
    Box::new(move || assert_eq!(http::get(walk.own_web, "/").status(), 200))
}

#[test]
fn proxying() {
    walk_with(CASES, |_| {});
}

/// A backend sends these bytes to every request; the response contains a part only after the change.
fn begins_to_contain<'w>(
    walk: &'w Walk<'_>,
    bytes: &'static str,
    part: &'static str,
) -> Box<dyn FnOnce() + 'w> {
    let listener = TcpListener::bind(("127.0.0.1", walk.own_port)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes.as_bytes());
        }
    });
    let has_part = move || {
        let mut stream = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response.contains(part)
    };
    assert!(!has_part());
    Box::new(move || assert!(has_part()))
}

#[test]
fn others() {
    walk_with(OTHERS, |prefix| drop(prefix.write("html/f", "text")));
}
