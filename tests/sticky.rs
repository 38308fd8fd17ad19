//! `sticky`: clients stay with their server, over failures and reloads. nginx has it from 1.29.6 on; what is expected is what
//! its documentation and its module say.

mod support;

use std::collections::HashSet;

use support::http::{self, Response};
use support::server::free_port;
use support::wait::until_true;
use support::{Conf, Server};

/// Two backends, and a location that forwards to a group with these lines.
fn conf(ports: [u16; 2], lines: &str, more: &str) -> Conf {
    let [a, b] = ports;
    Conf::live("")
        .http(&format!(
            "upstream group {{ {lines} }}
             server {{ listen 127.0.0.1:{a}; add_header X-Sid $arg_begin; return 200 a; }}
             server {{ listen 127.0.0.1:{b}; add_header X-Sid $arg_begin; return 200 b; }}"
        ))
        .http_server(&format!("location / {{ proxy_pass http://group; {more} }}"))
        .var("a", a)
        .var("b", b)
}

fn ports() -> [u16; 2] {
    [free_port(), free_port()]
}

fn ask(server: &Server, target: &str, headers: &str) -> Response {
    http::get_with(server.http, target, headers)
}

/// Which backends answer several equal requests.
#[track_caller]
fn answered_by(server: &Server, target: &str, headers: &str) -> HashSet<String> {
    (0..6).map(|_| ask(server, target, headers).text()).collect()
}

