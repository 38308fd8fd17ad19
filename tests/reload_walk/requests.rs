//! Requests over HTTP: conditions, access, redirects and what is logged of them.

use std::time::{Duration, Instant};

use crate::http::{ask, ask_with, changes, changes_with, has_header, location};
use crate::support::http::{self, Connection, Response};
use crate::support::wait::until_true;
use crate::walk::{After, Case, Place, Walk, walk_with};

/// A row of a server of its own.
macro_rules! own_server {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: $row,
            place: Place::HttpServer,
            before: concat!("listen 127.0.0.1:{web}; ", $before),
            after: concat!("listen 127.0.0.1:{web}; ", $after),
            look: $look,
        }
    };
}

/// A row of `http` or of a server, with a server of its own.
macro_rules! own_http {
    ($row:literal, $before:literal, $after:literal, $server:literal, $look:expr) => {
        own_http!($row, $before, "", $after, "", $server, $look)
    };
    (
        $row:literal,
        $before:literal,
        $before_there:literal,
        $after:literal,
        $after_there:literal,
        $server:literal,
        $look:expr
    ) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!(
                $before,
                " server { listen 127.0.0.1:{web}; root {dir}/html; ",
                $before_there,
                $server,
                " }"
            ),
            after: concat!(
                $after,
                " server { listen 127.0.0.1:{web}; root {dir}/html; ",
                $after_there,
                $server,
                " }"
            ),
            look: $look,
        }
    };
}

pub(crate) use own_http;

