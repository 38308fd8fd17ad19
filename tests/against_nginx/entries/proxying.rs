//! Forwarding: requests, responses, failures, groups of servers.

use crate::backend::{holds, sends, sends_parts};
use crate::entry::{Entry, Step, entry, page};

pub fn entries() -> Vec<Entry> {
    vec![
        uris(),
        heads(),
        bodies(),
        unbuffered(),
        statuses(),
        response_headers(),
        response_bodies(),
        malformed(),
        stricter(),
        redirects(),
        cookies(),
        internal_redirects(),
        errors(),
        failures(),
        next_upstream(),
        timeouts(),
        weights(),
        methods(),
        keepalive(),
        upgrades(),
        filters(),
        places(),
        dropped_bodies(),
        leaving(),
        passed_parts(),
        tunnels(),
        after_redirects(),
        trailers(),
        bare(),
        cut_off(),
    ]
}

/// Clients that close their side while something is waited for: as in nginx, that ends the request.
fn leaving() -> Entry {
    entry("leaving")
        .http("limit_req_zone $binary_remote_addr zone={NAME}:1m rate=20r/m;")
        .server(
            "location / { proxy_pass http://{BACKEND}; }
             location /ignored/ { proxy_ignore_client_abort on; proxy_pass http://{BACKEND}/; }
             location /stored/ { proxy_store {DIR}/stored; proxy_pass http://{BACKEND}/; }
             location /auth/ { auth_request /ask; return 200 x; }
             location = /ask { proxy_pass http://{BACKEND}/h/; }
             location /delay { limit_req zone={NAME} burst=5; alias {ROOT}/html/dir/file.txt; }
             location /file { alias {ROOT}/html/dir/file.txt; }
             error_page 400 /h/;",
        )
        .cut("GET /h/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        .cut("GET /h/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .cut("POST /h/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        .cut("GET /auth/x HTTP/1.1\r\nHost: x\r\n\r\n")
        .cut("GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
        .ask("/delay")
        .cut("GET /delay HTTP/1.1\r\nHost: x\r\n\r\n")
        .cut(format!(
            "GET /ignored{} HTTP/1.1\r\nHost: x\r\n\r\n",
            sends_parts(&["", "", "", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"])
        ))
        .cut(format!(
            "GET /stored{} HTTP/1.1\r\nHost: x\r\n\r\n",
            sends_parts(&["", "", "", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"])
        ))
}

/// Bodies that are passed on part by part: the chunks that a backend gets, and `$request_body`.
fn passed_parts() -> Entry {
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

/// What the log says of upgraded connections, and a status 101 that was not asked for.
fn tunnels() -> Entry {
    let asks = "GET /upgrade HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    entry("tunnels")
        .mask(r"sent=14[0-9]", "sent=N")
        .http("log_format {NAME} '$status $upstream_bytes_received $upstream_response_length $sent_http_connection $sent_http_upgrade';")
        .server("access_log logs/{NAME}.log {NAME}; location / { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://{BACKEND}; }")
        .steps([Step::Send(asks.into()), Step::Read(1), Step::Send("some text".into()), Step::Pause, Step::Send("end!".into()), Step::Read(1)])
        .ask(sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
        .keep([sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "/a".into()])
}

/// Variables of the proxy once the request went on elsewhere.
fn after_redirects() -> Entry {
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

/// Trailers are evaluated behind the body.
fn trailers() -> Entry {
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

/// Responses without a head: everything is the body.
fn bare() -> Entry {
    let targets = [
        "hello",
        "HTTP/x 200 OK\r\n\r\nhello",
        "ICY 200 OK\r\nicy-name: x\r\n\r\nsound",
        "HTTP/1.1 20 OK\r\n\r\n",
        "\r\n",
    ];
    entry("bare")
        .server("location / { proxy_pass http://{BACKEND}; }")
        .asks(targets.map(sends))
        .asks(targets.map(|text| format!("HEAD {}", sends(text))))
        .asks(targets.map(|text| format!("{} HTTP/1.0", sends(text))))
}

/// Responses that end too early, through filters.
fn cut_off() -> Entry {
    let text = sends("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nsome text");
    entry("cut-off")
        .server(
            "location / { proxy_pass http://{BACKEND}; }
             location /sub/ { sub_filter text TEXT; proxy_pass http://{BACKEND}/; }
             location /charset/ { charset utf-8; proxy_pass http://{BACKEND}/; }",
        )
        .asks(["", "/sub", "/charset"].map(|place| format!("{place}{text}")))
}

/// Requests whose body was discarded or refused before the request is forwarded after all.
fn dropped_bodies() -> Entry {
    entry("dropped-bodies")
        .server(
            "location /add { return 200 main; add_before_body /before; addition_types *; }
             location /before { proxy_pass http://{BACKEND}; }
             location /large { client_max_body_size 1; error_page 413 /before/413; }
             location /returned { return 404; error_page 404 /before/404; }
             location /unbuffered { proxy_request_buffering off; proxy_pass http://{BACKEND}; }
             location /returned2 { return 404; error_page 404 /unbuffered/404; }
             location /auth/ { auth_request /yes; auth_request_set $args set=1; proxy_pass http://{BACKEND}; }
             location = /yes { return 204; }
             location /gzip/ { gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; proxy_pass http://{BACKEND}/; }
             location /sub/ { sub_filter hidden shown; sub_filter_types *; proxy_pass http://{BACKEND}/; }",
        )
        .asks([
            "/add", "POST /add\n\n0123456789", "/large", "POST /large\n\n0123456789", "POST /returned\n\n0123456789",
            "POST /returned2\n\n0123456789", "/auth/x?a=b", "POST /auth/x\n\n0123456789",
        ])
        .asks(["/gzip", "/sub"].map(|place| {
            format!("{place}{}\nAccept-Encoding: gzip", response("200 OK", &["Accept-Ranges: bytes"], "hidden"))
        }))
}

/// A server whose locations forward to the backend.
fn uris() -> Entry {
    entry("uris")
        .server(
            "location / { proxy_pass http://{BACKEND}; }
             location /uri/ { proxy_pass http://{BACKEND}/other/; }
             location /root/ { proxy_pass http://{BACKEND}/; }
             location /deep { proxy_pass http://{BACKEND}/a/b; }
             location /query/ { proxy_pass http://{BACKEND}?fixed=1; }
             location = /exact { proxy_pass http://{BACKEND}/is; }
             location ~ ^/regex { proxy_pass http://{BACKEND}; }
             location /break/ { rewrite ^/break/(.*)$ /new/$1?added=1 break; proxy_pass http://{BACKEND}; }
             location /breakuri/ { rewrite ^/breakuri/(.*)$ /new/$1 break; proxy_pass http://{BACKEND}/uri/; }
             location /last/ { rewrite ^/last/(.*)$ /uri/$1 last; }
             location /var/ { set $to {BACKEND}; proxy_pass http://$to; }
             location /varuri/ { set $to {BACKEND}; proxy_pass http://$to/fixed; }
             location /varquery/ { set $to {BACKEND}; proxy_pass http://$to?$args; }
             location /wholeuri/ { proxy_pass http://{BACKEND}$uri; }
             location /request/ { proxy_pass http://{BACKEND}$request_uri; }
             location /try/ { try_files /none @named; }
             location @named { proxy_pass http://{BACKEND}; }
             location /nested/ { proxy_pass http://{BACKEND}/x1/; location /nested/in/ { proxy_pass http://{BACKEND}/x2/; } }
             location /if/ { if ($arg_a) { proxy_pass http://{BACKEND}; } return 200 none; }
             location /ifset/ { proxy_pass http://{BACKEND}/x3/; if ($arg_a) { set $b 1; } }
             location /except/ { proxy_pass http://{BACKEND}/x4/; limit_except GET { deny all; } }
             location /prefix/ { set $bad ftp://x; proxy_pass $bad; }
             location /port/ { set $to 127.0.0.1:99999; proxy_pass http://$to; }
             location /host/ { set $to ''; proxy_pass http://$to/; }
             location /name/ { set $to no-such-name.test; proxy_pass http://$to/; }
             location /index/ { proxy_pass http://{BACKEND}/; index x; }",
        )
        .asks([
            "/", "/a", "/a?b=c", "/a%20b?c=%20d", "/a/../b", "//a///b", "/a%2fb", "/a%2Fb%3Fc", "/%e4%F6", "/a?", "/a??b", "/a#b", "/a\"b<c>", "/a;b=c",
            "http://localhost/abs?x", "/uri/", "/uri/x/y?z", "/uri/a%20b", "/uri/a%3fb", "/uri/%25", "/uri/a\"b", "/uri/%c3%a4", "/uri/a&b+c", "/root/x", "/root//x", "/deepx/y", "/deep",
            "/query/x", "/query/x?y", "/exact", "/exact?a", "/regex/a%20b?c", "/break/x", "/break/x?y", "/break/a%20b", "/breakuri/x", "/breakuri/a%20b?c", "/last/x", "/last/a%20b",
            "/var/x?y", "/var/a%20b", "/varuri/x?y", "/varquery/x?y", "/wholeuri/x?y", "/request/x?y", "/request/a%20b", "/try/a%20b?c", "/nested/x", "/nested/in/x", "/if/x?a=1", "/if/x", "/ifset/x",
            "/ifset/x?a=1", "/except/x", "POST /except/x\n\nbody", "HEAD /except/x", "/prefix/", "/port/", "/host/", "/name/", "/index/", "/uri", "OPTIONS /x", "FOO /x", "HEAD /x",
        ])
        .raw("GET /old HTTP/1.0\r\n\r\n")
        .raw("GET /none\r\n\r\n")
}

fn heads() -> Entry {
    entry("heads")
        .server(
            "location / { proxy_pass http://{BACKEND}; }
             location /11/ { proxy_http_version 1.1; proxy_pass http://{BACKEND}; }
             location /set/ { proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Accept-Encoding ''; proxy_set_header User-Agent fixed; proxy_pass http://{BACKEND}; }
             location /vars/ { proxy_set_header X-Vars \"$proxy_host|$proxy_port|$uri|$request_method|$upstream_addr|$proxy_internal_body_length|$proxy_internal_chunked\"; proxy_pass http://{BACKEND}; }
             location /conn/ { proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade; proxy_pass http://{BACKEND}; }
             location /noconn/ { proxy_set_header Connection ''; proxy_set_header Host ''; proxy_pass http://{BACKEND}; }
             location /twice/ { proxy_set_header X-A 1; proxy_set_header X-A 2; proxy_set_header x-b $arg_b; proxy_pass http://{BACKEND}; }
             location /none/ { proxy_pass_request_headers off; proxy_pass http://{BACKEND}; }
             location /method/ { proxy_method $arg_m; proxy_pass http://{BACKEND}; }
             location /get/ { proxy_method POST; proxy_set_body \"a=$arg_a\"; proxy_pass http://{BACKEND}; }
             location /length/ { proxy_set_header Content-Length 5; proxy_pass http://{BACKEND}; }
             location /added/ { add_header X-Proxy \"$proxy_host $proxy_port $upstream_addr $upstream_status $upstream_response_length\"; proxy_pass http://{BACKEND}; }",
        )
        .http("log_format proxying-heads '$uri $upstream_addr $upstream_status $upstream_response_length $upstream_bytes_received $upstream_bytes_sent $upstream_http_content_type $proxy_host:$proxy_port';")
        .server("access_log logs/{NAME}_x.log proxying-heads;")
        .asks([
            "/a", "/a\nAccept: x\nX-Custom: a  b\nx_under: 1\nUser-Agent: me", "/a\nConnection: keep-alive\nKeep-Alive: 5\nTE: trailers\nUpgrade: x\nExpect: y\nProxy-Connection: z", "/11/a", "/11/a\nTE: trailers\nUpgrade: h2c",
            "/set/a\nHost: Named:81\nAccept-Encoding: gzip\nUser-Agent: me", "/set/a\nX-Forwarded-For: 1.2.3.4\nX-Real-IP: 9.9.9.9", "/set/a\nX-Forwarded-For: 1.2.3.4\nX-Forwarded-For: 5.6.7.8", "/vars/a%20b", "POST /vars/x\n\nbody",
            "/conn/a\nConnection: Upgrade\nUpgrade: websocket", "/conn/a\nConnection: keep-alive", "/noconn/a", "/twice/a", "/twice/a?b=c\nX-A: 3\nX-B: 4", "/none/a\nX-Custom: 1", "POST /none/a\n\nbody",
            "/method/?m=POST", "/method/?m=x", "HEAD /method/?m=GET", "/get/?a=b", "POST /get/?a=b\n\nxyz", "POST /length/\n\nhello", "/added/x", "HEAD /added/x", "/a\nCookie: a=b\nCookie: c=d", "/a\nEmpty:\nX: ",
            "/a\nRange: bytes=0-1\nIf-None-Match: *", "/a\nAuthorization: Basic dTpw",
        ])
}

const BODIES: [&str; 12] = [
    "POST /P\n\nhello",
    "POST /P\nContent-Length: 0",
    "PUT /P\nContent-Type: text/plain\n\nhello",
    "POST /P\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n",
    "POST /P\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
    "POST /P\nTransfer-Encoding: chunked\n\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
    "GET /P\n\nbody",
    "DELETE /P\n\nbody",
    "HEAD /P\n\nbody",
    "POST /P",
    "POST /P\nExpect: x\n\nhello",
    "POST /P\nContent-Length: 3\n\nabc",
];

fn with_path(path: &str) -> Vec<String> {
    BODIES.iter().map(|body| body.replace("/P", path)).collect()
}

fn bodies() -> Entry {
    let long = "x".repeat(40_000);
    entry("bodies")
        .server(
            "location /10 { proxy_pass http://{BACKEND}; }
             location /11 { proxy_http_version 1.1; proxy_pass http://{BACKEND}; }
             location /off { proxy_pass_request_body off; proxy_pass http://{BACKEND}; }
             location /offlength { proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_pass http://{BACKEND}; }
             location /set { proxy_set_body \"[$request_body]\"; proxy_pass http://{BACKEND}; }
             location /small { client_max_body_size 3; proxy_pass http://{BACKEND}; }
             location /file { client_body_in_file_only clean; proxy_pass http://{BACKEND}; }",
        )
        .asks(with_path("/10"))
        .asks(with_path("/11"))
        .asks(with_path("/offlength"))
        .asks(with_path("/set"))
        .asks(with_path("/small"))
        .asks(with_path("/file"))
        .ask(format!("POST /10\n\n{long}"))
        .ask(format!("POST /11\nTransfer-Encoding: chunked\n\n9c40\r\n{long}\r\n0\r\n\r\n"))
        .keep(["POST /10\n\nhello", "/10", "POST /11\n\nhello"])
}

fn unbuffered() -> Entry {
    let long = "x".repeat(40_000);
    let mut found = entry("unbuffered")
        .server(
            "proxy_request_buffering off;
             location /10 { proxy_pass http://{BACKEND}; }
             location /11 { proxy_http_version 1.1; proxy_pass http://{BACKEND}; }
             location /set { proxy_set_body \"[$request_body]\"; proxy_pass http://{BACKEND}; }
             location /early { proxy_http_version 1.1; proxy_pass http://{BACKEND}/x/485454502f312e31203230302046696e650d0a436f6e74656e742d4c656e6774683a20320d0a0d0a6f6b; }",
        )
        .asks(with_path("/10"))
        .asks(with_path("/11"))
        .asks(with_path("/set"))
        .ask(format!("POST /10\n\n{long}"));
    for path in ["/10", "/11"] {
        let start = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        found = found.parts([format!("{start}Content-Length: 10\r\n\r\nhello"), "world".into()]).parts([
            format!("{start}Content-Length: 10\r\n\r\n"),
            "hello".into(),
            "world".into(),
        ]);
    }
    found
}

/// A response with this status line, headers and body.
fn response(line: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    sends(&format!("HTTP/1.1 {line}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
}

fn statuses() -> Entry {
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
        .ask(sends("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n"))
        .ask(sends("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"))
        .keep([sends("HTTP/1.1 304 Not Modified\r\n\r\n"), sends("HTTP/1.1 204 No\r\n\r\n")])
}

fn response_headers() -> Entry {
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
    ];
    let all = |path: &str| asked.iter().map(|target| format!("{path}{target}")).collect::<Vec<_>>();
    entry("response-headers")
        .server(
            "location /plain/ { proxy_pass http://{BACKEND}/; }
             location /pass/ { proxy_pass_header Server; proxy_pass_header date; proxy_pass_header X-Pad; proxy_pass_header X-Accel-Charset; proxy_pass http://{BACKEND}/; }
             location /hide/ { proxy_hide_header x-hide; proxy_hide_header ETag; proxy_hide_header Set-Cookie; proxy_hide_header Content-Type; proxy_pass http://{BACKEND}/; }
             location /ranges/ { proxy_force_ranges on; proxy_pass http://{BACKEND}/; }
             location /add/ { add_header X-Up \"$upstream_http_x_kept|$upstream_http_set_cookie|$upstream_cookie_a|$upstream_cookie_c|$upstream_http_server|$sent_http_last_modified|$sent_http_content_type|$sent_http_location\" always; expires 1h; proxy_pass http://{BACKEND}/; }",
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

fn response_bodies() -> Entry {
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

fn malformed() -> Entry {
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
fn stricter() -> Entry {
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

fn redirects() -> Entry {
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

fn cookies() -> Entry {
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
         location /all/ { proxy_cookie_path / \"/; added\"; proxy_cookie_domain a.test $arg_d; proxy_cookie_flags a secure; proxy_pass http://{BACKEND}/; }",
    );
    for place in ["/path", "/domain", "/flags", "/remove", "/off", "/all"] {
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

fn internal_redirects() -> Entry {
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
    let mut found = entry("accel")
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

fn errors() -> Entry {
    let all = |place: &str| {
        ["200 OK", "301 M", "400 x", "401 x", "403 x", "404 x", "500 x", "502 x", "503 x", "504 x"]
            .map(|line| {
                format!(
                    "{place}{}",
                    response(line, &["WWW-Authenticate: Basic x", "X-A: b", "Location: /l"], "own body")
                )
            })
            .to_vec()
    };
    entry("errors")
        .server(
            "error_page 404 /p404; error_page 401 403 =200 /p; error_page 500 502 @fallback; error_page 503 =503 http://other.test/; error_page 504 = /again/;
             location = /p404 { return 200 \"page $uri $status $upstream_status\"; }
             location = /p { return 200 \"page $upstream_status\"; }
             location @fallback { return 200 \"fallback $upstream_status $upstream_addr\"; }
             location /again/ { proxy_pass http://{BACKEND}/x; }
             location /on/ { proxy_intercept_errors on; proxy_pass http://{BACKEND}/; }
             location /off/ { proxy_pass http://{BACKEND}/; }
             location /dead/ { proxy_pass http://127.0.0.1:1; }
             location /deadagain/ { error_page 502 = @proxied; proxy_pass http://127.0.0.1:1; }
             location @proxied { add_header X-Addr \"$upstream_addr|$upstream_status|$upstream_response_length\"; proxy_pass http://{BACKEND}; }",
        )
        .asks(all("/on"))
        .asks(all("/off"))
        .asks(["/dead/x", "/deadagain/x", "POST /deadagain/x\n\nbody"])
}

fn failures() -> Entry {
    entry("failures")
        .http("log_format proxying-failures '$uri $upstream_addr|$upstream_status|$upstream_response_length|$upstream_bytes_received|$upstream_bytes_sent|$upstream_http_x|$upstream_cookie_x|$upstream_trailer_x|$proxy_host|$proxy_port';")
        .server(
            "access_log logs/{NAME}_x.log proxying-failures;
             location / { proxy_pass http://{BACKEND}; }
             location /dead { proxy_pass http://127.0.0.1:1; }
             location /unix { proxy_pass http://unix:/nonexistent/socket:; }
             location /unixuri { proxy_pass http://unix:/nonexistent/socket:/a/; }
             location /varunix { set $s unix:/nonexistent/socket; proxy_pass http://$s:; }",
        )
        .asks(["/x", "/dead", "/unix", "/unixuri/x", "/varunix", "HEAD /dead", "POST /dead\n\nbody"])
        .ask(sends(""))
        .ask(sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nSet-Cookie: x=y\r\nX: z\r\n\r\nhello"))
        .ask(sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        .keep(["/dead", "/x"])
}

fn next_upstream() -> Entry {
    let group = |name: &str, lines: &str| format!("upstream {name} {{ {lines} }}\n");
    let fail = response("500 x", &[], "no").replace("/x/", "");
    let mut found = entry("next-upstream")
        .http(group("nu_dead", "server 127.0.0.1:1; server 127.0.0.1:2;"))
        .http(group("nu_mixed", "server 127.0.0.1:1 max_fails=0; server 127.0.0.2:{BPORT} max_fails=0;"))
        .http(group("nu_backup", "server 127.0.0.1:1; server 127.0.0.2:{BPORT} backup;"))
        .http(group("nu_down", "server 127.0.0.1:1 down; server 127.0.0.2:{BPORT};"))
        .http(group("nu_alldown", "server 127.0.0.1:1 down;"))
        .http(group("nu_twice", "server 127.0.0.2:{BPORT} max_fails=0; server 127.0.0.3:{BPORT} max_fails=0;"))
        .http(group("nu_unix", "server unix:/tmp/none.0; server unix:/tmp/none.1; server 127.0.0.2:{BPORT};"))
        .http("log_format proxying-next '$uri $upstream_addr|$upstream_status|$upstream_response_length';")
        .server(
            "access_log logs/{NAME}_x.log proxying-next;
             add_header X-Up \"$upstream_addr|$upstream_status\" always;
             location /dead/ { proxy_pass http://nu_dead; }
             location /mixed/ { proxy_pass http://nu_mixed/; }
             location /mixedoff/ { proxy_next_upstream off; proxy_pass http://nu_mixed/; }
             location /tries/ { proxy_next_upstream_tries 1; proxy_pass http://nu_mixed/; }
             location /nonidem/ { proxy_next_upstream error non_idempotent http_500; proxy_pass http://nu_twice/; }
             location /backup/ { proxy_pass http://nu_backup/; }
             location /down/ { proxy_pass http://nu_down/; }
             location /alldown/ { proxy_pass http://nu_alldown/; }
             location /s500/ { proxy_next_upstream http_500 http_404 http_429 invalid_header; proxy_pass http://nu_twice/; }
             location /s0/ { proxy_pass http://nu_twice/; }
             location /unix/ { proxy_pass http://nu_unix/; }
             location /varied/ { set $g nu_mixed; proxy_pass http://$g/fixed; }
             location /caps/ { proxy_pass http://NU_Mixed; }",
        )
        .asks(["/dead/", "/dead/"])
        .asks(["/mixed/a", "/mixed/b", "/mixed/c", "POST /mixed/d\n\nbody", "POST /mixed/e\n\nbody"])
        .asks(["/mixedoff/a", "/mixedoff/b", "/tries/a", "/tries/b"])
        .asks(["/backup/a", "/backup/b", "/down/a", "/down/b", "/alldown/a", "/varied/a", "/varied/b", "/caps/a", "/caps/b"]);
    for place in ["/s500/x/", "/s0/x/", "/nonidem/x/"] {
        found = found.asks([
            format!("{place}{fail}"),
            format!("{place}{fail}"),
            format!("POST {place}{fail}\n\nbody"),
        ]);
        let empty = sends("").replace("/x/", "");
        found = found.asks([format!("{place}{empty}"), format!("POST {place}{empty}\n\nbody")]);
        for line in ["404 x", "403 x", "429 x", "502 x"] {
            found = found.ask(format!("{place}{}", response(line, &[], "n").replace("/x/", "")));
        }
        found = found.ask(format!("{place}{}", sends("HTTP/1.1 200 OK\r\n: x\r\n\r\n").replace("/x/", "")));
    }
    found.asks(["/unix/a", "/unix/b", "/unix/c"])
}

fn timeouts() -> Entry {
    entry("timeouts")
        .server(
            "add_header X-Up \"$upstream_addr|$upstream_status\" always;
             location / { proxy_buffering off; proxy_read_timeout 200ms; proxy_pass http://{BACKEND}; }
             location /pages/ { error_page 504 /page; proxy_read_timeout 200ms; proxy_pass http://{BACKEND}/; }
             location = /page { return 200 late; }",
        )
        .ask(holds(""))
        .ask(holds("HTTP/1.1 200 OK\r\n"))
        .ask(holds("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"))
        .ask(holds("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
        .ask(format!("/pages{}", holds("")))
        .ask(format!("POST {}\n\nbody", holds("")))
}

fn weights() -> Entry {
    entry("weights")
        .http("upstream w_weights { server 127.0.0.2:{BPORT} weight=5; server 127.0.0.3:{BPORT}; server 127.0.0.4:{BPORT} weight=2; }")
        .http("upstream w_fails { server 127.0.0.1:1 weight=3; server 127.0.0.3:{BPORT}; server 127.0.0.4:{BPORT}; }")
        .http("upstream w_fails2 { server 127.0.0.1:1 weight=3 max_fails=2 fail_timeout=60; server 127.0.0.3:{BPORT}; server 127.0.0.4:{BPORT} backup; }")
        .server(
            "add_header X-Up \"$upstream_addr|$upstream_status\" always;
             location /w { proxy_pass http://w_weights; }
             location /f { proxy_pass http://w_fails; }
             location /g { proxy_pass http://w_fails2; }",
        )
        .asks((0..24).map(|number| format!("/w{number}")).collect::<Vec<_>>())
        .asks((0..12).map(|number| format!("/f{number}")).collect::<Vec<_>>())
        .asks((0..12).map(|number| format!("/g{number}")).collect::<Vec<_>>())
}

fn methods() -> Entry {
    let servers = "server 127.0.0.2:{BPORT} weight=3; server 127.0.0.3:{BPORT}; server 127.0.0.4:{BPORT} weight=2; server 127.0.0.5:{BPORT} down;";
    let dead = "server 127.0.0.2:{BPORT}; server 127.0.0.1:1; server 127.0.0.3:{BPORT} weight=2;";
    let mut found = entry("methods").server("add_header X-Up \"$upstream_addr|$upstream_status\" always; set_real_ip_from 127.0.0.0/8; real_ip_header X-IP;");
    for (name, method) in [
        ("hash", "hash $arg_k;"),
        ("ring", "hash $arg_k consistent;"),
        ("ip", "ip_hash;"),
        ("least", "least_conn;"),
    ] {
        found = found
            .http(format!("upstream m_{name} {{ {method} {servers} }} upstream m_{name}_dead {{ {method} {dead} }}"))
            .server(format!("location /{name}/ {{ proxy_pass http://m_{name}/; }} location /{name}dead/ {{ proxy_pass http://m_{name}_dead/; }}"));
    }
    for number in 0..40 {
        for name in ["hash", "ring", "ip", "least", "hashdead", "ringdead", "ipdead", "leastdead"] {
            if number < 12 || !name.ends_with("dead") {
                found = found.ask(format!(
                    "/{name}/?k=key{number}\nX-IP: {}.{}.{number}.7",
                    number * 5 % 200 + 1,
                    number * 13 % 256
                ));
            }
        }
    }
    found.asks([
        "/hash/",
        "/hash/?k=",
        "/ring/",
        "/ring/?k=",
        "/ip/\nX-IP: 2001:db8::1",
        "/ip/\nX-IP: 2001:db8:1::9",
    ])
}

fn keepalive() -> Entry {
    entry("keepalive")
        .http("upstream k_one { server {BACKEND}; keepalive 2; keepalive_requests 4; }")
        .http("upstream k_none { server {BACKEND}; }")
        .http("upstream k_short { server {BACKEND}; keepalive 2; keepalive_timeout 1ms; }")
        .server(
            "proxy_http_version 1.1; proxy_set_header Connection '';
             location /count/one { proxy_pass http://k_one; }
             location /one/ { proxy_pass http://k_one/; }
             location /count/none { proxy_pass http://k_none; }
             location /count/close { proxy_set_header Connection close; proxy_pass http://k_one; }
             location /count/10 { proxy_http_version 1.0; proxy_pass http://k_none; }",
        )
        .asks(["/count/one"; 9])
        .asks(["HEAD /count/one", "/count/one", "POST /count/one\n\nbody", "/count/one"])
        .asks(["/count/none", "/count/none"])
        .asks([
            "/one/x",
            "/count/one",
            &format!(
                "/one{}",
                holds("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
            ),
            "/count/one",
        ])
        .asks([
            &format!("/one{}", holds("HTTP/1.1 204 No\r\n\r\n")),
            "/count/one",
            &format!("/one{}", holds("HTTP/1.1 304 No\r\n\r\n")),
            "/count/one",
        ])
        .asks([&format!("/one{}", holds("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy")), "/count/one"])
        .asks([
            &format!("/one{}", holds("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")),
            "/count/one",
        ])
        .asks([&format!("/one{}", holds("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx")), "/count/one"])
}

fn upgrades() -> Entry {
    let asks = |headers: &str| format!("GET /upgrade HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    entry("upgrades")
        .server("location / { access_log off; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://{BACKEND}; }")
        .steps([Step::Send(asks("Upgrade: x\r\nConnection: upgrade\r\n").into()), Step::Read(1), Step::Send("some text".into()), Step::Pause, Step::Send("end!".into()), Step::Read(1)])
        .steps([Step::Send(format!("{}early", asks("Upgrade: x\r\nConnection: upgrade\r\n")).into()), Step::Read(1), Step::Send("end!".into()), Step::Read(1)])
}

fn filters() -> Entry {
    let html = response(
        "200 OK",
        &["Content-Type: text/html", "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT", "ETag: \"abc\""],
        &"some text to be changed ".repeat(20),
    );
    let chunked = sends(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsome text\r\n9\r\nsome text\r\n0\r\n\r\n",
    );
    let coded = response("200 OK", &["Content-Type: text/html", "Content-Encoding: gzip"], "not really");
    let mut found = entry("filters").server(
        "location /gzip/ { gzip on; gzip_min_length 1; gzip_proxied any; gzip_vary on; proxy_pass http://{BACKEND}/; }
         location /sub/ { sub_filter text TEXT; sub_filter_once off; proxy_pass http://{BACKEND}/; }
         location /charset/ { charset utf-8; proxy_pass http://{BACKEND}/; }
         location /addition/ { add_before_body /before; add_after_body /after; proxy_pass http://{BACKEND}/; }
         location = /before { proxy_pass http://{BACKEND}/x/485454502f312e3120323030204f4b0d0a0d0a3c6265666f72653e; }
         location = /after { return 200 <after>; }
         location /limit/ { limit_rate 100k; proxy_limit_rate 1m; proxy_pass http://{BACKEND}/; }
         location /auth/ { auth_request /check; proxy_pass http://{BACKEND}/; }
         location = /check { internal; proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_pass http://{BACKEND}/x/485454502f312e3120323030204f4b0d0a436f6e74656e742d4c656e6774683a20310d0a0d0a78; }
         location /mirror/ { mirror /copy; proxy_pass http://{BACKEND}/; }
         location = /copy { internal; proxy_pass http://{BACKEND}$request_uri; }",
    );
    for place in ["/gzip", "/sub", "/charset", "/addition", "/limit", "/auth", "/mirror"] {
        for target in [&html, &chunked, &coded] {
            found = found.asks([
                format!("{place}{target}"),
                format!("{place}{target}\nAccept-Encoding: gzip"),
                format!("HEAD {place}{target}"),
                format!("{place}{target} HTTP/1.0"),
            ]);
        }
    }
    found
}

fn places() -> Entry {
    entry("places")
        .http("server { listen unix:{SOCK}; location / { return 200 \"unix $uri $args $http_host\"; } }")
        .http("upstream p_unix { server unix:{SOCK}; }")
        .server(
            "location /unix/ { proxy_pass http://unix:{SOCK}:; }
             location /unixuri/ { proxy_pass http://unix:{SOCK}:/a/; }
             location /varunix/ { set $s unix:{SOCK}; proxy_pass http://$s:; }
             location /varunixuri/ { set $s unix:{SOCK}; proxy_pass http://$s:/b$uri; }
             location ~ ^/regex/(.*)$ { proxy_pass http://unix:{SOCK}:$request_uri; }
             location /group/ { proxy_pass http://p_unix; }
             location /groupuri/ { proxy_pass http://p_unix/c/; }
             location /bind/ { proxy_bind 127.0.0.9; proxy_pass http://{ADDR}:{PORT2}; }
             location /bindvar/ { proxy_bind $arg_b; proxy_pass http://{ADDR}:{PORT2}; }
             location /keepalive/ { proxy_socket_keepalive on; proxy_pass http://{BACKEND}; }",
        )
        .http("server { listen {ADDR}:{PORT2}; location / { return 200 \"$remote_addr $uri\"; } }")
        .asks([
            "/unix/x?y",
            "/unixuri/x?y",
            "/varunix/x?y",
            "/varunixuri/x",
            "/regex/x?y",
            "/group/x",
            "/groupuri/x",
            "/bind/x",
            "/bindvar/x?b=127.0.0.8",
            "/bindvar/x?b=off",
            "/keepalive/x",
        ])
}
