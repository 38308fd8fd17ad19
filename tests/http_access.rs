//! HTTP: what restricts is met before every handler, and what cannot be told refuses.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use support::http::{get, get_with, request};
use support::server::Prefix;
use support::{Conf, Publisher, Server};

fn start(http: &str, http_server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("html/f.txt", "text");
    Server::start_in(prefix, &Conf::live("").http(http).http_server(http_server))
}

#[test]
fn conditions_are_met_at_both_levels() {
    let server = start(
        "",
        r#"if ($http_user_agent ~* "bad(?<kind>bot)") { return 403 $kind; }
           location /f.txt { if ($arg_token != sesame) { return 403; } root html; }
           location /flv { if ($arg_token != sesame) { return 403; } flv_live {rtmp_port} app=live; }
           location /control { if ($request_method = POST) { return 403; } rtmp_control all; }
           location /peer { if ($remote_addr ~ ^127\.) { return 403; } return 200 in; }
           location /options {
               set $seen none;
               if ($request_method = 'OPTIONS') { set $seen yes; add_header X-Seen $seen; return 204; }
               return 200 $seen;
           }
           location /after { if ($args) { add_header X-Args $args; } return 200 x; }"#,
    );
    assert_eq!(get(server.http, "/f.txt?token=no").status(), 403);
    assert_eq!(get(server.http, "/f.txt?token=sesame").text(), "text");
    assert_eq!(get(server.http, "/flv/s?token=no").status(), 403);
    assert_eq!(request(server.http, "POST", "/control/x", "").status(), 403);
    assert_eq!(get(server.http, "/peer").status(), 403);
    let agent = get_with(server.http, "/f.txt?token=sesame", "User-Agent: a BadBot\r\n");
    assert_eq!((agent.status(), agent.text()), (403, "Bot".into()));
    let options = request(server.http, "OPTIONS", "/options", "");
    assert_eq!((options.status(), options.header("x-seen")), (204, Some("yes")));
    let got = get(server.http, "/options");
    assert_eq!((got.text(), got.header("x-seen")), ("none".into(), None));
    assert_eq!(get(server.http, "/after?a=1").header("x-args"), Some("a=1"));
}

#[test]
fn what_cannot_be_told_refuses() {
    let server = start(
        "map $uri $mapped { default 0; } limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;",
        r#"root html;
           location /mapped { if ($mapped) { return 403; } return 200 in; }
           location /referer { valid_referers none; if ($invalid_referer) { return 403; } return 200 in; }
           location /kept { set $kept $mapped; if ($kept) { return 403; } return 200 in; }
           location /file { if (-f $uri) { return 403; } return 200 in; }
           location /limit { limit_req zone=z; alias html; }
           location /links { disable_symlinks on; alias html; }
           location /plain { disable_symlinks off; alias html; }
           location /moved { rewrite ^/moved/a /f.txt last; alias html; }
           location /password { auth_basic realm; alias html; }"#,
    );
    for target in [
        "/mapped",
        "/referer",
        "/kept",
        "/file",
        "/limit/f.txt",
        "/links/f.txt",
        "/moved/a",
        "/password/f.txt",
    ] {
        assert_eq!(get(server.http, target).status(), 503, "{target}");
    }
    assert_eq!(get(server.http, "/plain/f.txt").status(), 200);
    assert_eq!(get(server.http, "/moved/f.txt").status(), 200);
}

#[test]
fn other_methods_have_rules_of_their_own() {
    let server = start("", "location /f.txt { limit_except GET { deny all; } root html; }");
    assert_eq!(get(server.http, "/f.txt").text(), "text");
    assert_eq!(request(server.http, "HEAD", "/f.txt", "").status(), 200);
    assert_eq!(request(server.http, "DELETE", "/f.txt", "").status(), 403);
}

#[test]
fn return_comes_before_access_and_444_closes() {
    let server = start(
        "",
        "location /first { deny all; return 200 in; } location /empty { return 200; }
         location /close { return 444; }",
    );
    assert_eq!(get(server.http, "/first").text(), "in");
    let empty = get(server.http, "/empty");
    assert_eq!((empty.status(), empty.text()), (200, String::new()));
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.write_all(b"GET /close HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "{answer:?}");
}

/// Targets and answers as nginx 1.22 gives them for the same lines.
#[test]
fn alias_is_inherited_and_replaces_the_prefix_of_its_location() {
    let prefix = Prefix::new();
    for (file, text) in
        [("html/f.txt", "html"), ("data/f.txt", "data"), ("data/in/f.txt", "in"), ("data/d/f.txt", "d")]
    {
        prefix.write(file, text);
    }
    let root = prefix.path().display().to_string();
    let server = Server::start_in(
        prefix,
        &Conf::live("").http_server(&format!(
            "root {root}/html;
             location /a/ {{
                 alias {root}/data/;
                 location /a/in/ {{ add_header X-In yes; }}
                 location /a/root/ {{ root {root}/data; }}
                 location ~ /d/ {{ add_header X-In regex; }}
                 if ($arg_x) {{ add_header X-In if; }}
             }}
             location ~ ^/one/ {{ alias {root}/data/in/f.txt; }}"
        )),
    );
    let got = |target: &str| {
        let response = get(server.http, target);
        let text = if response.status() == 200 { response.text() } else { String::new() };
        (response.status(), text, response.header("x-in").unwrap_or("").to_owned())
    };
    let want = |status, text: &str, header: &str| (status, text.to_owned(), header.to_owned());
    assert_eq!(got("/a/f.txt"), want(200, "data", ""));
    assert_eq!(got("/a/in/f.txt"), want(200, "in", "yes"));
    assert_eq!(got("/a/root/f.txt"), want(404, "", ""));
    assert_eq!(got("/a/d/f.txt"), want(200, "d", "regex"));
    assert_eq!(got("/a/f.txt?x=1"), want(200, "data", "if"));
    assert_eq!(got("/one/any"), want(200, "in", ""));
}

#[test]
fn control_says_why_it_fails_and_decodes_what_it_is_told() {
    let server = Server::start(&Conf::live("").http_server("location /control { rtmp_control all; }"));
    let mut publisher = Publisher::start(server.rtmp, "a b%20c");
    for (target, why) in [
        ("/control/drop/publisher?app=live", "srv= is missing"),
        ("/control/record/start?app=live", "srv= is missing"),
        ("/control/drop/all?srv=default", "drop knows publisher, subscriber and client"),
        ("/control/record/start?srv=default&name=none", "no stream that is published"),
    ] {
        let answer = get(server.http, target);
        assert_eq!(answer.status(), 500, "{target}");
        assert!(answer.text().starts_with(why), "{}", answer.text());
        server.wait_log(&format!("control: {why}"));
    }
    let drop =
        |name: &str| get(server.http, &format!("/control/drop/publisher?srv=default&name={name}")).text();
    assert_eq!(drop("a%20b%20c"), "0");
    assert_eq!(drop("a%20b%2520c"), "1");
    publisher.client.wait_end();
}

#[test]
fn the_built_in_configuration_shows_statistics_to_this_machine_only() {
    let conf = include_str!("../conf/pingosd.conf");
    let location = &conf[conf.find("location /stat").unwrap()..];
    let location = &location[..=location.find('}').unwrap()];
    let server = Server::start(&Conf::live("").http_server(location));
    assert_eq!(get(server.http, "/stat").status(), 200);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let other: SocketAddr = ([127, 0, 0, 2], 0).into();
    socket.bind(&other.into()).unwrap();
    let here: SocketAddr = ([127, 0, 0, 1], server.http).into();
    socket.connect(&here.into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.write_all(b"GET /stat HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}