pub const CASES: &[Case] = &[
    own_http!("trace/http_trace", "", "http_trace;", "add_header X $ntm_debug;", |walk| own_headers(
        walk,
        "/f",
        None,
        Some("0")
    )),
    location!(
        "addition/add_before_body",
        "addition_types *;",
        "addition_types *; add_before_body /{app}/f;",
        |walk| {
            changes(walk, "f", |response| response.text() == "text", |response| response.text() == "texttext")
        }
    ),
    location!(
        "addition/add_after_body",
        "addition_types *;",
        "addition_types *; add_after_body /{app}/f;",
        |walk| {
            changes(walk, "f", |response| response.text() == "text", |response| response.text() == "texttext")
        }
    ),
    location!(
        "addition/addition_types",
        "addition_types text/css; add_after_body /{app}/f;",
        "addition_types *; add_after_body /{app}/f;",
        |walk| {
            changes(walk, "f", |response| response.text() == "text", |response| response.text() == "texttext")
        }
    ),
    location!(
        "auth request/auth_request",
        "auth_request off;",
        "auth_request /{app}/none;",
        |walk| statuses(walk, "f", "", 200, 500)
    ),
    location!(
        "auth request/auth_request_set",
        "auth_request /{app}/f; auth_request_set $v_{app} old; add_header X $v_{app};",
        "auth_request /{app}/f; auth_request_set $v_{app} new; add_header X $v_{app};",
        |walk| has_header(walk, "f", "x", Some("old"), Some("new"))
    ),
    location!(
        "multiport/broadcast",
        "return 200 own;",
        "broadcast 7 /{app}/b; return 200 own; location /{app}/b/ { return 200 b; }",
        |walk| {
            changes(walk, "f", |response| response.text() == "own", |response| response.text() == "bb")
        }
    ),
    location!(
        "multiport/broadcast_rewrite_prefix",
        "broadcast 7 /{app}/b; return 200; location /{app}/b/ { return 200 b; }",
        "broadcast 7 /{app}/b; broadcast_rewrite_prefix b c; return 200; location /{app}/b/ { return 200 b; }",
        |walk| { changes(walk, "f", |response| response.text() == "bb", |response| response.text() == "cb") }
    ),
    location!(
        "multiport/broadcast_suffix",
        "broadcast 7 /{app}/b; return 200; location /{app}/b/ { return 200 b; }",
        "broadcast 7 /{app}/b; broadcast_suffix c; return 200; location /{app}/b/ { return 200 b; }",
        |walk| {
            changes(walk, "f", |response| response.text() == "bb", |response| response.text() == "bbc")
        }
    ),
    location!("headers/add_trailer", "", "add_trailer X-Trailer yes;", |walk| {
        has_header(walk, "f", "transfer-encoding", None, Some("chunked"))
    }),
    location!(
        "headers/add_trailer_inherit",
        "add_trailer X-Trailer yes; add_trailer_inherit on; location /{app}/f { alias {dir}/html/f; add_trailer_inherit off; }",
        "add_trailer X-Trailer yes; add_trailer_inherit on; location /{app}/f { alias {dir}/html/f; add_trailer_inherit on; }",
        |walk| has_header(walk, "f", "transfer-encoding", None, Some("chunked"))
    ),
    location!(
        "browser/ancient_browser",
        "ancient_browser Old; modern_browser unlisted; add_header X [$ancient_browser];",
        "ancient_browser Agent; modern_browser unlisted; add_header X [$ancient_browser];",
        |walk| headers(walk, "f", "User-Agent: Agent\r\n", "[]", "[1]")
    ),
    location!(
        "browser/ancient_browser_value",
        "ancient_browser_value a; add_header X [$ancient_browser];",
        "ancient_browser_value b; add_header X [$ancient_browser];",
        |walk| headers(walk, "f", "User-Agent: Agent\r\n", "[a]", "[b]")
    ),
    location!(
        "browser/modern_browser",
        "modern_browser opera 9; add_header X [$modern_browser];",
        "modern_browser unlisted; add_header X [$modern_browser];",
        |walk| headers(walk, "f", "User-Agent: Agent\r\n", "[]", "[1]")
    ),
    location!(
        "browser/modern_browser_value",
        "modern_browser unlisted; modern_browser_value a; add_header X [$modern_browser];",
        "modern_browser unlisted; modern_browser_value b; add_header X [$modern_browser];",
        |walk| headers(walk, "f", "User-Agent: Agent\r\n", "[a]", "[b]")
    ),
    location!(
        "http auth/auth_basic",
        "auth_basic off; auth_basic_user_file {dir}/html/users;",
        "auth_basic realm; auth_basic_user_file {dir}/html/users;",
        |walk| statuses(walk, "f", "", 200, 401)
    ),
    location!(
        "http auth/auth_basic_user_file",
        "auth_basic realm; auth_basic_user_file {dir}/html/f;",
        "auth_basic realm; auth_basic_user_file {dir}/html/users;",
        |walk| statuses(walk, "f", "Authorization: Basic dTpw\r\n", 401, 200)
    ),
    location!(
        "http core/absolute_redirect",
        "return 301 /x;",
        "absolute_redirect off; return 301 /x;",
        |walk| {
            let is_absolute =
                |response: &Response| response.header("location").unwrap().starts_with("http://");
            changes(walk, "f", is_absolute, move |response| !is_absolute(response))
        }
    ),
    own_server!(
        "http core/client_header_buffer_size",
        "client_header_buffer_size 32; large_client_header_buffers 1 64; return 204;",
        "client_header_buffer_size 4k; large_client_header_buffers 1 64; return 204;",
        |walk| own_statuses(walk, "/", LONG_HEADERS, 400, 204)
    ),
    own_server!(
        "http core/large_client_header_buffers",
        "client_header_buffer_size 32; large_client_header_buffers 1 64; return 204;",
        "client_header_buffer_size 32; large_client_header_buffers 4 1k; return 204;",
        |walk| own_statuses(walk, "/", LONG_HEADERS, 400, 204)
    ),
    own_server!(
        "http core/max_headers",
        "max_headers 2; return 204;",
        "max_headers 3; return 204;",
        |walk| own_statuses(walk, "/", "a: b\r\n", 400, 204)
    ),
    own_server!(
        "http core/client_body_early_read",
        "client_body_early_read 0; return 200 [$request_body];",
        "client_body_early_read 0 1; return 200 [$request_body];",
        |walk| own_texts(walk, "/", "Content-Length: 1\r\n\r\nx", "[]", "[x]")
    ),
    location!("http core/error_page", "", "error_page 404 =200 /{app}/f;", |walk| statuses(
        walk, "none", "", 404, 200
    )),
    location!(
        "http core/if_modified_since",
        "if_modified_since exact;",
        "if_modified_since before;",
        |walk| statuses(walk, "f", "If-Modified-Since: Fri, 31 Dec 2099 23:59:59 GMT\r\n", 200, 304)
    ),
    own_server!(
        "http core/ignore_invalid_headers",
        "ignore_invalid_headers on; return 200 [$http_a_b];",
        "ignore_invalid_headers off; return 200 [$http_a_b];",
        |walk| own_texts(walk, "/", "a_b: c\r\n", "[]", "[c]")
    ),
    own_server!(
        "http core/underscores_in_headers",
        "underscores_in_headers off; return 200 [$http_a_b];",
        "underscores_in_headers on; return 200 [$http_a_b];",
        |walk| own_texts(walk, "/", "a_b: c\r\n", "[]", "[c]")
    ),
    location!(
        "http core/keepalive_disable",
        "keepalive_disable none;",
        "keepalive_disable safari;",
        |walk| {
            let headers = "User-Agent: Mac OS X Safari/1\r\n";
            let has =
                |value: &'static str| move |response: &Response| response.header("connection") == Some(value);
            changes_with(walk, "f", headers, has("keep-alive"), has("close"))
        }
    ),
    location!("http core/limit_rate", "", "limit_rate 100;", |walk| {
        statuses(walk, "f", "", 200, 200)();
        Box::new(move || assert!(time_of(walk) >= Duration::from_secs(1)))
    }),
    location!(
        "http core/limit_rate_after",
        "limit_rate 100;",
        "limit_rate 100; limit_rate_after 1m;",
        |walk| {
            let before = time_of(walk);
            Box::new(move || assert!(time_of(walk) < before))
        }
    ),
    location!("http core/log_not_found", "log_not_found off;", "log_not_found on;", |walk| {
        logs_request(walk, "none", "/none\" failed (2: No such file")
    }),
    own_server!(
        "http core/log_subrequest",
        "log_subrequest off; access_log {dir}/logs/{app}.log; mirror /mirrored; root {dir}/html;",
        "log_subrequest on; access_log {dir}/logs/{app}.log; mirror /mirrored; root {dir}/html;",
        |walk| {
            http::get(walk.web, "/f");
            Box::new(move || {
                http::get(walk.web, "/f");
                let path = walk.server.prefix().path().join(format!("logs/{}.log", walk.own_app));
                until_true("the subrequest is logged", || {
                    std::fs::read_to_string(&path).unwrap_or_default().contains(" 404 ")
                });
            })
        }
    ),
    location!("http core/max_ranges", "max_ranges 1;", "max_ranges 0;", |walk| statuses(
        walk,
        "f",
        "Range: bytes=0-1\r\n",
        206,
        200
    )),
    own_server!(
        "http core/merge_slashes",
        "merge_slashes on; return 200 $uri;",
        "merge_slashes off; return 200 $uri;",
        |walk| own_texts(walk, "/a//b", "", "/a/b", "/a//b")
    ),
    location!(
        "http core/msie_padding",
        "msie_padding on; return 404;",
        "msie_padding off; return 404;",
        |walk| {
            let is_padded = |response: &Response| response.text().contains("padding");
            changes_with(walk, "f", "User-Agent: MSIE 5.0\r\n", is_padded, move |response| {
                !is_padded(response)
            })
        }
    ),
    location!(
        "http core/port_in_redirect",
        "return 301 /x;",
        "port_in_redirect off; return 301 /x;",
        |walk| {
            let has_port =
                |response: &Response| response.header("location").unwrap().matches(':').count() == 2;
            changes(walk, "f", has_port, move |response| !has_port(response))
        }
    ),
    own_server!(
        "http core/recursive_error_pages",
        "recursive_error_pages off; error_page 404 /a; error_page 403 /b; location /a { return 403; } location /b { return 200 b; } location / { return 404; }",
        "recursive_error_pages on; error_page 404 /a; error_page 403 /b; location /a { return 403; } location /b { return 200 b; } location / { return 404; }",
        |walk| {
            assert!(http::get(walk.web, "/").text().contains("403 Forbidden"));
            Box::new(move || assert_eq!(http::get(walk.web, "/").text(), "b"))
        }
    ),
    location!(
        "http core/auth_delay",
        "auth_delay 0; auth_basic realm; auth_basic_user_file {dir}/html/users;",
        "auth_delay 10ms; auth_basic realm; auth_basic_user_file {dir}/html/users;",
        |walk| {
            let asks = changes_with(walk, "f", "", |r| r.status() == 401, |r| r.status() == 401);
            Box::new(move || {
                asks();
                walk.server.wait_log("delaying unauthorized request");
            })
        }
    ),
    location!(
        "http core/satisfy",
        "satisfy all; allow all; auth_basic realm; auth_basic_user_file {dir}/html/users;",
        "satisfy any; allow all; auth_basic realm; auth_basic_user_file {dir}/html/users;",
        |walk| statuses(walk, "f", "", 401, 200)
    ),
    own_server!(
        "http core/server_name_in_redirect",
        "server_name name.test; server_name_in_redirect off; return 301 /x;",
        "server_name name.test; server_name_in_redirect on; return 301 /x;",
        |walk| {
            let named = |response: &Response| response.header("location").unwrap().contains("name.test");
            assert!(!named(&http::get(walk.web, "/")));
            Box::new(move || assert!(named(&http::get(walk.web, "/"))))
        }
    ),
    location!("http static/index", "index none;", "index f.txt;", |walk| statuses(walk, "", "", 403, 200)),
    location!("http static/try_files", "try_files $uri =404;", "try_files $uri =410;", |walk| statuses(
        walk, "none", "", 404, 410
    )),
    own_http!(
        "map/map",
        "map $uri $m_{app} { default old; }",
        "map $uri $m_{app} { default new; }",
        "return 200 $m_{app};",
        |walk| { own_http_texts(walk, "old", "new") }
    ),
    own_http!(
        "map/geo",
        "geo $g_{app} { default old; }",
        "geo $g_{app} { default new; }",
        "return 200 $g_{app};",
        |walk| { own_http_texts(walk, "old", "new") }
    ),
    own_http!(
        "map/split_clients",
        "split_clients x $s_{app} { * old; }",
        "split_clients x $s_{app} { * new; }",
        "return 200 $s_{app};",
        |walk| own_http_texts(walk, "old", "new")
    ),
    location!("mirror/mirror", "mirror off;", "mirror /{app}/mirrored;", |walk| {
        logs_request(walk, "f", "/mirrored\" failed (2: No such file")
    }),
    location!(
        "realip/set_real_ip_from",
        "set_real_ip_from 1.2.3.4; add_header X $remote_addr;",
        "set_real_ip_from 127.0.0.0/8; add_header X $remote_addr;",
        |walk| headers(walk, "f", "X-Real-IP: 9.9.9.9\r\n", "127.0.0.1", "9.9.9.9")
    ),
    location!(
        "realip/real_ip_header",
        "set_real_ip_from 127.0.0.0/8; real_ip_header X-One; add_header X $remote_addr;",
        "set_real_ip_from 127.0.0.0/8; real_ip_header X-Two; add_header X $remote_addr;",
        |walk| headers(walk, "f", "X-One: 1.1.1.1\r\nX-Two: 2.2.2.2\r\n", "1.1.1.1", "2.2.2.2")
    ),
    location!(
        "realip/real_ip_recursive",
        "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; add_header X $remote_addr;",
        "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on; add_header X $remote_addr;",
        |walk| headers(walk, "f", "X-Forwarded-For: 9.9.9.9, 127.0.0.5\r\n", "127.0.0.5", "9.9.9.9")
    ),
    location!("rewrite/rewrite", "rewrite nothing /x;", "rewrite none$ /{app}/f last;", |walk| statuses(
        walk, "none", "", 404, 200
    )),
    location!(
        "rewrite/rewrite_log",
        "rewrite x$ /{app}/f last;",
        "rewrite_log on; rewrite x$ /{app}/f last;",
        |walk| { logs_request(walk, "x", "rewritten data: \"") }
    ),
    location!(
        "rewrite/uninitialized_variable_warn",
        "uninitialized_variable_warn off; if ($u_{app}) { return 400; } if ($uri = x) { set $u_{app} x; }",
        "uninitialized_variable_warn on; if ($u_{app}) { return 400; } if ($uri = x) { set $u_{app} x; }",
        |walk| logs_request(walk, "f", "using uninitialized \"u_")
    ),
    location!(
        "secure link/secure_link",
        "secure_link $arg_b; secure_link_md5 new; add_header X [$secure_link];",
        "secure_link $arg_a; secure_link_md5 new; add_header X [$secure_link];",
        |walk| headers(walk, "f?a=Iq9kXRhZy1ym2gxITx836g", "", "[]", "[1]")
    ),
    location!(
        "secure link/secure_link_md5",
        "secure_link $arg_a; secure_link_md5 old; add_header X [$secure_link];",
        "secure_link $arg_a; secure_link_md5 new; add_header X [$secure_link];",
        |walk| headers(walk, "f?a=Iq9kXRhZy1ym2gxITx836g", "", "[]", "[1]")
    ),
    location!(
        "secure link/secure_link_secret",
        "secure_link_secret old; add_header X [$secure_link] always;",
        "secure_link_secret new; add_header X [$secure_link] always;",
        |walk| headers(walk, "d33a89862630d74557141a5c883888ec/f", "", "[]", "[f]")
    ),
    location!("stub status/stub_status", "", "stub_status;", |walk| {
        changes(
            walk,
            "f",
            |response| response.text() == "text",
            |response| response.text().starts_with("Active connections: "),
        )
    }),
    location!("userid/userid", "userid off;", "userid on;", |walk| {
        let has_cookie = |response: &Response| response.header("set-cookie").is_some();
        changes(walk, "f", move |response| !has_cookie(response), has_cookie)
    }),
    location!("userid/userid_name", "userid on;", "userid on; userid_name other;", |walk| cookies(
        walk, "uid=", "other="
    )),
    location!("userid/userid_domain", "userid on;", "userid on; userid_domain a.test;", |walk| cookies(
        walk,
        "uid=",
        "; domain=a.test"
    )),
    location!("userid/userid_path", "userid on;", "userid on; userid_path /own;", |walk| cookies(
        walk,
        "; path=/",
        "; path=/own"
    )),
    location!("userid/userid_expires", "userid on;", "userid on; userid_expires max;", |walk| cookies(
        walk,
        "uid=",
        "; expires="
    )),
    location!("userid/userid_flags", "userid on;", "userid on; userid_flags httponly;", |walk| cookies(
        walk,
        "uid=",
        "; httponly"
    )),
    location!(
        "userid/userid_mark",
        "userid on; userid_mark A;",
        "userid on; userid_mark B;",
        |walk| cookies(walk, "A=;", "B=;")
    ),
    location!(
        "userid/userid_service",
        "userid on; userid_service 1;",
        "userid on; userid_service 2;",
        |walk| cookies(walk, "uid=AAAAAW", "uid=AAAAAm")
    ),
    location!("userid/userid_p3p", "userid on;", "userid on; userid_p3p own;", |walk| has_header(
        walk,
        "f",
        "p3p",
        None,
        Some("own")
    )),
];

