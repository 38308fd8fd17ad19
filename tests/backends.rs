//! Forwarding to groups of servers: what nginx 1.22 does not have. What is expected is what the documentation of newer versions
//! and their modules say.

mod support;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use support::dns::{NAME_ERROR, SERVER_FAILURE};
use support::http::{self, Response};
use support::server::free_port;
use support::wait::until_true;
use support::{Conf, DnsServer, Records, Server};

fn ask(server: &Server, target: &str) -> Response {
    http::get(server.http, target)
}

/// Waits until requests are answered so.
#[track_caller]
fn wait_answer(server: &Server, target: &str, wanted: &str) {
    let mut last = String::new();
    until_true(&format!("{target} answered with {wanted}"), || {
        last = ask(server, target).text();
        last == wanted
    });
}

/// A backend that answers each request with a text, in pieces with the pause before each.
fn slow_backend(pieces: &'static [&'static str], pause: &'static AtomicU64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                for piece in pieces {
                    thread::sleep(Duration::from_millis(pause.load(Ordering::Relaxed)));
                    let _ = stream.write_all(piece.as_bytes());
                }
            });
        }
    });
    port
}

#[test]
fn servers_are_tried_again_where_none_is_left() {
    let (missing, away) = (free_port(), free_port());
    let location = |name: &str, group: &str, lines: &str| {
        format!(
            "location = /{name} {{ proxy_pass http://{group}; proxy_next_upstream error http_404 {lines}; proxy_intercept_errors on;
             error_page 404 502 = /said; }}"
        )
    };
    let three = "no_live; proxy_next_upstream_tries 3";
    let conf = Conf::live("")
        .http(&format!(
            "upstream two {{ server 127.0.0.1:{missing}; server 127.0.0.2:{missing}; }}
             upstream one {{ server 127.0.0.1:{missing}; }}
             upstream gone {{ server 127.0.0.1:{away}; server 127.0.0.2:{away}; }}
             upstream closed {{ server 127.0.0.1:{away} down; server 127.0.0.2:{away} backup down; }}
             server {{ listen 127.0.0.1:{missing}; listen 127.0.0.2:{missing}; return 404; }}"
        ))
        .http_server(
            &[
                "location = /said { return 200 $upstream_status; }".into(),
                location("two", "two", three),
                location("one", "one", three),
                location("address", &format!("127.0.0.1:{missing}"), three),
                location("gone", "gone", three),
                location("closed", "closed", three),
                location("unlimited", "two", "no_live"),
                location("once", "two", "; proxy_next_upstream_tries 3"),
            ]
            .concat(),
        );
    let server = Server::start(&conf);
    for (target, wanted) in [
        ("/two", "404, 404, 404"),
        ("/one", "404, 404, 404"),
        ("/address", "404, 404, 404"),
        ("/unlimited", "404, 404"),
        ("/once", "404, 404"),
        ("/gone", "502, 502, 502"),
        // Their failures do not count.
        ("/gone", "502, 502, 502"),
        ("/closed", "502"),
    ] {
        assert_eq!(ask(&server, target).text(), wanted, "{target}");
    }
}

#[test]
fn the_server_that_answers_fast_is_preferred() {
    static PAUSE: AtomicU64 = AtomicU64::new(400);
    let slow = slow_backend(&["HTTP/1.0 200 OK\r\n\r\nslow"], &PAUSE);
    let slow_end = slow_backend(&["", "HTTP/1.0 200 OK\r\n\r\nsl", "ow"], &PAUSE);
    let fast = free_port();
    let group = |name: &str, method: &str, slow: u16| {
        format!("upstream {name} {{ {method} server 127.0.0.1:{slow}; server 127.0.0.1:{fast}; }}")
    };
    let conf = Conf::live("")
        .http(
            &[
                group("head", "least_time header;", slow),
                group("end", "least_time last_byte inflight;", slow_end),
                group("turns", "", slow),
                format!("server {{ listen 127.0.0.1:{fast}; return 200 fast; }}"),
            ]
            .concat(),
        )
        .http_server("location ~ ^/(head|end|turns)$ { proxy_pass http://$1; }");
    let server = Server::start(&conf);
    for (target, slow) in [("/head", 1), ("/end", 1), ("/turns", 3)] {
        let answers: Vec<String> = (0..6).map(|_| ask(&server, target).text()).collect();
        assert_eq!(answers.iter().filter(|text| *text == "slow").count(), slow, "{target}: {answers:?}");
    }
}

