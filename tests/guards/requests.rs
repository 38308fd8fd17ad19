//! What requests say, as nginx 1.22 takes it: targets, hosts, headers, and heads that it refuses.

use crate::support::http::{Connection, Response, get, get_with};
use crate::support::{Conf, Server};

/// One request with these lines behind the first, on a connection of its own.
fn raw(port: u16, lines: &str) -> Response {
    let mut connection = Connection::open(port);
    connection.send(lines.as_bytes());
    connection.response(false)
}

#[test]
fn what_is_internal_stays_so_further_inside() {
    let server = Server::start(&Conf::live("").http_server(
        r"location /in {
              internal;
              location /in/a { return 200 a; }
              location ~ \.x$ { return 200 x; }
              location = /in/b { flv_live {rtmp_port} app=live; }
          }
          location /out { return 200 out; }",
    ));
    for target in ["/in", "/in/a", "/in/a.x", "/in/b", "/in/b.x"] {
        assert_eq!(get(server.http, target).status(), 404, "{target}");
    }
    assert_eq!(get(server.http, "/out").text(), "out");
}

#[test]
fn a_host_has_no_final_dot_and_no_port() {
    let server = Server::start(&Conf::live("").http(
        r#"server { listen {http_port}; location / { return 200 $host; } }
           server { listen {http_port}; server_name *.a.com; location / { return 200 "wild $host"; } }"#,
    ));
    for (host, text) in [
        ("a.", "a"),
        ("A.B.", "a.b"),
        ("a.:80", "a"),
        ("[::1].", "[::1]"),
        ("[::1]x", "[::1]"),
        ("[::1", "[::1"),
        ("user:x@a.com", "user"),
        (".a.com", "wild .a.com"),
        ("x.a.com.", "wild x.a.com"),
        ("a.com.", "a.com"),
    ] {
        let answer = get_with(server.http, "/", &format!("Host: {host}\r\n"));
        assert_eq!((answer.status(), answer.text().as_str()), (200, text), "{host}");
    }
    assert_eq!(get_with(server.http, "/", "Host: a..\r\n").status(), 400);
}

#[test]
fn the_target_is_known_as_it_was_sent() {
    let server = Server::start(&Conf::live("").http_server(
        r#"location / { if ($request_uri ~ "//") { return 403; } return 200 "$request_uri|$uri|$args|$is_args"; }"#,
    ));
    for (target, text) in [
        ("/u?a#b", "/u?a#b|/u|a|?"),
        ("/a#b?c", "/a#b?c|/a||"),
        ("/a?b#c?d", "/a?b#c?d|/a|b|?"),
        ("/u#", "/u#|/u||"),
        ("/a%23b", "/a%23b|/a#b||"),
        ("/%2e/u", "/%2e/u|/u||"),
        ("/a?x=%zz", "/a?x=%zz|/a|x=%zz|?"),
        ("/a??b", "/a??b|/a|?b|?"),
        ("http://h/u#x", "/u#x|/u||"),
        ("http://h?a=1", "?a=1|/|a=1|?"),
        ("http://h", "/|/||"),
    ] {
        let answer = get(server.http, target);
        assert_eq!((answer.status(), answer.text().as_str()), (200, text), "{target}");
    }
    for target in ["/a#//b", "/a//b", "//a"] {
        assert_eq!(get(server.http, target).status(), 403, "{target}");
    }
    // A body is no request; what follows it is.
    let mut connection = Connection::open(server.http);
    let body = "GET /no#//x HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = body.len();
    connection.send(
        format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}\
             POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n\
             GET /c#d HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        .as_bytes(),
    );
    for text in ["/a|/a||", "/b|/b||", "/c#d|/c||"] {
        assert_eq!(connection.response(false).text(), text);
    }
}

#[test]
fn headers_that_come_several_times() {
    let server = Server::start(&Conf::live("").http_server(
        r#"location / { return 200 "$http_cookie|$http_x_forwarded_for|$http_x_a|$http_user_agent"; }
           location /guard { if ($http_cookie ~ bad) { return 403; } return 200 in; }"#,
    ));
    for (headers, text) in [
        ("Cookie: a=1\r\nCookie: b=2\r\n", "a=1; b=2|||"),
        ("Cookie: \r\nCookie: x=1\r\n", "; x=1|||"),
        ("X-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\n", "|1, 2||"),
        ("X-A: 1\r\nx-a: 2\r\nUser-Agent: 1\r\nUser-Agent: 2\r\n", "||1, 2|1, 2"),
    ] {
        assert_eq!(get_with(server.http, "/", headers).text(), text, "{headers}");
    }
    assert_eq!(get_with(server.http, "/guard", "Cookie: a\r\nCookie: bad\r\n").status(), 403);
    for name in
        ["Authorization", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "If-Range"]
    {
        let headers = format!("{name}: a\r\n{name}: b\r\n");
        assert_eq!(get_with(server.http, "/", &headers).status(), 400, "{name}");
    }
    let many: String = (0..150).map(|number| format!("X{number}: 1\r\n")).collect();
    assert_eq!(get_with(server.http, "/", &many).status(), 200);
}

#[test]
fn heads_that_nginx_refuses() {
    let server = Server::start(&Conf::live("").http_server("location / { return 200 in; }"));
    let told = |first: &str, headers: &str| {
        raw(server.http, &format!("{first} HTTP/1.1\r\nHost: h\r\n{headers}\r\n2\r\nab\r\n0\r\n\r\n"))
            .status()
    };
    for (target, status) in [
        ("http://user@a.com/", 400),
        ("http://user:pw@a.com/", 400),
        ("http://a_b/", 400),
        ("http://a!b/", 400),
        ("http://a:x/", 400),
        ("http://a..b/", 400),
        ("http://a.com#x", 400),
        ("#x", 400),
        ("http://a-b/", 200),
        ("http://.a.com/", 200),
        ("http://a.com:/", 200),
        ("http://[::1]:80/", 200),
        ("/", 200),
    ] {
        assert_eq!(told(&format!("GET {target}"), "Connection: close\r\n"), status, "{target}");
    }
    for (headers, status) in [
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 2\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, chunked\r\n", 501),
        ("Transfer-Encoding: Chunked\r\nConnection: close\r\n", 200),
    ] {
        for method in ["POST", "GET"] {
            assert_eq!(told(&format!("{method} /"), headers), status, "{method} {headers}");
        }
    }
    for (method, status) in [("get", 400), ("GET2", 400), ("CONNECT", 405), ("TRACE", 405), ("G-T", 200)] {
        assert_eq!(told(&format!("{method} /"), "Connection: close\r\n"), status, "{method}");
    }
}
