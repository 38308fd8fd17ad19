//! Conditions, captures, `break` and `limit_except`, as nginx 1.22 answers the same lines and requests.

use std::process::Command;

use crate::support::http::{get, get_with, request};
use crate::support::server::{PROGRAM, Prefix};
use crate::support::{Conf, Server};

fn start(http_server: &str) -> Server {
    let prefix = Prefix::new();
    prefix.write("html/f.txt", "text");
    Server::start_in(prefix, &Conf::live("").http_server(http_server))
}

/// A status, and a text where there is one of ours.
fn want(status: u16, text: &str) -> (u16, String) {
    (status, text.to_owned())
}

#[test]
fn groups_of_outer_locations_and_of_the_server_name_have_values() {
    let server = start(
        r#"server_name ~^(?<sub>\w+)\.(test)$ exact.test;
           if ($sub = bad) { return 403; }
           location ~ ^/u/(?<user>[^/]+)/(x)? {
               location ~ \.txt$ { if ($user = bad) { return 403; } return 200 "u:$user:$1"; }
               return 200 "o:$user:$1:$sub";
           }
           location /s { return 200 "s:$sub:$1:$2"; }
           location /r { if ($sub ~ ^(g)) { return 200 "$1:$2:$sub"; } return 200 "$1:$2:$sub"; }
           location ~ ^/rr/(a) { return 200 "$1:$2:$sub"; }
           location /set { set $sub mine; return 200 "$sub"; }"#,
    );
    let asked = |target: &str, host: &str| {
        let response = get_with(server.http, target, &format!("Host: {host}\r\n"));
        (response.status(), if response.status() == 200 { response.text() } else { String::new() })
    };
    for (target, host, answer) in [
        ("/u/bad/a.txt", "h", want(403, "")),
        ("/u/good/a.txt", "h", want(200, "u:good:")),
        ("/u/me/b", "h", want(200, "o:me:me:")),
        ("/u/me/b", "good.test", want(200, "o:me:me:good")),
        ("/s", "bad.test", want(403, "")),
        ("/s", "good.test", want(200, "s:good:good:test")),
        ("/s", "GOOD.test:80", want(200, "s:good:good:test")),
        ("/s", "good.test.", want(200, "s:good:good:test")),
        ("/s", "exact.test", want(200, "s:::")),
        ("/s", "x.y", want(200, "s:::")),
        ("/r", "good.test", want(200, "g::good")),
        ("/rr/a", "good.test", want(200, "a::good")),
        ("/set", "good.test", want(200, "mine")),
    ] {
        assert_eq!(asked(target, host), answer, "{host}{target}");
    }
}