/// Headers of about 120 bytes.
const LONG_HEADERS: &str = "A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nB: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nC: cccccccccccccccccccc\r\n";

fn statuses<'w>(
    walk: &'w Walk<'w>,
    file: &'static str,
    headers: &'static str,
    old: u16,
    new: u16,
) -> After<'w> {
    changes_with(
        walk,
        file,
        headers,
        move |response| response.status() == old,
        move |response| response.status() == new,
    )
}

/// The value of `X` changes.
fn headers<'w>(
    walk: &'w Walk<'w>,
    file: &'static str,
    headers: &'static str,
    old: &'static str,
    new: &'static str,
) -> After<'w> {
    changes_with(
        walk,
        file,
        headers,
        move |response| response.header("x") == Some(old),
        move |response| response.header("x") == Some(new),
    )
}

/// The cookie has a part.
fn cookies<'w>(walk: &'w Walk<'w>, old: &'static str, new: &'static str) -> After<'w> {
    let has = |part: &'static str| {
        move |response: &Response| {
            response.header("set-cookie").is_some_and(|cookie| format!("{cookie};").contains(part))
        }
    };
    changes(walk, "f", has(old), has(new))
}

/// A request is logged only afterwards.
fn logs_request<'w>(walk: &'w Walk<'w>, file: &'static str, text: &'static str) -> After<'w> {
    let mut connection = Connection::open(walk.web);
    ask(walk, &mut connection, file);
    let place = walk.own_app.clone();
    let count = move || {
        walk.server.log_lines(text).iter().filter(|line| line.contains(&format!("/{place}/"))).count()
    };
    let before = count();
    Box::new(move || {
        ask(walk, &mut connection, file);
        until_true("the request is logged", || count() > before);
    })
}

