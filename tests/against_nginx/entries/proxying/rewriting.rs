//! What is changed in responses: addresses, cookies, and where `X-Accel-Redirect` leads.

use super::response;
use crate::backend::sends;
use crate::entry::{Entry, entry};

/// Bodies that are passed on part by part: the chunks that a backend gets, and `$request_body`.
pub(super) fn passed_parts() -> Entry {
    let mut found = entry("passed-parts").server(
        "proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection ''; add_header X-Body \"[$request_body]\" always;
         location / { proxy_pass http://{BACKEND}; }
         location /small { client_body_buffer_size 16; proxy_pass http://{BACKEND}; }",
    );
    for path in ["/a", "/small"] {
        let start = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let chunked = format!("{start}Transfer-Encoding: chunked\r\n\r\n");
        let long = format!("28\r\n{}\r\n5\r\nabcde\r\n5\r\nabcde\r\n", "x".repeat(40));
        for parts in [
            vec![format!("{start}Content-Length: 5\r\n\r\nhello")],
            vec![format!("{start}Content-Length: 5\r\n\r\nhe"), "llo".into()],
            vec![format!("{chunked}5\r\nhello\r\n0\r\n\r\n")],
            vec![format!("{chunked}5\r\nhello\r\n"), "1\r\nx\r\n0\r\n\r\n".into()],
            vec![chunked.clone(), "5\r\nhello\r\n5\r\nworld\r\n".into(), "0\r\n\r\n".into()],
            vec![format!("{chunked}5\r\nhe"), "llo\r\n5\r\nwo".into(), "rld\r\n0\r\n\r\n".into()],
            vec![chunked.clone(), long, "0\r\n\r\n".into()],
            vec![chunked.clone(), "0\r\n\r\n".into()],
        ] {
            found = found.parts(parts);
        }
    }
    found
}

/// Variables of the proxy once the request went on elsewhere.
pub(super) fn after_redirects() -> Entry {
    entry("after-redirects")
        .server(
            "location / { proxy_pass http://{BACKEND}; proxy_intercept_errors on; error_page 404 /said; error_page 403 @said; }
             location /said { return 200 \"[$proxy_host|$proxy_port|$upstream_status]\"; }
             location @said { return 200 \"[$proxy_host|$proxy_port|$upstream_status]\"; }
             location /again/ { proxy_pass http://{BACKEND}/; error_page 404 /x; }",
        )
        .asks([
            sends("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /said\r\n\r\n"),
            sends("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
            sends("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
            "/said".to_owned(),
        ])
}

pub(super) fn redirects() -> Entry {
    let places = ["/one", "/two", "/off", "/rules", "/var", "/none", "/several", "/default", "/absolute"];
    let mut found = entry("redirects").server(
        "location /one/ { proxy_pass http://{BACKEND}; }
         location /two/ { proxy_pass http://{BACKEND}/two/; }
         location /off/ { proxy_redirect off; proxy_pass http://{BACKEND}; }
         location /rules/ { proxy_redirect http://a.test/ /new/; proxy_redirect ~^http://b\\.test:(\\d+)/(.*)$ http://$host:$1/re/$2; proxy_pass http://{BACKEND}; }
         location /var/ { set $to {BACKEND}; proxy_pass http://$to; }
         location /none/ { proxy_redirect http://{BACKEND}/ ''; proxy_pass http://{BACKEND}; }
         location /several/ { proxy_pass http://{BACKEND}/; proxy_redirect default; proxy_redirect / /slash/; proxy_redirect ~*^HTTP://A /A; }
         location /default/ { proxy_pass http://{BACKEND}/two/; proxy_redirect default; }
         location /absolute/ { absolute_redirect off; proxy_pass http://{BACKEND}; }
         location = /answer { add_header Location $arg_l; add_header Refresh \"5; url=$arg_l\"; add_header X-R $arg_l; return 200 x; }",
    );
    found = found.http(
        "server { listen {ADDR}:{PORT2}; location / { add_header Refresh \"5; URL=http://{BACKEND}$arg_l\"; return 302 http://{BACKEND}$arg_l; } location /two/ { add_header Refresh \"0; url=/two$arg_l\"; return 301 http://{ADDR}:{PORT2}/two$arg_l; } location /plain { return 301 $arg_l; } }",
    );
    found = found.server(
        "location /p2/ { proxy_pass http://{ADDR}:{PORT2}; }
         location /p3/ { proxy_pass http://{ADDR}:{PORT2}/two/; }
         location /p4/ { proxy_pass http://{ADDR}:{PORT2}/; proxy_redirect http://{BACKEND}/ http://$http_host/; proxy_redirect http://{BACKEND}/two http://never/; }
         location /p5/ { proxy_pass http://{ADDR}:{PORT2}/plain/; proxy_redirect http://{ADDR}:{PORT2}/ /x/; }
         location /p6/ { proxy_pass http://{ADDR}:{PORT2}/two/; proxy_redirect off; }",
    );
    for place in ["/p2/", "/p3/", "/p4/", "/p5/", "/p6/"] {
        found = found.asks(["", "/", "/a", "/two/x", "/a?b"].map(|path| format!("{place}?l={path}")));
    }
    for place in places {
        for location in [
            "http://other/x",
            "/abs",
            "rel",
            "//host/x",
            "",
            "http://a.test/x/y",
            "http://b.test:81/q",
            "http://A/x",
        ] {
            let target = response(
                "301 Moved",
                &[&format!("Location: {location}"), &format!("Refresh: 3;url={location}")],
                "x",
            );
            found = found.ask(format!("{place}{target}"));
        }
    }
    found
}

pub(super) fn cookies() -> Entry {
    let cookies = [
        "a=b",
        "a=b; path=/one/x; domain=a.test",
        "a=b; Path=/one/x; Domain=.a.test; Secure",
        "a=b; path=/; HttpOnly; SameSite=Lax",
        "b; path=/one",
        "a=b;path=/one/;  domain=www.a.test",
        "flag=x; secure",
        "other=1; samesite=none",
        "a=b; path=/RE/x",
        "a=b; domain=B.TEST",
        "a=b; domain=.c.test",
        "a=b; domain=c.test",
        "",
        "a=b; path",
    ];
    let mut found = entry("cookies").server(
        "location /path/ { proxy_cookie_path /one/ /two/; proxy_cookie_path ~*^/re/(.*)$ /$1/; proxy_pass http://{BACKEND}/; }
         location /domain/ { proxy_cookie_domain a.test b.test; proxy_cookie_domain ~^www\\.(.*)$ $1; proxy_cookie_domain .b.test $host; proxy_cookie_domain c.test .d.test; proxy_pass http://{BACKEND}/; }
         location /flags/ { proxy_cookie_flags flag nosecure samesite=strict; proxy_cookie_flags ~ secure httponly samesite=lax; proxy_pass http://{BACKEND}/; }
         location /remove/ { proxy_cookie_flags ~ nosecure nohttponly nosamesite; proxy_pass http://{BACKEND}/; }
         location /off/ { proxy_cookie_path off; proxy_cookie_domain off; proxy_cookie_flags off; proxy_pass http://{BACKEND}/; }
         location /variable/ { set $flag samesite=strict; set $none ''; proxy_cookie_flags a $flag $none Secure; proxy_cookie_flags ~ $host nosecure; proxy_pass http://{BACKEND}/; }
         location /all/ { proxy_cookie_path / \"/; added\"; proxy_cookie_domain a.test $arg_d; proxy_cookie_flags a secure; proxy_pass http://{BACKEND}/; }",
    );
    for place in ["/path", "/domain", "/flags", "/remove", "/variable", "/off", "/all"] {
        found = found.asks(cookies.map(|cookie| {
            format!(
                "{place}{}",
                response(
                    "200 OK",
                    &[&format!("Set-Cookie: {cookie}"), "Set-Cookie: second=1; path=/one/"],
                    "x"
                )
            )
        }));
    }
    found
}

/// The type of a response that redirects, where the redirect leads to a page or to a backend's response without a type.
pub(super) fn carried_types() -> Entry {
    let without = response("200 OK", &["X-A: 1"], "without a type");
    let mut found = entry("accel-types").server(format!(
        "error_page 404 /page; location /page {{ return 401 page; }} location /p/ {{ proxy_pass http://{{BACKEND}}/; }}
         location /without {{ internal; proxy_pass http://{{BACKEND}}{without}; }} location /empty {{ internal; return 204; }}"
    ));
    for uri in ["/without", "/empty", "/none", "/../x", "", "/page"] {
        let target =
            response("200 OK", &[&format!("X-Accel-Redirect: {uri}"), "Content-Type: x/y"], "hidden");
        found = found.asks([format!("/p{target}"), format!("HEAD /p{target}")]);
    }
    found
}

pub(super) fn internal_redirects() -> Entry {
    let uris = [
        "/file.txt",
        "/dir/file.txt?a=b",
        "/internal/x",
        "@named",
        "@none",
        "/none",
        "/a%20b",
        "/../x",
        "",
        "?x",
        "/x/%2e%2e/y",
        "/%00",
        "/proxied/2",
    ];
    let mut found = entry("accel").unlike_errors("an address of a backend is shown as it was sent", r#"unsafe URI "/(x|%00|\\x00)"#)
        .server(
            "location /p/ { proxy_pass http://{BACKEND}/; }
             location /ignored/ { proxy_ignore_headers X-Accel-Redirect; proxy_pass http://{BACKEND}/; }
             location /passed/ { proxy_pass_header X-Accel-Redirect; proxy_pass http://{BACKEND}/; }
             location /internal/ { internal; return 200 \"internal $uri $args $request_method $upstream_http_x_a\"; }
             location @named { return 200 \"named $uri $request_method\"; }
             location /proxied/ { internal; proxy_pass http://{BACKEND}; add_header X-Addr \"$upstream_addr|$upstream_status\"; }",
        )
        .file("x", "y");
    for uri in uris {
        let target = response(
            "200 OK",
            &[
                &format!("X-Accel-Redirect: {uri}"),
                "Content-Type: x/y",
                "Set-Cookie: a=b",
                "X-A: 1",
                "Cache-Control: no-store",
                "Content-Disposition: z",
                "ETag: \"q\"",
            ],
            "hidden",
        );
        found = found.asks([
            format!("/p{target}"),
            format!("HEAD /p{target}"),
            format!("POST /p{target}\n\nbody"),
            format!("/ignored{target}"),
        ]);
    }
    found
}
