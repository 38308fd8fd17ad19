//! Cached responses: what is kept, for how long, and how it is sent.
//!
//! The key of most entries is `$arg_k`: what the backend would answer differs from request to request, so that the body tells whether
//! the response was kept.

use crate::backend::sends;
use crate::entry::{Entry, Step, entry, request};

pub fn entries() -> Vec<Entry> {
    vec![
        kept(),
        times(),
        ignored(),
        statuses(),
        methods(),
        conditions(),
        ranges(),
        forced_ranges(),
        range_offset(),
        varying(),
        bypassed(),
        uses(),
        stale(),
        revalidated(),
        errors(),
        heads(),
        keys(),
        sliced(),
        wrong_slices(),
        unbuffered(),
        asked(),
    ]
}

/// The answer to a subrequest, whose body is sent to no client.
fn asked() -> Entry {
    entry("cache-asked")
        .http("proxy_cache_path {ROOT}/temp/cache-asked levels=1:2 keys_zone=cache-asked:1m;")
        .server(format!(
            "proxy_cache cache-asked; proxy_cache_key x; proxy_cache_valid 1m;
             location /guarded/ {{ alias {{ROOT}}/html/; auth_request /ask; auth_request_set $found $upstream_cache_status; add_header X-Cache $found always; }}
             location = /ask {{ internal; proxy_pass http://{{BACKEND}}{}; }}",
            sends("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
        ))
        .keep(["/guarded/a.txt", "/guarded/a.txt", "/guarded/none"])
}

/// An entry with a zone, whose server says how a response was found.
fn cached(name: &'static str, text: &str) -> Entry {
    entry(name)
        .http(format!("proxy_cache_path {{ROOT}}/temp/{name} levels=1:2 keys_zone={name}:1m;"))
        .server(format!(
            "proxy_cache {name}; proxy_cache_key $arg_k; add_header X-Cache $upstream_cache_status always; {text}"
        ))
}

/// The target that makes the backend send a response, cached under a key.
fn response(key: &str, line: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let sent = sends(&format!("HTTP/1.1 {line}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()));
    format!("{sent}?k={key}")
}

fn ok(key: &str, headers: &[&str], body: &str) -> String {
    response(key, "200 OK", headers, body)
}

fn raw(key: &str, text: &str) -> String {
    format!("{}?k={key}", sends(text))
}

/// A request after a pause: a response that no request waits for is stored meanwhile.
fn later(short: String) -> Vec<Step> {
    vec![Step::Pause, Step::Send(request(&short, true)), Step::Read(1)]
}

fn kept() -> Entry {
    cached("cache-kept", "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }").asks([
        ok(
            "a",
            &["X-A: b", "Content-Type: text/plain", "Server: x", "Date: Mon, 01 Jan 2024 00:00:00 GMT"],
            "first",
        ),
        ok("a", &[], "second"),
        ok("b", &["Set-Cookie: a=b"], "first"),
        ok("b", &[], "second"),
        ok("b", &[], "third"),
        raw("c", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ok("c", &[], "second"),
        raw("d", "HTTP/1.0 200 OK\r\n\r\nto the end"),
        ok("d", &[], "second"),
        raw("e", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        ok("e", &[], "second"),
        ok("f", &[], ""),
        ok("f", &[], "second"),
        ok("g", &["Location: /there", "Refresh: 5; url=/x", "ETag: \"x\""], "x"),
        ok("g", &[], "second"),
        raw("h", "HTTP/1.1 200 Fine\r\nContent-Length: 1\r\nX-Accel-Redirect: /none\r\n\r\nx"),
        ok("h", &[], "second"),
        ok("", &[], "empty key"),
        ok("", &[], "second"),
        ok("long", &[], &"0123456789".repeat(20_000)),
        ok("long", &[], "second"),
    ])
}

fn times() -> Entry {
    let headers: [&[&str]; 30] = [
        &[],
        &["Cache-Control: max-age=60"],
        &["Cache-Control: max-age=0"],
        &["Cache-Control: max-age=60, no-cache"],
        &["Cache-Control: no-store"],
        &["Cache-Control: private"],
        &["Cache-Control: s-maxage=60, max-age=0"],
        &["Cache-Control: max-age=0, s-maxage=60"],
        &["Cache-Control: max-age=x"],
        &["Cache-Control: MAX-AGE=60"],
        &["Cache-Control: public"],
        &["X-Accel-Expires: 60"],
        &["X-Accel-Expires: 0"],
        &["X-Accel-Expires: @4000000000"],
        &["X-Accel-Expires: @1"],
        &["X-Accel-Expires: x"],
        &["X-Accel-Expires: @0"],
        &["X-Accel-Expires: @0", "Cache-Control: max-age=60"],
        &["X-Accel-Expires: 60", "X-Accel-Expires: 0"],
        &["X-Accel-Expires: 0", "X-Accel-Expires: 60"],
        &["X-Accel-Expires: 60", "X-Accel-Expires: @0"],
        &["X-Accel-Expires: @0", "X-Accel-Expires: 60"],
        &["X-Accel-Expires: 60", "Cache-Control: max-age=0"],
        &["X-Accel-Expires: 0", "Cache-Control: max-age=60"],
        &["Expires: Thu, 01 Jan 2099 00:00:00 GMT"],
        &["Expires: Thu, 01 Jan 1970 00:00:00 GMT"],
        &["Expires: x"],
        &["Cache-Control: max-age=60", "Expires: Thu, 01 Jan 1970 00:00:00 GMT"],
        &["Cache-Control: max-age=60", "Vary: *"],
        &["Cache-Control: max-age=60", "Set-Cookie: a"],
    ];
    let asks = headers.iter().enumerate().flat_map(|(number, headers)| {
        let key = format!("t{number}");
        [ok(&key, headers, "first"), ok(&key, &["Cache-Control: max-age=60"], "second")]
    });
    cached("cache-times", "location / { proxy_pass http://{BACKEND}; }").asks(asks)
}

fn ignored() -> Entry {
    let headers: [&[&str]; 6] = [
        &["Cache-Control: no-cache"],
        &["Expires: x"],
        &["Set-Cookie: a=b"],
        &["Vary: *"],
        &["X-Accel-Expires: 0"],
        &["Cache-Control: max-age=0", "Expires: x", "Set-Cookie: a=b", "Vary: X", "X-Accel-Expires: 0"],
    ];
    let asks = headers.iter().enumerate().flat_map(|(number, headers)| {
        let key = format!("i{number}");
        [ok(&key, headers, "first"), ok(&key, &[], "second")]
    });
    cached(
        "cache-ignored",
        "proxy_cache_valid 1m; proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
         location / { proxy_pass http://{BACKEND}; }",
    )
    .asks(asks)
}

fn statuses() -> Entry {
    let lines = [
        "201 Created",
        "204 No Content",
        "301 Moved",
        "302 Found",
        "304 Not Modified",
        "404 Not Found",
        "500 Error",
        "503 Busy",
    ];
    let asks = lines.iter().enumerate().flat_map(|(number, line)| {
        ["", "/any", "/some"].into_iter().flat_map(move |place| {
            let key = format!("{number}{}", place.trim_start_matches('/'));
            [0, 1].map(|turn| {
                let asked = match line.starts_with("204") || line.starts_with("304") {
                    true => raw(&key, &format!("HTTP/1.1 {line}\r\nX-Turn: {turn}\r\n\r\n")),
                    false => response(&key, line, &["Location: /x"], &format!("turn {turn}")),
                };
                format!("{place}{asked}")
            })
        })
    });
    cached(
        "cache-statuses",
        "location / { proxy_cache_valid 1m; proxy_pass http://{BACKEND}; }
         location /any/ { proxy_cache_valid any 1m; proxy_pass http://{BACKEND}/; }
         location /some/ { proxy_cache_valid 404 500 1m; proxy_cache_valid any 0; proxy_pass http://{BACKEND}/; }",
    )
    .asks(asks)
}

fn methods() -> Entry {
    cached(
        "cache-methods",
        "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }
         location /post/ { proxy_cache_methods POST; proxy_pass http://{BACKEND}/; }",
    )
    .asks([
        format!("POST {}\n\nbody", ok("a", &[], "first")),
        format!("POST {}\n\nbody", ok("a", &[], "second")),
        ok("a", &[], "third"),
        format!("HEAD {}", ok("a", &[], "fourth")),
        format!("PUT {}\n\nbody", ok("a", &[], "fifth")),
        format!("OPTIONS {}", ok("a", &[], "sixth")),
        format!("POST /post{}\n\nbody", ok("b", &[], "first")),
        format!("POST /post{}\n\nbody", ok("b", &[], "second")),
        format!("/post{}", ok("b", &[], "third")),
    ])
}

fn conditions() -> Entry {
    let headers = [
        "Last-Modified: Wed, 03 Mar 2021 04:05:06 GMT",
        "ETag: \"tag\"",
        "Content-Type: text/plain",
        "Content-Encoding: x",
    ];
    let first = ok("a", &headers, "text");
    let next = ok("a", &[], "second");
    cached("cache-conditions", "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; } location /off/ { proxy_cache off; proxy_pass http://{BACKEND}/; }")
        .ask(format!("{}\nIf-None-Match: \"tag\"", ok("m", &headers, "text")))
        .ask(first)
        .asks([
            "If-None-Match: \"tag\"",
            "If-None-Match: W/\"tag\"",
            "If-None-Match: \"other\"",
            "If-None-Match: *",
            "If-Match: \"tag\"",
            "If-Match: \"other\"",
            "If-Modified-Since: Wed, 03 Mar 2021 04:05:06 GMT",
            "If-Modified-Since: Wed, 03 Mar 2021 04:05:07 GMT",
            "If-Modified-Since: x",
            "If-Unmodified-Since: Wed, 03 Mar 2021 04:05:06 GMT",
            "If-Unmodified-Since: Wed, 03 Mar 2021 04:05:05 GMT",
        ]
        .map(|header| format!("{next}\n{header}")))
        .ask(format!("/off{}\nIf-None-Match: \"tag\"", ok("o", &headers, "text")))
}

const RANGES: [&str; 10] = [
    "bytes=0-1",
    "bytes=2-",
    "bytes=-3",
    "bytes=100-",
    "bytes=0-1,4-5",
    "bytes=x",
    "bytes=0-1\nIf-Range: \"tag\"",
    "bytes=0-1\nIf-Range: \"other\"",
    "bytes=0-1\nIf-Range: Wed, 03 Mar 2021 04:05:06 GMT",
    "bytes=0-",
];

fn ranges() -> Entry {
    let headers = [
        "Last-Modified: Wed, 03 Mar 2021 04:05:06 GMT",
        "ETag: \"tag\"",
        "Content-Type: text/plain",
        "Accept-Ranges: bytes",
    ];
    cached("cache-ranges", "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }")
        .ask(format!("{}\nRange: bytes=2-3", ok("m", &headers, "0123456789")))
        .steps(later(ok("m", &[], "second")))
        .ask(format!("{}\nRange: bytes=2-3,5-6", ok("n", &headers, "0123456789")))
        .steps(later(ok("n", &[], "second")))
        .ask(ok("a", &headers, "0123456789"))
        .asks(RANGES.map(|range| format!("{}\nRange: {range}", ok("a", &[], "second"))))
        .ask(ok("b", &[], "0123456789"))
        .ask(format!("{}\nRange: bytes=2-3", ok("b", &[], "second")))
        .ask(raw("c", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/10\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\n01"))
        .ask(ok("c", &[], "second"))
        .ask(raw("d", "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        .ask(format!("{}\nRange: bytes=2-3", ok("d", &[], "second")))
}

fn forced_ranges() -> Entry {
    cached(
        "cache-forced",
        "proxy_force_ranges on; proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }",
    )
    .ask(format!("{}\nRange: bytes=2-3", ok("m", &[], "0123456789")))
    .ask(ok("a", &["ETag: \"tag\""], "0123456789"))
    .asks(RANGES.map(|range| format!("{}\nRange: {range}", ok("a", &[], "second"))))
}

fn range_offset() -> Entry {
    let mut made = cached(
        "cache-offset",
        "proxy_cache_valid 1m; location / { proxy_cache_max_range_offset 4; proxy_pass http://{BACKEND}; }
         location /none/ { proxy_cache_max_range_offset 0; proxy_pass http://{BACKEND}/; }",
    );
    // Both go on with the whole after the range is sent.
    for (number, range) in
        ["bytes=0-1", "bytes=3-", "bytes=4-", "bytes=-1", "bytes= 9-", "lines=9-"].iter().enumerate()
    {
        for place in ["", "/none"] {
            let key = format!("{number}{}", place.len());
            made = made
                .ask(format!("{place}{}\nRange: {range}", ok(&key, &["Accept-Ranges: bytes"], "0123456789")))
                .steps(later(format!("{place}{}", ok(&key, &[], "second"))));
        }
    }
    made
}

fn varying() -> Entry {
    let vary = |key: &str, vary: &str, body: &str| ok(key, &[&format!("Vary: {vary}")], body);
    cached("cache-vary", "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }").asks([
        format!("{}\nX-V: 1", vary("a", "X-V", "one")),
        format!("{}\nX-V: 1", vary("a", "X-V", "one again")),
        format!("{}\nX-V: 2", vary("a", "X-V", "two")),
        format!("{}\nX-V: 2", vary("a", "X-V", "two again")),
        format!("{}\nX-V: 1", vary("a", "X-V", "one again")),
        vary("a", "X-V", "none"),
        vary("a", "X-V", "none again"),
        format!("{}\nAccept-Encoding: gzip, br", vary("b", "Accept-Encoding", "one")),
        format!("{}\nAccept-Encoding: gzip,br", vary("b", "Accept-Encoding", "two")),
        format!("{}\nAccept-Encoding:  gzip ,  br", vary("b", "accept-encoding", "three")),
        format!("{}\nAccept-Encoding: br, gzip", vary("b", "Accept-Encoding", "four")),
        format!("{}\nAccept-Encoding: gzip\nAccept-Encoding: br", vary("b", "Accept-Encoding", "five")),
        format!("{}\nX-V: 1\nX-W: 2", vary("c", "X-V, X-W", "one")),
        format!("{}\nX-W: 2\nX-V: 1", vary("c", "X-V, X-W", "two")),
        format!("{}\nX-W: 3\nX-V: 1", vary("c", "X-V", "three")),
        format!("{}\nX-W: 4\nX-V: 1", vary("c", "X-V", "four")),
        vary("d", &"X".repeat(128), "one"),
        vary("d", &"X".repeat(128), "two"),
        vary("e", &"X".repeat(129), "one"),
        vary("e", &"X".repeat(129), "two"),
        vary("f", "*", "one"),
        vary("f", "*", "two"),
    ])
}

fn bypassed() -> Entry {
    cached(
        "cache-bypass",
        "proxy_cache_valid 1m; location / { proxy_cache_bypass $arg_bypass $arg_other; proxy_no_cache $arg_no; proxy_pass http://{BACKEND}; }",
    )
    .asks([
        ok("a", &[], "first"),
        format!("{}&bypass=1", ok("a", &["X-A: 2"], "second")),
        ok("a", &[], "third"),
        format!("{}&bypass=0", ok("a", &[], "fourth")),
        format!("{}&other=x", ok("a", &[], "fifth")),
        format!("{}&bypass=1&no=1", ok("a", &[], "sixth")),
        ok("a", &[], "seventh"),
        format!("{}&no=1", ok("b", &[], "first")),
        format!("{}&no=0", ok("b", &[], "second")),
        ok("b", &[], "third"),
        format!("{}&bypass=1\nRange: bytes=0-1\nIf-None-Match: x", "/echo?k=c"),
    ])
}

fn uses() -> Entry {
    cached(
        "cache-uses",
        "proxy_cache_valid 1m; proxy_cache_min_uses 3; location / { proxy_pass http://{BACKEND}; }",
    )
    .asks((1..=5).map(|turn| ok("a", &[], &format!("turn {turn}"))))
    .ask("/echo?k=b\nRange: bytes=0-1\nIf-None-Match: x")
}

/// A response that is expired from the beginning.
const EXPIRED: &str = "X-Accel-Expires: @1";

fn stale() -> Entry {
    let bad = "HTTP/1.1 500 Error\r\nContent-Length: 3\r\n\r\nbad";
    cached(
        "cache-stale",
        "location / { proxy_pass http://{BACKEND}; }
         location /error/ { proxy_cache_use_stale error; proxy_pass http://{BACKEND}/; }
         location /http/ { proxy_cache_use_stale http_500 http_404; proxy_pass http://{BACKEND}/; }
         location /header/ { proxy_cache_use_stale invalid_header; proxy_pass http://{BACKEND}/; }
         location /refused/ { proxy_cache_use_stale error; proxy_pass http://127.0.0.1:1/; }
         location /refused2/ { proxy_pass http://127.0.0.1:1/; }
         location /revalidate/ { proxy_cache_use_stale off; proxy_pass http://{BACKEND}/; }",
    )
    .asks([
        ok("a", &[EXPIRED], "first"),
        ok("a", &[EXPIRED], "second"),
        format!("/error{}", raw("a", "")),
        format!("/error{}", raw("a", bad)),
        ok("b", &[EXPIRED], "first"),
        format!("/http{}", raw("b", bad)),
        format!("/http{}", raw("b", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")),
        format!("/http{}", raw("b", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
        format!("/http{}", raw("b", "")),
        ok("c", &[EXPIRED], "first"),
        format!("/header{}", raw("c", "HTTP/1.1 200 OK\r\n: x\r\n\r\n")),
        format!("/refused{}", raw("c", "")),
        format!("/refused2{}", raw("c", "")),
        ok("d", &["Cache-Control: max-age=1, stale-if-error=100", EXPIRED], "first"),
        format!("/refused2{}", raw("d", "")),
        format!("HEAD /refused{}", raw("c", "")),
        format!("/refused{}\nRange: bytes=0-1", raw("c", "")),
    ])
}

fn revalidated() -> Entry {
    let unchanged = "HTTP/1.1 304 Not Modified\r\nX-New: 1\r\nCache-Control: max-age=60\r\n\r\n";
    let tags = ["ETag: \"x\"", "Last-Modified: Wed, 03 Mar 2021 04:05:06 GMT", EXPIRED];
    cached(
        "cache-revalidate",
        "location / { proxy_cache_revalidate on; proxy_pass http://{BACKEND}; }
         location /off/ { proxy_pass http://{BACKEND}/; }
         location /vars/ { proxy_cache_revalidate on; proxy_set_header X-Vars \"$upstream_cache_status|$upstream_cache_etag|$upstream_cache_last_modified\"; proxy_pass http://{BACKEND}/; }",
    )
    .asks([
        ok("a", &tags, "first"),
        raw("a", unchanged),
        raw("a", unchanged),
        ok("b", &tags, "first"),
        format!("/off{}", raw("b", unchanged)),
        ok("c", &tags, "first"),
        "/echo?k=c".into(),
        ok("d", &tags, "first"),
        "/vars/echo?k=d\nIf-None-Match: own".into(),
        ok("e", &tags, "first"),
        format!("{}\nIf-None-Match: \"x\"", raw("e", unchanged)),
        ok("f", &[EXPIRED], "first"),
        "/echo?k=f\nIf-None-Match: own\nIf-Modified-Since: Wed, 03 Mar 2021 04:05:06 GMT".into(),
        ok("g", &tags, "first"),
        raw("g", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        raw("g", unchanged),
    ])
}

fn errors() -> Entry {
    cached(
        "cache-errors",
        "proxy_cache_valid 502 404 1m; location / { proxy_pass http://{BACKEND}; }
         location /refused/ { proxy_pass http://127.0.0.1:1/; }
         location /page/ { proxy_intercept_errors on; error_page 404 /page.html; proxy_pass http://{BACKEND}/; }
         location = /page.html { return 200 page; }",
    )
    .asks([
        "/refused/?k=a".into(),
        ok("a", &[], "not asked"),
        "/refused/?k=a".into(),
        format!("/page{}", response("b", "404 No", &[], "no")),
        ok("b", &[], "not asked"),
        format!("/page{}", response("c", "404 No", &["Cache-Control: no-cache"], "no")),
        ok("c", &[], "asked"),
        raw("d", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
        ok("d", &[], "not asked"),
    ])
}

fn heads() -> Entry {
    cached(
        "cache-heads",
        "proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }
         location /own/ { proxy_cache_key $request_method$arg_k; proxy_cache_convert_head off; proxy_pass http://{BACKEND}/; }",
    )
    .ask(format!("HEAD {}", ok("a", &[], "first")))
    .steps(later(ok("a", &[], "second")))
    .asks([
        format!("HEAD {}", ok("a", &[], "third")),
        ok("b", &[], "first"),
        format!("HEAD {}", ok("b", &[], "second")),
        format!("HEAD /own{}", raw("c", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")),
        format!("HEAD /own{}", raw("c", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")),
        format!("/own{}", ok("c", &[], "first")),
    ])
}

fn keys() -> Entry {
    entry("cache-keys")
        .http("proxy_cache_path {ROOT}/temp/cache-keys keys_zone=cache-keys:1m; map $arg_zone $zone { default cache-keys; off off; none ''; bad unknown; }")
        .server(
            "add_header X-Cache $upstream_cache_status always; proxy_cache_valid 1m; proxy_cache cache-keys;
             location /count { proxy_pass http://{BACKEND}; }
             location /other/ { proxy_pass http://{BACKEND}/; }
             location /method/ { proxy_cache_key $request_method$uri; proxy_pass http://{BACKEND}/; }
             location /zone/ { proxy_cache $zone; proxy_pass http://{BACKEND}/; }
             location /off/ { proxy_cache off; proxy_pass http://{BACKEND}/; }
             location /log/ { proxy_pass http://{BACKEND}/; add_header X-Status \"$upstream_status|$upstream_addr|$upstream_http_content_length\"; }
             location /filter/ { sub_filter 1 one; sub_filter_types *; proxy_pass http://{BACKEND}/; }",
        )
        .mask(r"127\.0\.0\.1:[0-9]+", "BACKEND")
        .asks([
            "/count", "/count", "/count?a", "/count?a", "/count%20", "/other/count", "/other/count?b", "/other/count?b",
            "/method/count", "/method/count", "/zone/count?zone=x", "/zone/count?zone=x", "/zone/count?zone=off", "/zone/count?zone=none",
            "/zone/count?zone=bad", "/off/count?c", "/off/count?c", "/log/count?d", "/filter/count?e", "/filter/count?e",
        ])
}

fn sliced() -> Entry {
    entry("cache-slices")
        .needs("http_slice_module")
        .file("s", "0123456789")
        .http("proxy_cache_path {ROOT}/temp/cache-slices keys_zone=cache-slices:1m;")
        .server(
            "location /files/ { alias {DIR}/; }
             location / { slice 4; proxy_cache cache-slices; proxy_cache_key $uri$slice_range; proxy_cache_valid 200 206 1m;
             proxy_set_header Range $slice_range; proxy_pass http://{ADDR}:{PORT}/files/s; add_header X-Cache $upstream_cache_status; }",
        )
        .asks(["/s", "/s", "/s\nRange: bytes=5-6"])
        .ask("/t\nRange: bytes=5-6")
        .steps(later("/t\nRange: bytes=5-6".into()))
        .asks(["/t", "HEAD /s", "/s\nRange: bytes=2-5", "/s\nRange: bytes=8-", "/s\nRange: bytes=20-"])
}

/// Slices that are refused are asked for again.
fn wrong_slices() -> Entry {
    entry("cache-wrong-slices")
        .needs("http_slice_module")
        .http(
            "proxy_cache_path {ROOT}/temp/cache-wrong-slices keys_zone=cache-wrong-slices:1m; log_format wrong-slices '$uri $http_range';
             map $http_range $slice_text { 'bytes=0-3' 0123; 'bytes=4-7' 4567; default 89; }
             map $http_range $slice_is { 'bytes=0-3' 'bytes 0-3/10'; 'bytes=4-7' 'bytes 4-7/10'; default 'bytes 8-9/10'; }
             map $http_range $slice_other { 'bytes=4-7' 'bytes 5-8/10'; default $slice_is; }
             map $http_range $slice_open { 'bytes=0-3' 'bytes 0-3/*'; default 'bytes 4-7/*'; }
             map $http_range $slice_tag { 'bytes=4-7' '\"b\"'; default '\"a\"'; }
             server {
                 listen {ADDR}:{PORT2}; access_log logs/{NAME}_origin.log wrong-slices;
                 location /right { add_header Content-Range $slice_is; return 206 $slice_text; }
                 location /tag { add_header Content-Range $slice_is; add_header ETag $slice_tag; return 206 $slice_text; }
                 location /other { add_header Content-Range $slice_other; return 206 $slice_text; }
                 location /open { add_header Content-Range $slice_open; return 206 $slice_text; }
                 location /none { return 206 $slice_text; }
                 location /full { if ($http_range = 'bytes=4-7') { return 200 0123456789; } add_header Content-Range $slice_is; return 206 $slice_text; }
                 location /gone { if ($http_range = 'bytes=4-7') { return 404; } add_header Content-Range $slice_is; return 206 $slice_text; }
             }",
        )
        .server(
            "location / { slice 4; proxy_cache cache-wrong-slices; proxy_cache_key $uri$slice_range; proxy_cache_valid 200 206 404 1m;
             proxy_set_header Range $slice_range; proxy_pass http://{ADDR}:{PORT2}; }",
        )
        .asks(["right", "tag", "other", "open", "none", "full", "gone"].iter().flat_map(|path| [format!("/{path}"), format!("/{path}\nRange: bytes=5-6"), format!("/{path}\nRange: bytes=0-1")]))
}

fn unbuffered() -> Entry {
    cached(
        "cache-unbuffered",
        "proxy_buffering off; proxy_cache_valid 1m; location / { proxy_pass http://{BACKEND}; }
         location /x/on { proxy_buffering on; rewrite ^/x/on(.*) /x/$1 break; proxy_pass http://{BACKEND}; }
         location /x/ignored { proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; rewrite ^/x/ignored(.*) /x/$1 break; proxy_pass http://{BACKEND}; }",
    )
    .asks([ok("a", &[], "first"), ok("a", &[], "second")])
    .asks([ok("b", &["X-Accel-Buffering: Yes"], "first"), ok("b", &[], "second")])
    .asks(["on", "ignored"].iter().flat_map(|place| {
        let at = |text: String| text.replacen("/x/", &format!("/x/{place}"), 1);
        let key = |key: &str| format!("{place}-{key}");
        [
            at(ok(&key("no"), &["X-Accel-Buffering: no"], "first")),
            at(ok(&key("no"), &[], "second")),
            at(ok(&key("both"), &["X-Accel-Buffering: no", "X-Accel-Buffering: yes"], "first")),
            at(ok(&key("both"), &[], "second")),
            at(ok(&key("other"), &["X-Accel-Buffering: off"], "first")),
            at(ok(&key("other"), &[], "second")),
        ]
    }))
}