/// Time that a response takes.
fn time_of(walk: &Walk<'_>) -> Duration {
    let mut connection = Connection::open(walk.web);
    let began = Instant::now();
    ask_with(walk, &mut connection, "f", "");
    began.elapsed()
}

fn own_statuses<'w>(
    walk: &'w Walk<'w>,
    target: &'static str,
    headers: &'static str,
    old: u16,
    new: u16,
) -> After<'w> {
    assert_eq!(http::get_with(walk.web, target, headers).status(), old);
    Box::new(move || assert_eq!(http::get_with(walk.web, target, headers).status(), new))
}

fn own_texts<'w>(
    walk: &'w Walk<'w>,
    target: &'static str,
    headers: &'static str,
    old: &'static str,
    new: &'static str,
) -> After<'w> {
    assert_eq!(http::get_with(walk.web, target, headers).text(), old);
    Box::new(move || assert_eq!(http::get_with(walk.web, target, headers).text(), new))
}

fn own_http_texts<'w>(walk: &'w Walk<'w>, old: &'static str, new: &'static str) -> After<'w> {
    assert_eq!(http::get(walk.own_web, "/").text(), old);
    Box::new(move || assert_eq!(http::get(walk.own_web, "/").text(), new))
}

/// The value of `X` of the case's own server changes.
pub fn own_headers<'w>(
    walk: &'w Walk<'w>,
    target: &'static str,
    old: Option<&'static str>,
    new: Option<&'static str>,
) -> After<'w> {
    assert_eq!(http::get(walk.own_web, target).header("x"), old);
    Box::new(move || assert_eq!(http::get(walk.own_web, target).header("x"), new))
}

#[test]
fn requests() {
    walk_with(CASES, |prefix| {
        for name in ["f", "f.txt"] {
            prefix.write(&format!("html/{name}"), "text");
        }
        prefix.write("html/users", "u:{PLAIN}p\n");
    });
}