/// Groups and named groups are those of the latest match; a condition that does not match leaves no groups.
#[test]
fn the_latest_match_counts() {
    let server = start(
        r#"server_name ~^(?<sub>\w+)\.(test)$ exact.test;
           set $early "$1:$2:$sub";
           if ($arg_s ~ ^(?<sub>\w)(\w)) { set $w 1; }
           location /a { return 200 "$1:$2:$sub:$early"; }
           location ~ ^/b/(?<sub>\w+) { return 200 "$1:$2:$sub:$early"; }
           location ~ ^/c/ { return 200 "$1:$2:$sub"; }
           location ~ ^/d/(\w+) { if ($arg_q ~ ^z(\w)) { set $k 1; } return 200 "$1:$2:$sub"; }
           location ~ ^/e/(\w+) { if ($arg_q !~ ^z(\w)) { return 200 "not:$1:$2"; } return 200 "is:$1:$2"; }
           location ~ ^/f/(\w+) { if ($arg_q = 1) { return 200 "eq:$1"; } return 200 "ne:$1"; }
           location ~ ^/g/(\w+)/ {
               location ~ ^/g/\w+/(?<sub>\w+)/(x)? { return 200 "$1:$2:$sub"; }
               location ~ /nocap$ { return 200 "$1"; }
               return 200 "o:$1";
           }
           location ~ ^/h/(?<u>\w+) { set $u mine; return 200 "$u:$1"; }
           location /i { if ($arg_q ~ ^(?<u>\w+)) { return 200 "$u:$1"; } return 200 "$u:$1:$2"; }
           location ~ ^/j/(?<m>\w+) { if ($arg_q ~ ^(?<m>z)) { return 200 "$m"; } return 200 "$m:$1"; }
           location /l {
               if ($arg_q ~ ^(\w)(\w)?) { set $x $1; }
               if ($arg_q ~ ^\w) { set $y "[$1]"; }
               return 200 "$x$y";
           }
           location ~ ^/m(/(x))?(/(y))? { return 200 "$1:$2:$3:$4"; }"#,
    );
    for (target, host, answer) in [
        ("/a", "h", ":::::"),
        ("/a", "good.test", "::good:good:test:good"),
        ("/a", "exact.test", ":::::"),
        ("/a?s=xy", "good.test", "x:y:x:good:test:good"),
        ("/b/zz", "good.test", "zz::zz:good:test:good"),
        ("/b/zz?s=xy", "good.test", "zz::zz:good:test:good"),
        ("/c/", "good.test", "::good"),
        ("/c/?s=xy", "good.test", "::x"),
        ("/d/aa?q=zy", "h", "y::"),
        ("/d/aa?q=y", "h", "::"),
        ("/e/aa?q=zy", "h", "is:y:"),
        ("/e/aa?q=y", "h", "not::"),
        ("/f/aa?q=1", "h", "eq:aa"),
        ("/f/aa?q=2", "h", "ne:aa"),
        ("/g/a/b/x", "h", "b:x:b"),
        ("/g/a/b/", "good.test", "b::b"),
        ("/g/a/nocap", "h", ""),
        ("/g/a/", "h", "o:a"),
        ("/h/aa", "h", "mine:aa"),
        ("/i?q=ab", "h", "ab:ab"),
        ("/i?q=-", "h", "::"),
        ("/j/a?q=z", "h", "z"),
        ("/j/a?q=y", "h", "a:"),
        ("/l?q=ab", "h", "a[]"),
        ("/l?q=-", "h", ""),
        ("/m/x/y", "h", "/x:x:/y:y"),
        ("/m/x", "h", "/x:x::"),
        ("/m/y", "h", "::/y:y"),
        ("/m", "h", ":::"),
    ] {
        let got = get_with(server.http, target, &format!("Host: {host}\r\n")).text();
        assert_eq!(got, answer, "{host}{target}");
    }
}

#[test]
fn a_return_that_is_not_reached_answers_nothing() {
    let server = start(
        "root html;
         location /break { set $v 1; if ($arg_a) { break; } set $v 2; return 200 $v; }
         location /limit { limit_except POST { allow all; } return 200 in; }
         location /deny { limit_except POST { deny all; } return 200 in; }
         location /f.txt { if ($arg_a) { break; } return 403; }",
    );
    assert_eq!(get(server.http, "/break").text(), "2");
    assert_eq!(get(server.http, "/break?a=1").status(), 404);
    assert_eq!(get(server.http, "/limit").status(), 404);
    assert_eq!(get(server.http, "/deny").status(), 403);
    assert_eq!(request(server.http, "POST", "/limit", "Content-Length: 0\r\n").text(), "in");
    assert_eq!(
        (get(server.http, "/f.txt").status(), get(server.http, "/f.txt?a=1").text()),
        (403, "text".into())
    );
}

