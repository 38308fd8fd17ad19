//! Forwarding: requests, responses, failures, groups of servers.

mod requests;
mod responses;
mod rewriting;
mod servers;

use self::requests::{bodies, dropped_bodies, early, heads, leaving, unbuffered, uris};
use self::responses::{
    bare, beyond, cut_off, emptied, malformed, repeated, response_bodies, response_headers, statuses,
    stricter, trailers,
};
use self::rewriting::{after_redirects, carried_types, cookies, internal_redirects, passed_parts, redirects};
use self::servers::{errors, failures, keepalive, methods, next_upstream, timeouts, weights};
use crate::backend::sends;
use crate::entry::{Entry, Step, entry};

pub fn entries() -> Vec<Entry> {
    vec![
        uris(),
        heads(),
        bodies(),
        unbuffered(),
        early(),
        statuses(),
        response_headers(),
        response_bodies(),
        malformed(),
        stricter(),
        redirects(),
        cookies(),
        internal_redirects(),
        carried_types(),
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
        beyond(),
        repeated(),
        emptied(),
    ]
}

/// What the log says of upgraded connections, and a status 101 that was not asked for.
fn tunnels() -> Entry {
    let asks = "GET /upgrade HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    entry("tunnels")
        .mask(r"sent=1[0-9][0-9]", "sent=N")
        .http("log_format {NAME} '$status $upstream_bytes_received $upstream_response_length $sent_http_connection $sent_http_upgrade';")
        .server("access_log logs/{NAME}.log {NAME}; location / { proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://{BACKEND}; }")
        .steps([Step::Send(asks.into()), Step::Read(1), Step::Send("some text".into()), Step::Pause, Step::Send("end!".into()), Step::Read(1)])
        .ask(sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
        .ask(sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello"))
        .ask(sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nhello"))
        .ask(sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        .raw(format!("GET {} HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\n\r\n", sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nhello")))
        .keep([sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "/a".into()])
}

/// A response with this status line, headers and body.
fn response(line: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    sends(&format!("HTTP/1.1 {line}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
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
