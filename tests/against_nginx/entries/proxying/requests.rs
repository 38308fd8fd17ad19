//! Requests to backends: their targets, heads and bodies.

use super::response;
use crate::backend::sends_parts;
use crate::entry::{Entry, Step, entry};

/// Clients that close their side while something is waited for: as in nginx, that ends the request.
pub(super) fn leaving() -> Entry {
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

/// Requests whose body was discarded or refused before the request is forwarded after all.
pub(super) fn dropped_bodies() -> Entry {
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
pub(super) fn uris() -> Entry {
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

pub(super) fn heads() -> Entry {
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

pub(super) fn bodies() -> Entry {
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

pub(super) fn unbuffered() -> Entry {
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

/// Backends that answer before they have the body, which is passed on meanwhile.
pub(super) fn early() -> Entry {
    let post = |path: &str, body: &str| {
        Step::Send(format!("POST /early/{path} HTTP/1.1\r\nHost: x\r\n{body}").into_bytes())
    };
    let send = |text: &str| Step::Send(text.into());
    let begins = || post("", "Content-Length: 10\r\n\r\nhello");
    let chunk = |path: &str| post(path, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    entry("early-responses")
        .server(
            "proxy_request_buffering off; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection '';
             client_body_timeout 400ms; lingering_timeout 400ms;
             location / { proxy_pass http://{BACKEND}; }",
        )
        .steps([begins(), Step::Pause, send("world"), Step::Read(1), begins(), Step::Pause, send("again"), Step::Read(1)])
        .steps([begins(), Step::Pause, send("wor"), Step::Pause, send("ld"), Step::Read(1)])
        // The body stops, ends, or goes on when the response is complete.
        .steps([begins(), Step::Read(1)])
        .steps([begins(), Step::Pause, Step::Shut, Step::Read(1)])
        .steps([post("short", "Content-Length: 10\r\n\r\nhello"), Step::Read(1), Step::Pause, send("world")])
        .steps([chunk("short"), Step::Read(1)])
}