#[test]
fn methods_are_known_in_any_letter_case_and_others_are_refused() {
    let server = start("location /f.txt { limit_except get { deny all; } root html; }");
    assert_eq!(
        (get(server.http, "/f.txt").status(), request(server.http, "HEAD", "/f.txt", "").status()),
        (200, 200)
    );
    assert_eq!(request(server.http, "PURGE", "/f.txt", "").status(), 403);
    for (block, complaint) in [
        ("limit_except PURGE { deny all; }", "invalid method \"PURGE\""),
        (
            "limit_except GET { allow all; } limit_except POST { deny all; }",
            "\"limit_except\" directive is duplicate",
        ),
        ("limit_except GET { if ($args) { return 403; } }", "\"if\" directive is not allowed here"),
        ("limit_except GET { return 403; }", "\"return\" directive is not allowed here"),
        ("if ($arg_a) { if ($arg_b) { return 403; } }", "\"if\" directive is not allowed here"),
        ("if ($arg_a) { deny all; }", "\"deny\" directive is not allowed here"),
    ] {
        let prefix = Prefix::new();
        let conf = Conf::live("").http_server(&format!("location / {{ {block} }}"));
        prefix.write("conf/pingosd.conf", conf.text(1, 2, prefix.path()));
        let mut command = Command::new(PROGRAM);
        let told =
            command.arg("-t").arg("-p").arg(prefix.path()).arg("-c").arg(prefix.conf()).output().unwrap();
        let text = String::from_utf8(told.stderr).unwrap();
        assert!(
            !told.status.success() && text.contains(&format!("[emerg] {complaint} in ")),
            "{block}: {text}"
        );
    }
}

#[test]
fn conditions_of_every_kind_hold_before_every_handler() {
    let server = start(
        r#"root html;
           if ($arg_s = 1) { return 401; }
           if ($arg_s = 3) { break; }
           if ($arg_s ~ ^3) { return 402; }
           if ($http_referer ~* evil) { return 403; }
           location / { return 200 root; }
           location /deny { deny 127.0.0.1; return 200 first; }
           location /denied { deny 127.0.0.1; if ($arg_a) { set $w 1; } alias html/f.txt; }
           location /outer { if ($arg_a) { return 403; } location /outer/in { alias html/f.txt; } }
           location /both { limit_except POST { allow 127.0.0.1; deny all; } deny all; alias html/f.txt; }
           location /loose { deny all; limit_except POST { allow all; } alias html/f.txt; }
           location /empty { deny all; limit_except POST { } alias html/f.txt; }
           location /only { limit_except GET { deny all; } location /only/in { return 200 in; } }
           location /query { if ($query_string ~ "(^|&)t=ok(&|$)") { return 200 in; } return 403; }
           location /sum { if ($http_x_a != 1) { set $bad 1$bad; } if ($http_x_b != 1) { set $bad 2$bad; }
                           if ($bad ~ .) { return 403; } return 200 ok; }
           location /satisfy { satisfy any; allow 10.0.0.1; deny all; alias html/f.txt; }
           location /flv { if ($arg_t != ok) { return 403; } deny all; flv_live {rtmp_port} app=live; }
           location /ts { if ($request_method = GET) { return 403; } ts_live {rtmp_port} app=live; }
           location /hls2 { if ($remote_addr = 127.0.0.1) { return 403; } hls2_live {rtmp_port} app=live; }
           location /stat { if ($http_user_agent = "") { return 403; } rtmp_stat all; }
           location /control { valid_referers a.test; if ($invalid_referer) { return 403; } rtmp_control all; }"#,
    );
    let status =
        |method: &str, target: &str, headers: &str| request(server.http, method, target, headers).status();
    for (method, target, headers, answer) in [
        ("GET", "/?s=1", "", 401),
        ("GET", "/?s=3", "", 200),
        ("GET", "/?s=33", "", 402),
        ("GET", "/", "Referer: http://EVIL/\r\n", 403),
        ("GET", "/deny", "", 200),
        ("GET", "/denied", "", 403),
        ("GET", "/denied?a=1", "", 403),
        ("GET", "/outer?a=1", "", 403),
        ("GET", "/outer/in?a=1", "", 200),
        ("GET", "/both", "", 200),
        ("POST", "/both", "Content-Length: 0\r\n", 403),
        ("GET", "/loose", "", 200),
        ("GET", "/empty", "", 403),
        ("POST", "/only", "Content-Length: 0\r\n", 403),
        ("POST", "/only/in", "Content-Length: 0\r\n", 200),
        ("GET", "//only/../deny/./%2e%2e/denied", "", 403),
        ("GET", "/query?a=1&t=ok", "", 200),
        ("GET", "/query?xt=ok", "", 403),
        ("GET", "/sum", "X-A: 1\r\n", 403),
        ("GET", "/sum", "X-A: 1\r\nX-B: 1\r\n", 200),
        ("GET", "/satisfy", "", 403),
        ("GET", "/flv/s", "", 403),
        ("GET", "/flv/s?t=ok", "", 403),
        ("GET", "/ts/s.ts", "", 403),
        ("GET", "/hls2/s.m3u8", "", 403),
        ("GET", "/stat", "", 403),
        ("GET", "/stat", "User-Agent: a\r\n", 200),
        ("GET", "/control/drop/publisher?srv=default&app=live&name=s", "", 403),
        ("OPTIONS", "/control", "", 403),
        ("GET", "/control/drop/publisher?srv=default&app=live&name=s", "Referer: https://a.test/\r\n", 200),
    ] {
        assert_eq!(status(method, target, headers), answer, "{method} {target} {headers}");
    }
}

