//! Failures, and the choice of servers.

use super::response;
use crate::backend::{holds, sends};
use crate::entry::{Entry, entry};

pub(super) fn errors() -> Entry {
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

pub(super) fn failures() -> Entry {
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

pub(super) fn next_upstream() -> Entry {
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

pub(super) fn timeouts() -> Entry {
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

pub(super) fn weights() -> Entry {
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

pub(super) fn methods() -> Entry {
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

pub(super) fn keepalive() -> Entry {
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