#[test]
fn the_head_of_a_response_has_a_time_of_its_own() {
    static PAUSE: AtomicU64 = AtomicU64::new(150);
    // It sends something in each `proxy_read_timeout`.
    let head = slow_backend(&["HTTP/1.0 ", "200 ", "OK\r\n", "X: y\r\n", "Z: z\r\n", "\r\ntext"], &PAUSE);
    let body = slow_backend(&["HTTP/1.0 200 OK\r\n\r\n", "t", "e", "x", "t"], &PAUSE);
    let conf = Conf::live("").http_server(&format!(
        "location /read {{ proxy_read_timeout 2s; proxy_pass http://127.0.0.1:{head}; }}
         location /head {{ proxy_read_timeout 2s; proxy_header_timeout 500ms; proxy_pass http://127.0.0.1:{head}; }}
         location /more {{ proxy_read_timeout 1ms; proxy_header_timeout 5s; proxy_pass http://127.0.0.1:{head}; }}
         location /body {{ proxy_read_timeout 2s; proxy_header_timeout 500ms; proxy_pass http://127.0.0.1:{body}; }}"
    ));
    let server = Server::start(&conf);
    let statuses = ["/read", "/head", "/more", "/body"].map(|target| ask(&server, target).status());
    assert_eq!(statuses, [200, 504, 200, 200]);
    assert_eq!(ask(&server, "/body").text(), "text");
}

/// A backend that answers a request with a part of a text, and with the rest once it is told to.
fn waiting_backend(head: &'static str) -> (u16, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                format!("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n{head}\r\nfirst o").as_bytes(),
            );
            if told.recv().is_err() {
                return;
            }
            let _ = stream.write_all(b"ne last");
        }
    });
    (port, tell)
}

#[test]
fn filters_hold_nothing_back_of_an_unbuffered_response() {
    let (plain, go) = waiting_backend("");
    let (saying, go_saying) = waiting_backend("X-Accel-Buffering: no\r\n");
    let conf = Conf::live("").http_server(&format!(
        "location /gzip {{ gzip on; gzip_min_length 0; gzip_http_version 1.0; proxy_buffering off; proxy_pass http://127.0.0.1:{plain}; }}
         location /said {{ gzip on; gzip_min_length 0; gzip_http_version 1.0; proxy_pass http://127.0.0.1:{saying}; }}
         location /sub {{ sub_filter one two; proxy_buffering off; proxy_pass http://127.0.0.1:{plain}; }}
         location /both {{ sub_filter one two; gzip on; gzip_min_length 0; gzip_http_version 1.0; proxy_buffering off; proxy_pass http://127.0.0.1:{plain}; }}"
    ));
    let server = Server::start(&conf);
    for (target, go, first, whole) in [
        ("/gzip", &go, "first o", "first one last"),
        ("/said", &go_saying, "first o", "first one last"),
        ("/sub", &go, "first ", "first two last"),
        ("/both", &go, "first ", "first two last"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
            .write_all(format!("GET {target} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n").as_bytes())
            .unwrap();
        let (mut bytes, mut is_told) = (Vec::new(), false);
        loop {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).unwrap_or_else(|error| panic!("{target}: {error}"));
            bytes.extend_from_slice(&part[..length]);
            let text = body_so_far(&bytes);
            if text == first && !is_told {
                is_told = true;
                go.send(()).unwrap();
            }
            if length == 0 {
                assert_eq!(text, whole, "{target}");
                break;
            }
        }
    }
}

/// The body of a response so far, decompressed if it is compressed.
fn body_so_far(response: &[u8]) -> String {
    let Some(end) = response.windows(4).position(|four| four == b"\r\n\r\n") else { return String::new() };
    let (head, body) = (String::from_utf8_lossy(&response[..end]), &response[end + 4..]);
    if !head.contains("Content-Encoding: gzip") {
        return String::from_utf8_lossy(body).into_owned();
    }
    let mut text = Vec::with_capacity(4096);
    let mut inflate = flate2::Decompress::new_gzip(15);
    let _ = inflate.decompress_vec(body, &mut text, flate2::FlushDecompress::Sync);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_rate_of_reading_may_depend_on_the_response() {
    let (backend, text) = (free_port(), "x".repeat(4000));
    let conf = Conf::live("")
        .http(&format!("server {{ listen 127.0.0.1:{backend}; add_header X-Rate $arg_rate; return 200 {text}; }}"))
        .http_server(&format!(
            "location / {{ proxy_pass http://127.0.0.1:{backend}; proxy_limit_rate $upstream_http_x_rate; proxy_buffer_size 1k; }}"
        ));
    let server = Server::start(&conf);
    let took = |target: &str| {
        let began = Instant::now();
        assert_eq!(ask(&server, target).text(), text);
        began.elapsed()
    };
    assert!(took("/?rate=2000") > Duration::from_millis(900));
    assert!(took("/?rate=0") < Duration::from_millis(900));
}

#[test]
fn names_with_resolve_are_what_dns_says() {
    let dns = DnsServer::start();
    let port = free_port();
    let conf = Conf::live("")
        .http(&format!(
            "{} upstream group {{ server app.test:{port} resolve max_fails=0; }}
             server {{ listen 127.0.0.1:{port}; listen 127.0.0.2:{port}; return 200 $server_addr; }}",
            dns.line("valid=1s ipv6=off")
        ))
        .http_server("location / { proxy_pass http://group; }");
    let ips = |last: u8| Records::Addresses(vec![IpAddr::from([127, 0, 0, last])], 1);
    dns.set("app.test", ips(1));
    let server = Server::start(&conf);
    wait_answer(&server, "/", "127.0.0.1");
    // Also without requests it is asked for again.
    dns.wait_questions("app.test", dns.questions("app.test") + 1);
    dns.set("app.test", ips(2));
    wait_answer(&server, "/", "127.0.0.2");
    // A failure of the name server changes nothing; that there is no such name does.
    let before = dns.questions("app.test");
    dns.set("app.test", Records::Code(SERVER_FAILURE));
    until_true("questions", || {
        assert_eq!(ask(&server, "/").text(), "127.0.0.2");
        dns.questions("app.test") > before + 1
    });
    // One that does not answer is not waited for.
    dns.set("app.test", Records::Silent);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        assert_eq!(ask(&server, "/").text(), "127.0.0.2");
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    dns.set("app.test", Records::Code(NAME_ERROR));
    until_true("no server", || ask(&server, "/").status() == 502);
    dns.set("app.test", ips(1));
    wait_answer(&server, "/", "127.0.0.1");
}

#[test]
fn a_service_names_hosts_ports_and_ranks() {
    let dns = DnsServer::start();
    let [a, b] = [free_port(), free_port()];
    let resolver = dns.line("valid=1s ipv6=off");
    let conf = |method: &str| {
        Conf::live("")
            .http(&format!(
                "upstream group {{ {method} server app.test resolve service=http max_fails=0; {resolver} }}
                 upstream named {{ server app.test resolve service=_web._tcp; {resolver} }}
                 server {{ listen 127.0.0.1:{a}; return 200 a; }}
                 server {{ listen 127.0.0.1:{b}; return 200 b; }}"
            ))
            .http_server(
                "location / { proxy_pass http://group; } location /named { proxy_pass http://named; }",
            )
    };
    let host = Records::Addresses(vec![IpAddr::from([127, 0, 0, 1])], 1);
    dns.set("host.test", host.clone());
    dns.set(
        "_http._tcp.app.test",
        Records::Services(vec![(2, 5, b, "host.test"), (1, 3, a, "host.test")], 1),
    );
    dns.set("_web._tcp.app.test", Records::Services(vec![(1, 0, b, "host.test")], 1));
    let server = Server::start(&conf(""));
    // What does not come first is a backup.
    assert_eq!([0; 4].map(|_| ask(&server, "/").text()), ["a"; 4]);
    assert_eq!(ask(&server, "/named").text(), "b");
    // Weights are shares.
    dns.set(
        "_http._tcp.app.test",
        Records::Services(vec![(1, 3, a, "host.test"), (1, 1, b, "host.test")], 1),
    );
    until_true("shares of three to one", || {
        let answers = [0; 8].map(|_| ask(&server, "/").text()).concat();
        answers.matches('b').count() == 2
    });
    dns.set("_http._tcp.app.test", Records::Services(vec![(1, 1, b, "host.test")], 1));
    until_true("one server", || [0; 4].map(|_| ask(&server, "/").text()) == ["b"; 4]);
    // A failure of a part leaves the whole as it was.
    dns.set("host.test", Records::Code(SERVER_FAILURE));
    let before = dns.questions("host.test");
    until_true("questions", || {
        assert_eq!(ask(&server, "/").text(), "b");
        dns.questions("host.test") > before + 1
    });
    dns.set("host.test", host);
    // A reload knows the addresses until the name server answers.
    dns.set("_http._tcp.app.test", Records::Code(SERVER_FAILURE));
    server.reload(&conf("least_conn;"));
    assert_eq!(ask(&server, "/").text(), "b");
    dns.set("_http._tcp.app.test", Records::Code(NAME_ERROR));
    until_true("no server", || ask(&server, "/").status() == 502);
}

#[test]
fn locations_may_keep_their_connections_for_themselves() {
    let port = free_port();
    let location = |name: &str, group: &str| format!("location /{name} {{ proxy_pass http://{group}; }}");
    let conf = Conf::live("")
        .http(&format!(
            "proxy_http_version 1.1; proxy_set_header Connection '';
             upstream shared {{ server 127.0.0.1:{port}; keepalive 4; }}
             upstream own {{ server 127.0.0.1:{port}; keepalive 4 local; }}
             server {{ listen 127.0.0.1:{port}; return 200 $connection; }}"
        ))
        .http_server(
            &[location("a", "shared"), location("b", "shared"), location("c", "own"), location("d", "own")]
                .concat(),
        );
    let server = Server::start(&conf);
    // Each of the workers keeps connections.
    let used = |first: &str, second: &str| {
        let mut all = [HashSet::new(), HashSet::new()];
        for _ in 0..12 {
            all[0].insert(ask(&server, first).text());
            all[1].insert(ask(&server, second).text());
        }
        all
    };
    let [a, b] = used("/a", "/b");
    assert!(!a.is_disjoint(&b), "{a:?}, {b:?}");
    let [c, d] = used("/c", "/d");
    assert!(c.is_disjoint(&d) && c.len() + d.len() < 12, "{c:?}, {d:?}");
}

/// A reload changes nothing for requests that are under way: they are forwarded to the group that their configuration names.
#[test]
fn a_request_goes_on_with_the_groups_of_its_configuration() {
    let backend = free_port();
    let conf = |group: &str, zone: &str| {
        Conf::live("")
            .http(&format!(
                "upstream {group} {{ server 127.0.0.1:{backend}; }} proxy_cache_path cache keys_zone={zone}:1m;
                 server {{ listen 127.0.0.1:{backend}; return 200 said; }}"
            ))
            .http_server(&format!(
                "location / {{ proxy_cache {zone}; proxy_pass http://{group}; }} location = /open {{ stub_status; }}"
            ))
    };
    let server = Server::start(&conf("before", "one"));
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nContent-Length: 4\r\n\r\nab").unwrap();
    until_true("the request is under way", || ask(&server, "/open").text().contains("Writing: 2"));
    server.reload(&conf("after", "two"));
    stream.write_all(b"cd").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("said"), "{response}");
    assert_eq!(ask(&server, "/").text(), "said");
}

/// A connection that is kept open is closed without a response once nothing listens at its address any more.
#[test]
fn a_connection_whose_address_is_gone_gets_no_response() {
    let port = free_port();
    let conf = |more: &str| Conf::live("").http(more);
    let server = Server::start(&conf(&format!("server {{ listen 127.0.0.1:{port}; return 200 said; }}")));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut read = [0; 4096];
    let length = stream.read(&mut read).unwrap();
    assert!(read[..length].ends_with(b"said"));
    server.reload(&conf(""));
    let _ = stream.write_all(request);
    assert!(matches!(stream.read(&mut read), Ok(0) | Err(_)));
}