#[test]
fn the_index_of_a_directory_meets_what_guards_the_file() {
    let prefix = Prefix::new();
    for directory in ["", "sub/", "open/", "in/"] {
        prefix.write(&format!("html/{directory}index.html"), "index");
    }
    let conf = Conf::live("").http_server(
        r"root html;
          location = /index.html { deny all; }
          location ~ /sub/.*html$ { return 402; }
          location /open/ { if ($uri ~ html$) { add_header X-Uri $uri; } }
          location = /in/index.html { internal; }",
    );
    let server = Server::start_in(prefix, &conf);
    let status = |target: &str| get(server.http, target).status();
    assert_eq!((status("/"), status("/index.html")), (403, 403));
    assert_eq!((status("/sub/"), status("/sub/index.html"), status("/sub")), (402, 402, 301));
    let open = get(server.http, "/open/");
    assert_eq!((open.text(), open.header("x-uri")), ("index".into(), Some("/open/index.html")));
    assert_eq!((status("/in/"), status("/in/index.html"), status("/none/")), (200, 404, 404));
}

#[test]
fn conditions_see_values_of_maps_cookies_and_networks() {
    let prefix = Prefix::new();
    let conf = Conf::live("").http("map $uri $mapped { default 1; } geo $near { default 1; }").http_server(
        r#"location /mapped { if ($mapped) { return 403; } return 200 in; }
           location /near { if ($near = 1) { return 403; } return 200 in; }
           location /part { if ($arg_a = x$mapped) { return 403; } return 200 in; }
           location /kept { set $kept a$mapped; if ($kept = a1) { return 403; } return 200 in; }
           location /own { set $mapped 1; if ($mapped) { return 200 own; } return 403; }
           location ~ ^/group/(?<mapped>\w+)$ { if ($mapped = bad) { return 403; } return 200 $mapped; }
           location /cookie { if ($cookie_k = bad) { return 403; } return 200 in; }"#,
    );
    let server = Server::start_in(prefix, &conf);
    for target in ["/mapped", "/near", "/part?a=x1", "/kept"] {
        assert_eq!(get(server.http, target).status(), 403, "{target}");
    }
    assert_eq!(
        (get(server.http, "/part?a=x").text(), get(server.http, "/cookie").text()),
        ("in".into(), "in".into())
    );
    assert_eq!(get_with(server.http, "/cookie", "Cookie: a=b; k=bad\r\n").status(), 403);
    assert_eq!(get(server.http, "/own").text(), "own");
    assert_eq!(
        (get(server.http, "/group/a").text(), get(server.http, "/group/bad").status()),
        ("a".into(), 403)
    );
}
