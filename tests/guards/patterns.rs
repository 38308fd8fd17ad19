//! Regular expressions mean what they mean to nginx 1.22 with PCRE2, whose answers these are; where they reach their
//! limit, the request is refused.

use crate::support::http::{Connection, Response, get, get_with};
use crate::support::{Conf, Server};

/// Patterns, values of a header, and for each of them whether it matches; `E`: the limit is reached.
const MATCHES: &[(&str, &[&[u8]], &str)] = &[
    (r"^(?!x)\w+$", &[b"abc", b"xbc", b"\xe9"], "100"),
    (r"^a(?=\xe9)", &[b"a\xe9", b"a"], "10"),
    (r"^(?!bad)", &[b"good\xff", b"bad\xff"], "10"),
    (r"^[;&&|]+$", &[b";&|", b"a"], "10"),
    (r"^[~~]$", &[b"~", b"a"], "10"),
    (r"^[a-z&&[^b]]$", &[b"c]", b"&]", b"b]", b"[]", b"c"], "11110"),
    (r"^[a-c--b]$", &[b"b", b"-", b"a"], "111"),
    (r"^a\hx", &[b"a\tx", b"ahx"], "10"),
    (r"^a{,2}$", &[b"a{,2}", b"aa", b"a"], "100"),
    (r"^a{ 1 }$", &[b"a{ 1 }", b"a"], "10"),
    (r"^a{1,2}$", &[b"a{1,2}", b"aa", b"aaa"], "010"),
    (r"^[[a]]$", &[b"[]", b"a]", b"a"], "110"),
    (r"a++ab", &[b"aab"], "0"),
    (r"^\p{L}+$", &[b"ab", b"\xe9", b"1"], "110"),
    (r"^a\<b", &[b"a<b", b"ab"], "10"),
    (r"\Gx", &[b"x", b"ax"], "10"),
    (r"(?i)^k$", &[b"K", b"k", "\u{212a}".as_bytes()], "110"),
    (r"^.$", &[b"a", "\u{e9}".as_bytes(), b"\xe9"], "101"),
    (r"^\w+$", &["caf\u{e9}".as_bytes(), b"cafe"], "01"),
    (r"^[^a]$", &["\u{e9}".as_bytes(), b"\xe9"], "01"),
    (r"^(?>ab|a)c$", &[b"abc", b"ac"], "11"),
    (r"^\Qa.b\E$", &[b"a.b", b"axb"], "10"),
    (r"^(?<y>\d+)-\k<y>$", &[b"12-12", b"12-13"], "10"),
    (r"^(a+)+$", &[b"aaaa", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"], "1E"),
    (r"^\d$", &[b"1", "\u{661}".as_bytes()], "10"),
    (r"\bx\b", &[b"a x b", b"\xe9x"], "11"),
    (r"^a\Kb", &[b"ab"], "1"),
    (r"^\x{e9}$", &[b"\xe9", "\u{e9}".as_bytes()], "10"),
    (r"(?x) ^ a b $", &[b"ab", b"a b"], "10"),
];

/// A text for which `^(a+)+$` takes too many steps.
const ENDLESS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

fn ask(port: u16, target: &str, value: &[u8]) -> Response {
    let mut connection = Connection::open(port);
    let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nQ: ");
    connection.send(&[head.as_bytes(), value, b"\r\n\r\n"].concat());
    connection.response(false)
}

#[test]
fn conditions_match_as_by_nginx() {
    let mut locations = String::new();
    for (number, (pattern, ..)) in MATCHES.iter().enumerate() {
        locations += &format!(
            "location = /l{number} {{ if ($http_q ~ \"{pattern}\") {{ return 200 1; }} return 200 0; }}\n"
        );
    }
    let server = Server::start(&Conf::live("").http_server(&locations));
    for (number, (pattern, texts, want)) in MATCHES.iter().enumerate() {
        let mut got = String::new();
        for text in *texts {
            let answer = ask(server.http, &format!("/l{number}"), text);
            got += &if answer.status() == 500 { "E".into() } else { answer.text() };
        }
        assert_eq!(&got, want, "{pattern}");
    }
}

#[test]
fn locations_match_as_by_nginx() {
    let server = Server::start(&Conf::live("").http_server(
        r"location ~ \.flv$ { return 403; }
          location ~ ^/e/(a+)+$ { return 200 1; }
          location ~ ^/n/(?!x).*\.m3u8$ { return 403; }
          location ~* ^/CASE { return 200 c; }
          location ~ ^/dot.x$ { return 200 d; }
          location / { return 200 0; }",
    ));
    for (target, status, text) in [
        ("/vis.flv", 403, ""),
        ("/vis.flv%0A", 403, ""),
        ("/vis.flv%0Ax", 200, "0"),
        (&format!("/e/{ENDLESS}"), 500, ""),
        ("/n/%ff.m3u8", 403, ""),
        ("/n/a.m3u8", 403, ""),
        ("/n/x.m3u8", 200, "0"),
        ("/case", 200, "c"),
        ("/Case%ff", 200, "c"),
        ("/dot%0Ax", 200, "0"),
        ("/dot%C3%A9x", 200, "0"),
        ("/dot%E9x", 200, "d"),
    ] {
        let answer = get(server.http, target);
        assert_eq!(answer.status(), status, "{target}");
        assert!(status != 200 || answer.text() == text, "{target}: {}", answer.text());
    }
}

/// nginx says nothing at all to a host, and takes a referer as valid; here neither is served.
#[test]
fn a_pattern_at_its_limit_refuses() {
    let server = Server::start(&Conf::live("").http_server(
        r"server_name ~^(a+)+$;
          location / { return 200 in; }
          location /neither { if ($http_q !~ ^(a+)+$) { return 200 in; } return 200 out; }
          location /set { set $seen $invalid_referer; valid_referers ~^(a+)+$; return 200 in; }
          location /referer { valid_referers ~^(a+)+$; if ($invalid_referer) { return 403; } return 200 in; }
          location /rewrite { rewrite ^/rewrite/(a+)+$ /x; return 200 in; }",
    ));
    assert_eq!(get_with(server.http, "/", &format!("Host: {ENDLESS}\r\n")).status(), 500);
    assert_eq!(get_with(server.http, "/", "Host: aa\r\n").text(), "in");
    let referer = format!("Referer: http://{ENDLESS}\r\n");
    for (target, headers) in [
        ("/neither", &format!("Q: {ENDLESS}\r\n")),
        ("/set", &referer),
        ("/referer", &referer),
        (&format!("/rewrite/{ENDLESS}"), &String::new()),
    ] {
        assert_eq!(get_with(server.http, target, headers).status(), 500, "{target}");
    }
    assert!(server.log().contains("a regular expression has reached its limit on the host"));
}
