//! `proxy_http_version 2`: requests, responses and connections over HTTP/2 to backends; and responses that come before the body of
//! the request, over HTTP/1.1 too.

mod backend;
mod early;
mod failures;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use backend::Backend;
use rustls::ServerConfig;
use support::http::{Connection, get, get_with, request};
use support::tls::{file, server_config};
use support::wait::until_true;
use support::{Conf, Server};

/// Length of the body of `/large`.
pub const LARGE: usize = 64 * 1024 * 1024;

/// Bytes of `/large` that may be on their way to a client that does not read: the window, and buffers of the system.
const MOST_UNREAD: usize = 24 * 1024 * 1024;

/// A server that forwards to a backend.
fn forwards(backend: &Backend, location: &str) -> Server {
    start(backend, "", location)
}

fn start(backend: &Backend, http: &str, location: &str) -> Server {
    let conf = Conf::new("application live { live on; }")
        .http(&format!("upstream kept {{ server 127.0.0.1:{}; keepalive 4; }} {http}", backend.port))
        .http_server(&format!(
            "client_max_body_size 0; proxy_http_version 2; location / {{ proxy_pass http://kept; {location} }}"
        ));
    Server::start(&conf)
}

/// Sends a request with a body.
fn post(port: u16, target: &str, body: &[u8]) -> support::http::Response {
    let mut connection = Connection::open(port);
    let length = body.len();
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut socket = connection.socket.try_clone().unwrap();
    let sent = [head.as_bytes(), body].concat();
    // The response may come while the body is sent.
    let sends = thread::spawn(move || std::io::Write::write_all(&mut socket, &sent));
    let response = connection.response(false);
    let _ = sends.join().unwrap();
    response
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

#[test]
fn a_request_has_what_http2_allows() {
    let backend = Backend::start();
    let server = forwards(
        &backend,
        "proxy_set_header Host example.test:8080; proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;
         proxy_set_header X-Added 'a b'; proxy_set_header X-Empty ''; proxy_set_header TE trailers;",
    );
    let headers = "X-Own: 1\r\nX-Own: 2\r\nUpgrade: websocket\r\nKeep-Alive: timeout=5\r\nX-Empty: gone\r\nProxy-Connection: x\r\n";
    let response = get_with(server.http, "/show/a%20b?c=%5Bd%5D", headers);
    assert_eq!(
        response.text(),
        "GET http example.test:8080 /show/a%20b?c=%5Bd%5D\nx-added: a b\nte: trailers\nx-own: 1\nx-own: 2\n"
    );
    assert!(response.status() == 200 && response.header("server").unwrap().starts_with("pingosd"));
    let cookies: Vec<_> =
        response.head.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, v)| v).collect();
    assert_eq!(cookies, ["a=b; Path=/", "c=d"]);
}

#[test]
fn a_request_has_the_usual_host_and_its_length() {
    let backend = Backend::start();
    let server =
        forwards(&backend, "proxy_method PUT; proxy_set_body 'five$arg_x'; proxy_pass_header Server;");
    let response = get(server.http, "/show?x=!");
    assert_eq!(response.text(), "PUT http kept /show?x=!\ncontent-length: 5\n");
    assert_eq!(response.header("server"), Some("tests"));
}

#[test]
fn bodies_of_megabytes_go_both_ways() {
    let backend = Backend::start();
    for buffering in ["on", "off"] {
        let server = forwards(
            &backend,
            &format!("proxy_request_buffering {buffering}; client_body_buffer_size 16k; proxy_limit_rate 0;"),
        );
        let body = bytes(5 * 1024 * 1024);
        let response = post(server.http, "/echo", &body);
        assert_eq!((response.status(), response.header("content-length")), (200, Some("5242880")));
        assert!(response.body == body, "request buffering {buffering}");
        assert_eq!(post(server.http, "/echo", b"").text(), "");
        assert_eq!(post(server.http, "/echo", b"short").text(), "short");
        // A body whose length is not told.
        let mut connection = Connection::open(server.http);
        connection.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        connection.send(b"3\r\ntwo\r\n0\r\n\r\n");
        assert_eq!(connection.response(false).text(), "onetwo");
    }
}