/// One backend answers all requests; returns which.
#[track_caller]
fn bound_to(server: &Server, target: &str, headers: &str) -> String {
    let all = answered_by(server, target, headers);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

fn md5(text: &str) -> String {
    use md5::Digest;
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_cookie_names_the_server() {
    let ports = ports();
    let lines = "sticky cookie srv expires=1h domain=.$host httponly secure samesite=$arg_site path=/p; \
                 server 127.0.0.1:{a}; server 127.0.0.1:{b};";
    let server = Server::start(&conf(ports, lines, ""));
    let first = ask(&server, "/", "");
    let cookies: Vec<_> =
        first.head.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value).collect();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let sid = |name: &str| md5(&format!("127.0.0.1:{}", ports[usize::from(name == "b")]));
    let (value, rest) = cookies[0].split_once("; expires=").unwrap();
    assert_eq!(value, format!("srv={}", sid(&first.text())));
    let (date, rest) = rest.split_once("; max-age=").unwrap();
    assert!(date.ends_with(" GMT") && date.contains('-'), "{date}");
    assert_eq!(rest, "3600; domain=.localhost; httponly; secure; path=/p");
    for name in ["a", "b"] {
        assert_eq!(bound_to(&server, "/", &format!("Cookie: x=y; srv={}\r\n", sid(name))), name);
    }
    // Values that name no server bind nothing, and neither does an empty one.
    for value in ["", "nobody"] {
        assert_eq!(answered_by(&server, "/", &format!("Cookie: srv={value}\r\n")).len(), 2, "{value}");
    }
    let cookie = |target: &str| ask(&server, target, "").header("set-cookie").unwrap().to_owned();
    assert!(cookie("/?site=Lax").contains("; secure; samesite=Lax; path=/p"));
    assert!(cookie("/?site=other").contains("; samesite=strict; path=/p"));
}

#[test]
fn a_server_that_fails_is_replaced_and_the_cookie_with_it() {
    let [a, b] = ports();
    let dead = free_port();
    let lines =
        format!("sticky cookie srv; server 127.0.0.1:{dead} route=dead; server 127.0.0.1:{{b}} route=b;");
    let server = Server::start(&conf([a, b], &lines, ""));
    let found = ask(&server, "/", "Cookie: srv=dead\r\n");
    assert_eq!((found.text().as_str(), found.header("set-cookie")), ("b", Some("srv=b")));
    // What is answered for the backend has the cookie too.
    let lines = format!("sticky cookie srv; server 127.0.0.1:{dead} route=dead;");
    server.reload(&conf([a, b], &lines, "error_page 502 /instead;").http_server(
        "location / { proxy_pass http://group; error_page 502 = /instead; } location /instead { return 200 instead; }",
    ));
    let found = ask(&server, "/", "");
    assert_eq!((found.text().as_str(), found.header("set-cookie")), ("instead", Some("srv=dead")));
}

#[test]
fn a_draining_server_serves_the_clients_that_it_has() {
    let lines = "sticky cookie srv; server 127.0.0.1:{a} route=a drain; server 127.0.0.1:{b} route=b;";
    let server = Server::start(&conf(ports(), lines, ""));
    assert_eq!(bound_to(&server, "/", ""), "b");
    assert_eq!(bound_to(&server, "/", "Cookie: srv=a\r\n"), "a");
}

#[test]
fn a_route_is_compared_whatever_the_method() {
    for method in ["", "least_conn;", "ip_hash;", "hash $uri consistent;", "hash $uri;", "random two;"] {
        let lines = format!(
            "{method} server 127.0.0.1:{{a}} route=a; server 127.0.0.1:{{b}} route=b; sticky route $cookie_r $arg_r;"
        );
        let server = Server::start(&conf(ports(), &lines, ""));
        assert_eq!(bound_to(&server, "/?r=a", ""), "a", "{method}");
        assert_eq!(bound_to(&server, "/?r=b", ""), "b", "{method}");
        // The first variable with a value counts.
        assert_eq!(bound_to(&server, "/?r=a", "Cookie: r=b\r\n"), "b", "{method}");
        assert!(ask(&server, "/?r=a", "").header("set-cookie").is_none());
    }
}

#[test]
fn sessions_are_learned_and_outlast_reloads() {
    let ports = ports();
    let lines = |more: &str| {
        format!(
            "server 127.0.0.1:{{a}}; server 127.0.0.1:{{b}}; \
             sticky learn create=$upstream_http_x_sid lookup=$cookie_sid zone=sessions:64k {more};"
        )
    };
    let server = Server::start(&conf(ports, &lines(""), ""));
    assert_eq!(answered_by(&server, "/", "Cookie: sid=one\r\n").len(), 2, "it is not known yet");
    let begun = ask(&server, "/?begin=one", "").text();
    let twice = [(); 2].map(|()| ask(&server, "/?begin=two", "").text());
    let other = &twice[1];
    until_true("the end of the response is noticed", || {
        answered_by(&server, "/", "Cookie: sid=one\r\n").len() == 1
    });
    assert_eq!(bound_to(&server, "/", "Cookie: sid=one\r\n"), begun);
    server.reload(&conf(ports, &lines("timeout=1h header"), ""));
    assert_eq!(bound_to(&server, "/", "Cookie: sid=one\r\n"), begun);
    assert_eq!(bound_to(&server, "/", "Cookie: sid=two\r\n"), *other);
    // A session that begins elsewhere is bound there; with `header`, before the response has ended.
    let again =
        (0..3).map(|_| ask(&server, "/?begin=one", "").text()).find(|answer| *answer != begun).unwrap();
    assert_eq!(bound_to(&server, "/", "Cookie: sid=one\r\n"), again);
    // Another zone knows nothing.
    server.reload(&conf(ports, &lines("header").replace("sessions:", "others:"), ""));
    assert_eq!(answered_by(&server, "/", "Cookie: sid=one\r\n").len(), 2);
}

#[test]
fn sessions_are_forgotten_after_their_time() {
    let lines = "server 127.0.0.1:{a}; server 127.0.0.1:{b}; \
                 sticky learn create=$upstream_http_x_sid lookup=$cookie_sid zone=sessions:64k timeout=50ms header;";
    let server = Server::start(&conf(ports(), lines, ""));
    ask(&server, "/?begin=one", "");
    until_true("it is forgotten", || {
        std::thread::sleep(std::time::Duration::from_millis(60));
        let found: HashSet<_> = (0..2)
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(60));
                ask(&server, "/", "Cookie: sid=one\r\n").text()
            })
            .collect();
        found.len() == 2
    });
}
