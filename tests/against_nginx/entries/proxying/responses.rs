//! Responses of backends, in order and not.

use super::response;
use crate::backend::{sends, sends_parts};
use crate::entry::{Entry, entry, page};

/// Trailers are evaluated behind the body.
pub(super) fn trailers() -> Entry {
    let chunked = sends_parts(&[
        "HTTP/1.1 200 OK\r\nX-A: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "5\r\nworld\r\n0\r\n\r\n",
    ]);
    entry("trailers")
        .server(
            "location / { add_trailer X-T \"$upstream_response_length|$sent_http_x_a|$status\"; proxy_http_version 1.1; proxy_pass http://{BACKEND}; }
             location /file/ { alias {ROOT}/html/; add_trailer X-T \"$status|$sent_http_last_modified\"; add_trailer X-None $arg_none; }",
        )
        .asks([&chunked, "/file/dir/file.txt", "/file/none", "HEAD /file/dir/file.txt", "/file/dir/file.txt HTTP/1.0"])
}

/// Bytes behind a response, and where none are expected: what of them is sent, counted and kept.
pub(super) fn beyond() -> Entry {
    let targets = [
        response("200 OK", &[], "hello"),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello"),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nmore"),
        response("204 No Content", &[], "hello"),
        response("304 Not Modified", &[], "hello"),
    ];
    let mut found = entry("beyond").unlike_errors("the pace decides what is done then, and whether it is known at the end of the request", r#"GET /off/|HEAD /cache/"#)
        .http(
            "log_format {NAME} '$status $upstream_status $upstream_bytes_sent $upstream_bytes_received $upstream_response_length $upstream_cache_status $request_completion';
             proxy_cache_path {ROOT}/temp/beyond levels=1:2 keys_zone={NAME}:1m;",
        )
        .server(
            "access_log logs/{NAME}.log {NAME};
             proxy_http_version 1.1; proxy_cache_valid any 1m;
             location /on/ { proxy_pass http://{BACKEND}/; }
             location /off/ { proxy_buffering off; proxy_pass http://{BACKEND}/; }
             location /cache/ { proxy_cache {NAME}; proxy_pass http://{BACKEND}/; }
             location /head/ { proxy_cache {NAME}; proxy_cache_convert_head off; proxy_cache_key $request_method$uri; proxy_pass http://{BACKEND}/; }",
        );
    for place in ["/on", "/off", "/cache", "/head"] {
        found = found
            .asks(targets.iter().map(|target| format!("HEAD {place}{target}")))
            .asks(targets.iter().map(|target| format!("{place}{target}")));
    }
    found
}

/// Headers that a backend sends twice, of which one counts, and what unbuffered responses do to `limit_rate`.
pub(super) fn repeated() -> Entry {
    let targets = [
        response("200 OK", &[], "hello"),
        response("200 OK", &["X-Accel-Limit-Rate: 100000", "X-Accel-Limit-Rate: 200000"], "x"),
        response("200 OK", &["X-Accel-Limit-Rate: 100000", "X-Accel-Limit-Rate: x"], "x"),
        response("200 OK", &["X-Accel-Limit-Rate: 99999999999999999999"], "x"),
        response("200 OK", &["X-Accel-Limit-Rate: 100000", "X-Accel-Buffering: no"], "x"),
        response("404 None", &["X-Accel-Limit-Rate: 100000"], "x"),
        response("200 OK", &["X-Accel-Buffering: no", "X-Accel-Buffering: yes"], "x"),
        response("200 OK", &["X-Accel-Charset: utf-8", "X-Accel-Charset: koi8-r"], "x"),
        response("200 OK", &["X-Accel-Charset: koi8-r", "X-Accel-Charset: utf-8"], "x"),
        response("200 OK", &["X-Accel-Redirect: /one", "X-Accel-Redirect: /two"], "x"),
        response("200 OK", &["Content-Type: text/html;charset="], "x"),
    ];
    let mut found = entry("repeated")
        .http(
            "log_format {NAME} '$status $upstream_status $limit_rate';
             charset_map koi8-r utf-8 { 80 E282AC; }",
        )
        .server(
            "access_log logs/{NAME}.log {NAME};
             charset utf-8; source_charset koi8-r; charset_types *; limit_rate 50000;
             add_header X-Rate $limit_rate;
             location /on/ { proxy_pass http://{BACKEND}/; }
             location /off/ { proxy_buffering off; proxy_pass http://{BACKEND}/; }
             location /page/ { proxy_intercept_errors on; error_page 404 /one; proxy_pass http://{BACKEND}/; }
             location /one { return 200 one; }
             location /two { return 200 two; }",
        );
    for place in ["/on", "/off", "/page"] {
        found = found.asks(targets.iter().map(|target| format!("{place}{target}")));
    }
    found
}

/// A backend's response to which `error_page` gives a status without a body.
pub(super) fn emptied() -> Entry {
    let targets = [
        response("200 OK", &["Content-Type: text/plain", "ETag: \"x\""], "hello"),
        response("404 None", &["Content-Type: text/plain"], "hello"),
        response("204 Nothing", &["Content-Type: text/plain"], ""),
        sends("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"),
    ];
    let mut found = entry("emptied");
    for (number, target) in targets.iter().enumerate() {
        found = found
            .server(format!(
                "location = /a{number} {{ error_page 404 =204 /to{number}; return 404; }}
                 location = /b{number} {{ error_page 404 =304 /to{number}; return 404; }}
                 location = /c{number} {{ error_page 404 =200 /to{number}; return 404; }}
                 location = /to{number} {{ proxy_pass http://{{BACKEND}}{target}; }}"
            ))
            .asks(["/a", "/b", "/c"].map(|place| format!("{place}{number}")))
            .asks(["/a", "/b", "/c"].map(|place| format!("HEAD {place}{number}")));
    }
    found
}

/// Responses without a head: everything is the body.
pub(super) fn bare() -> Entry {
    let targets = [
        "hello",
        "HTTP/x 200 OK\r\n\r\nhello",
        "ICY 200 OK\r\nicy-name: x\r\n\r\nsound",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\nhello",
        "\r\n",
    ];
    entry("bare")
        .server("location / { proxy_pass http://{BACKEND}; }")
        .asks(targets.map(sends))
        .asks(targets.map(|text| format!("HEAD {}", sends(text))))
        .asks(targets.map(|text| format!("{} HTTP/1.0", sends(text))))
}

/// Responses that end too early, through filters.
pub(super) fn cut_off() -> Entry {
    let text = sends("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nsome text");
    entry("cut-off")
        .server(
            "location / { proxy_pass http://{BACKEND}; }
             location /sub/ { sub_filter text TEXT; proxy_pass http://{BACKEND}/; }
             location /charset/ { charset utf-8; proxy_pass http://{BACKEND}/; }",
        )
        .asks(["", "/sub", "/charset"].map(|place| format!("{place}{text}")))
}

pub(super) fn statuses() -> Entry {
    let lines = [
        "200 OK",
        "200 Fine",
        "200",
        "200 ",
        "201 Created",
        "202 x",
        "203 y",
        "206 Partial",
        "299 z",
        "300 m",
        "301 Moved",
        "302 Found",
        "303 See",
        "304 Not",
        "307 Temp",
        "308 Perm",
        "400 Bad",
        "401 Un",
        "403 No",
        "404 Not Found",
        "404 Gone fishing",
        "405 Na",
        "408 To",
        "410 Gone",
        "413 Big",
        "416 Range",
        "418 Tea",
        "429 Many",
        "444 x",
        "494 x",
        "499 x",
        "500 ISE",
        "501 NI",
        "502 BG",
        "503 SU",
        "504 GT",
        "507 IS",
        "599 x",
        "600 x",
        "999 x",
    ];
    entry("statuses")
        .server("location / { proxy_pass http://{BACKEND}; }")
        .asks(lines.map(|line| response(line, &["X-A: b", "Content-Type: a/b"], "body")))
        .asks(lines.map(|line| format!("HEAD {}", response(line, &["Content-Type: a/b"], "body"))))
        .keep(lines.map(|line| response(line, &[], "x")))
        .ask(sends("HTTP/1.1 204 No Content\r\n\r\n"))
        .ask(sends("HTTP/1.1 204 No Content\r\nContent-Type: a/b\r\n\r\n"))
        .ask(sends("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"))
        .ask(sends("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n"))
        .ask(sends("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"))
        .keep([sends("HTTP/1.1 304 Not Modified\r\n\r\n"), sends("HTTP/1.1 204 No\r\n\r\n")])
}

pub(super) fn response_headers() -> Entry {
    let asked = [
        response(
            "200 OK",
            &[
                "Server: other",
                "Date: Mon, 01 Jan 2024 00:00:00 GMT",
                "X-Pad: x",
                "X-Kept: y",
                "Set-Cookie: a=b",
                "Set-Cookie: c=d",
            ],
            "x",
        ),
        response("200 OK", &["Content-Type: text/html; charset=utf-8"], "x"),
        response("200 OK", &["Content-Type: text/html;charset=UTF-8"], "x"),
        response("200 OK", &["Content-Type: text/html; charset=\"utf-8\""], "x"),
        response("200 OK", &["Content-Type: text/html; a=b; charset=x; y=z"], "x"),
        response("200 OK", &["Content-Type:"], "x"),
        response(
            "200 OK",
            &["Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", "ETag: \"abc\"", "Accept-Ranges: bytes"],
            "0123456789",
        ),
        response("200 OK", &["Last-Modified: junk", "ETag: junk"], "0123456789"),
        response(
            "200 OK",
            &[
                "Cache-Control: a",
                "Cache-Control: b",
                "Expires: Mon, 01 Jan 2024 00:00:00 GMT",
                "Link: <x>",
                "Link: <y>",
                "Vary: *",
                "Pragma: z",
            ],
            "x",
        ),
        response(
            "200 OK",
            &[
                "Connection: x",
                "Keep-Alive: timeout=5",
                "Proxy-Authenticate: x",
                "Trailer: y",
                "Upgrade: z",
                "WWW-Authenticate: Basic",
            ],
            "x",
        ),
        response(
            "200 OK",
            &[
                "X-Accel-Expires: 5",
                "X-Accel-Limit-Rate: 10000",
                "X-Accel-Buffering: no",
                "X-Accel-Charset: utf-8",
            ],
            "x",
        ),
        response(
            "200 OK",
            &[
                "Content-Encoding: gzip",
                "Content-Language: de",
                "Content-Range: bytes 0-1/5",
                "Content-Disposition: x",
            ],
            "x",
        ),
        response("200 OK", &["X-Hide: 1", "x-hide: 2", "X-Other: 3"], "x"),
        response("200 OK", &["A: ", "B:c", "D:   e  ", "F:\tg\t"], "x"),
        response("200 OK", &["Status: 404 x", "Age: 5", "Via: 1.1 x"], "x"),
        response("301 Moved", &["Location: /rel"], "x"),
        response("200 OK", &["Location: /rel", "Refresh: 5; url=/x"], "x"),
        response("200 OK", &["Content-Type: ;charset=x"], "x"),
        response("200 OK", &["Content-Type: text/html;charset="], "x"),
        sends("HTTP/100.999 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ];
    let all = |path: &str| asked.iter().map(|target| format!("{path}{target}")).collect::<Vec<_>>();
    entry("response-headers")
        .server(
            "location /plain/ { proxy_pass http://{BACKEND}/; }
             location /pass/ { proxy_pass_header Server; proxy_pass_header date; proxy_pass_header X-Pad; proxy_pass_header X-Accel-Charset; proxy_pass http://{BACKEND}/; }
             location /hide/ { proxy_hide_header x-hide; proxy_hide_header ETag; proxy_hide_header Set-Cookie; proxy_hide_header Content-Type; proxy_pass http://{BACKEND}/; }
             location /ranges/ { proxy_force_ranges on; proxy_pass http://{BACKEND}/; }
             location /add/ { add_header X-Up \"$upstream_http_x_kept|$upstream_cookie_a|$upstream_cookie_c|$upstream_http_server|$sent_http_last_modified|$sent_http_content_type|$sent_http_location\" always; expires 1h; proxy_pass http://{BACKEND}/; }",
        )
        .mask("Expires: [^\\n]*\\n", "Expires: E\n")
        .asks(all("/plain"))
        .asks(all("/pass"))
        .asks(all("/hide"))
        .asks(all("/add"))
        .asks(all("/ranges"))
        .asks(["Range: bytes=0-3", "Range: bytes=2-", "Range: bytes=-2", "Range: bytes=0-0,2-2", "Range: bytes=20-", "Range: x", "Range: bytes=1-2\nIf-Range: \"abc\"", "Range: bytes=1-2\nIf-Range: \"abd\"", "Range: bytes=1-2\nIf-Range: Mon, 01 Jan 2024 00:00:00 GMT", "If-None-Match: \"abc\"", "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "If-Match: \"x\""].iter().flat_map(|header| {
            let target = &asked[6];
            [format!("/ranges{target}\n{header}"), format!("/plain{target}\n{header}")]
        }).collect::<Vec<_>>())
}

pub(super) fn response_bodies() -> Entry {
    let chunked = |rest: &str| sends(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}"));
    let targets = [
        sends("HTTP/1.1 200 OK\r\n\r\nto the end"),
        sends("HTTP/1.0 200 OK\r\n\r\nto the end"),
        sends("HTTP/1.1 200 OK\r\n\r\n"),
        sends_parts(&["HTTP/1.1 200 OK\r\n", "Content-Length: 10\r\n\r", "\nhello", "world"]),
        sends_parts(&["HTTP/1.1 200 OK\r\n\r\nto", " the", " end"]),
        chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        chunked("0\r\n\r\n"),
        chunked("5;a=b\r\nhello\r\n0\r\nX-T: y\r\n\r\n"),
        chunked("5\r\nhello\r\n0\r\n\r\nmore"),
        sends_parts(&[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r",
            "\nhel",
            "lo\r\n0\r\n",
            "\r\n",
        ]),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore"),
        // Cut ones.
        sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        chunked("5\r\nhello\r\n"),
        chunked("5\r\nhel"),
        chunked("5\r\nhello\r\nx\r\n"),
        chunked("5\r\nhellox"),
    ];
    let all = |start: &str, end: &str| {
        targets.iter().map(|target| format!("{start}{target}{end}")).collect::<Vec<_>>()
    };
    entry("response-bodies")
        .unlike_errors("the side that was served last decides what is done", r#"GET /off/"#)
        .server(
            "location /on/ { proxy_pass http://{BACKEND}/; }
             location /off/ { proxy_buffering off; proxy_pass http://{BACKEND}/; }
             location /11/ { proxy_http_version 1.1; proxy_pass http://{BACKEND}/; }",
        )
        .asks(all("/on", ""))
        .asks(all("/off", ""))
        .asks(all("/11", ""))
        .asks(all("HEAD /on", ""))
        .asks(all("/on", " HTTP/1.0"))
        .keep([format!("/on{}", targets[4]), format!("/on{}", targets[5]), format!("/on{}", targets[3])])
        .keep([format!("/on{}", targets[13]), "/on/".into()])
        .keep([format!("/11{}", targets[15]), "/on/".into()])
}

pub(super) fn malformed() -> Entry {
    let long = "x".repeat(5000);
    let targets = [
        sends(""),
        sends("HTTP/1.1 200 OK\r\n"),
        sends("HTTP/1.1 200 OK\r\nA: b"),
        sends("HTTP/1.1 200 OK\r\n: b\r\n\r\n"),
        sends("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n"),
        sends("HTTP/1.1 200 OK\r\n A: c\r\n\r\n"),
        sends("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"),
        sends("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"),
        sends(&format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n")),
        sends(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(1000))),
        sends("HTTP/1.1 200 OK\r\nNoColon\r\nB: c\r\nContent-Length: 1\r\n\r\nx"),
        sends("HTTP/1.1 200 OK\nContent-Length: 1\n\nx"),
        sends("HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ];
    entry("malformed")
        .server("location / { proxy_pass http://{BACKEND}; }")
        .asks(&targets)
        .asks(targets.iter().map(|target| format!("POST {target}\n\nx")).collect::<Vec<_>>())
}

/// Responses with which nginx 1.22 is too patient: later versions refuse them, too.
pub(super) fn stricter() -> Entry {
    let result = || format!("{}=== closed\n", page("502 Bad Gateway", &["Connection: close"]));
    let reason = "two readers of the response could disagree about its end; nginx refuses it since 1.23";
    let mut found = entry("stricter").server("location / { proxy_pass http://{BACKEND}; }");
    for head in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: x\r\n",
        "Transfer-Encoding: gzip\r\n",
    ] {
        found = found.ask(sends(&format!("HTTP/1.1 200 OK\r\n{head}\r\nx"))).own(reason, result());
    }
    found
}