#[test]
fn the_rest_of_a_body_is_sent_while_the_response_comes() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let body = bytes(3 * 1024 * 1024);
    let response = post(server.http, "/echo-at-once", &body);
    assert!(response.body == body && response.header("content-length").is_none());
    // A response that does not need the body ends the request.
    for buffering in ["on", "off"] {
        let server = forwards(&backend, &format!("proxy_request_buffering {buffering};"));
        let response = post(server.http, "/refuse", &bytes(1024 * 1024));
        assert_eq!((response.status(), response.text()), (403, "no".into()));
    }
}

#[test]
fn a_client_that_does_not_read_stops_the_backend() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let sent = || backend.counts.sent.load(Ordering::SeqCst);
    let (mut before, mut unchanged) = (0, 0);
    until_true("the backend is stopped", || {
        unchanged = if sent() == before && before > 0 { unchanged + 1 } else { 0 };
        before = sent();
        unchanged == 40
    });
    assert!(sent() < MOST_UNREAD, "{} bytes", sent());
    assert_eq!(connection.response(false).body.len(), LARGE);
}

#[test]
fn responses_without_a_body_have_none() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let mut connection = Connection::open(server.http);
    let mut ask = |method: &str, target: &str| {
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        connection.response(method == "HEAD")
    };
    let head = ask("HEAD", "/head");
    assert_eq!((head.status(), head.header("content-length")), (200, Some("1234")));
    assert_eq!(ask("GET", "/204").status(), 204);
    assert_eq!(ask("GET", "/304").status(), 304);
    let empty = ask("GET", "/empty");
    assert_eq!((empty.status(), empty.header("content-length")), (200, Some("0")));
    assert_eq!(backend.counts.connections(), 1, "the connection is used again after each");
}

#[test]
fn trailers_and_early_hints_are_passed_on() {
    let backend = Backend::start();
    let server =
        forwards(&backend, "proxy_pass_trailers on; early_hints 1; add_header X-Status $upstream_status;");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /trailers HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    let text = String::from_utf8(connection.rest()).unwrap();
    assert!(text.ends_with("4\r\nbody\r\n0\r\nx-after: yes\r\n\r\n"), "{text}");
    let mut connection = Connection::open(server.http);
    connection.send(b"GET /hints HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let text = String::from_utf8(connection.rest()).unwrap();
    assert!(text.starts_with("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("X-Status: 200\r\n") && text.ends_with("\r\n\r\n1\r\nx\r\n0\r\n\r\n"), "{text}");
}

#[test]
fn a_connection_is_kept_until_its_backend_leaves() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let mut connection = Connection::open(server.http);
    let mut ask = |target: &str| {
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        connection.response(false).text()
    };
    for _ in 0..10 {
        assert!(ask("/show").starts_with("GET http kept /show\n"));
        assert!(ask("/trailers").starts_with("body"));
    }
    assert_eq!(backend.counts.connections(), 1);
    assert_eq!(ask("/leave"), "left");
    // What the backend has said of that may come behind the next request.
    until_true("there is another connection", || {
        assert!(ask("/show").starts_with("GET http kept /show\n"));
        backend.counts.connections() == 2
    });
    assert_eq!(server.log_lines("[error]").len(), 0, "{}", server.log());
}

#[test]
fn connections_of_both_versions_are_told_apart() {
    let conf = Conf::new("application live { live on; }")
        .http("upstream kept { server 127.0.0.1:{http_port}; keepalive 4; }")
        .http_server(
            "http2 on; proxy_set_header Connection '';
             location = /one { proxy_http_version 1.1; proxy_pass http://kept/is; }
             location = /two { proxy_http_version 2; proxy_pass http://kept/is; }
             location = /is { return 200 \"$server_protocol $connection_requests\"; }",
        );
    let server = Server::start(&conf);
    let mut connection = Connection::open(server.http);
    let mut ask = |target: &str| {
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        connection.response(false).text()
    };
    assert_eq!([ask("/one"), ask("/two")], ["HTTP/1.1 1", "HTTP/2.0 1"]);
    assert_eq!([ask("/one"), ask("/two")], ["HTTP/1.1 2", "HTTP/2.0 2"]);
}

#[test]
fn a_hundred_requests_at_once_are_answered() {
    let backend = Backend::start();
    let server = forwards(&backend, "");
    let port = server.http;
    let clients: Vec<_> = (0..100)
        .map(|n| {
            thread::spawn(move || {
                let body = bytes(10_000 + n);
                (post(port, "/echo", &body).body == body, get(port, &format!("/show{n}")).text())
            })
        })
        .collect();
    for (n, client) in clients.into_iter().enumerate() {
        let (is_same, text) = client.join().unwrap();
        assert!(is_same && text.starts_with(&format!("GET http kept /show{n}\n")), "{text}");
    }
    assert_eq!(backend.counts.requests(), 200);
}

#[test]
fn a_response_is_cached() {
    let backend = Backend::start();
    let server = start(
        &backend,
        "proxy_cache_path {dir}/cache keys_zone=kept:1m;",
        "proxy_cache kept; add_header X-Cache $upstream_cache_status;",
    );
    let first = get(server.http, "/cached");
    assert_eq!((first.header("x-cache"), first.text()), (Some("MISS"), "number 1".into()));
    let second = get(server.http, "/cached");
    assert_eq!((second.header("x-cache"), second.text()), (Some("HIT"), "number 1".into()));
    assert_eq!(request(server.http, "HEAD", "/cached", "").header("content-length"), Some("8"));
    assert_eq!(backend.counts.requests(), 1);
}

#[test]
fn figures_of_a_request_are_logged() {
    let backend = Backend::start();
    let server = start(
        &backend,
        "log_format figures '$upstream_status $upstream_response_length $upstream_bytes_received $upstream_bytes_sent';
         access_log {dir}/logs/figures.log figures;",
        "",
    );
    let body = bytes(100_000);
    assert!(post(server.http, "/echo", &body).body == body);
    let log = server.prefix().path().join("logs/figures.log");
    until_true("the line is written", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n'))
    });
    let line = std::fs::read_to_string(&log).unwrap();
    let figures: Vec<usize> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(figures[..2], [200, 100_000]);
    // Frames and their heads are counted, too.
    assert!((100_001..110_000).contains(&figures[2]), "{line}");
    assert!((100_001..110_000).contains(&figures[3]), "{line}");
}

/// Settings of TLS with these protocols.
fn tls(protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = Arc::unwrap_or_clone(server_config("callback"));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

#[test]
fn https_needs_a_backend_that_agrees() {
    let agreeing = Backend::with(Some(tls(&[b"http/1.1", b"h2"])));
    let silent = Backend::with(Some(tls(&[])));
    let other = Backend::with(Some(tls(&[b"http/1.1"])));
    let conf = Conf::new("application live { live on; }")
        .http_server(
            "proxy_http_version 2; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate {ca};
             location /agreeing/ { proxy_pass https://127.0.0.1:{agreeing}/; }
             location /silent/ { proxy_pass https://127.0.0.1:{silent}/; }
             location /other/ { proxy_pass https://127.0.0.1:{other}/; }",
        )
        .var("ca", file("ca.crt"))
        .var("agreeing", agreeing.port)
        .var("silent", silent.port)
        .var("other", other.port);
    let server = Server::start(&conf);
    let text = get(server.http, "/agreeing/show").text();
    assert_eq!(text, format!("GET https 127.0.0.1:{} /show\n", agreeing.port));
    let body = bytes(2_000_000);
    assert!(post(server.http, "/agreeing/echo", &body[..1_000_000]).body == body[..1_000_000]);
    assert_eq!(get(server.http, "/silent/show").status(), 502);
    server.wait_log("upstream has not agreed to HTTP/2 (ALPN) while SSL handshaking to upstream");
    assert_eq!(get(server.http, "/other/show").status(), 502);
    server.wait_log("SSL_do_handshake() failed");
    assert_eq!(silent.counts.requests() + other.counts.requests(), 0);
}
