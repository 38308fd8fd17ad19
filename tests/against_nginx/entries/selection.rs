//! Which server and which location answers.

use crate::entry::{Entry, Listener, entry};

pub fn entries() -> Vec<Entry> {
    vec![
        server_names(),
        entry("default-server")
            .bare()
            .http(
                "server { listen {ADDR}:{PORT}; server_name first; return 200 first; }
                 server { listen {ADDR}:{PORT} default_server; server_name second; return 200 second; }
                 server { listen {ADDR}:{PORT}; server_name third \"\"; return 200 third; }",
            )
            .asks(["/", "/\nHost: first", "/\nHost: second", "/\nHost: third", "/\nHost: fourth", "/\nHost:"])
            .raws(["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost:\r\n\r\n", "GET /\r\n"]),
        entry("refused-behind-its-host")
            .bare()
            .http(
                "server { listen {ADDR}:{PORT}; server_name a; error_page 400 405 501 /e1; location /e1 { return 200 one; } }
                 server { listen {ADDR}:{PORT}; server_name b; error_page 400 405 501 /e2; location /e2 { return 200 two; } }",
            )
            .raws([
                "TRACE /x HTTP/1.1\r\nHost: b\r\n\r\n",
                "GET /x HTTP/1.1\r\nHost: b\r\nContent-Length: -1\r\n\r\n",
                "GET /x HTTP/1.1\r\nHost: b\r\nHost: a\r\n\r\n",
                "GET /x HTTP/1.1\r\nHost: b\r\nx\0y: z\r\n\r\n",
                "GET /x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: x\r\n\r\n",
                "GET http://b/x HTTP/1.1\r\n\r\n",
                "GET http://b/x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
                "GET /x HTTP/1.1\r\nx\0y: z\r\nHost: b\r\n\r\n",
                "GET /x HTTP/1.1\r\nHost: /\r\n\r\n",
                "GET /x HTTP/1.1\r\n\r\n",
                "GET x HTTP/1.1\r\nHost: b\r\n\r\n",
            ]),
        entry("first-is-default")
            .bare()
            .http(
                "server { listen {ADDR}:{PORT}; server_name first; return 200 first; }
                 server { listen {ADDR}:{PORT}; server_name _; return 200 underscore; }",
            )
            .asks(["/", "/\nHost: _", "/\nHost: first"]),
        entry("same-name-other-port")
            .bare()
            .http(
                "server { listen {ADDR}:{PORT}; server_name a; return 200 one-a; }
                 server { listen {ADDR}:{PORT}; listen {ADDR}:{PORT2}; server_name b; return 200 both-b; }
                 server { listen {ADDR}:{PORT2} default_server; server_name a; return 200 two-a; }",
            )
            .asks(["/\nHost: a", "/\nHost: b", "/\nHost: c"])
            .ask("/\nHost: a")
            .on(Listener::Port(1))
            .ask("/\nHost: b")
            .on(Listener::Port(1))
            .ask("/\nHost: c")
            .on(Listener::Port(1)),
        entry("host-forms")
            .server("server_name localhost; return 200 \"[$host][$http_host][$server_name]\";")
            .asks([
                "/\nHost: LOCALHOST",
                "/\nHost: LocalHost:8080",
                "/\nHost: localhost.",
                "/\nHost: localhost.:80",
                "/\nHost: localhost:",
                "/\nHost: localhost:x",
                "/\nHost: localhost:80:90",
                "/\nHost: a..b",
                "/\nHost: .a",
                "/\nHost: a/b",
                "/\nHost: a\\b",
                "/\nHost: a b",
                "/\nHost: a_b",
                "/\nHost: [::1]",
                "/\nHost: [::1]:80",
                "/\nHost: [::1",
                "/\nHost: ::1",
                "/\nHost: [::1]x",
                "/\nHost: 127.0.0.1",
                "/\nHost: 127.0.0.1:1",
                "/\nHost: a@b",
                "/\nHost: %41",
                "/\nHost: \u{fc}",
                "/\nHost: \"a\"",
                "/\nHost: a,b",
                "/\nHost:  spaces  ",
                "/\nHost: \t tab",
                "/\nHost: -x",
                "/\nHost: ?",
                "/\nHost: a#b",
                "/\nHost: .",
                "/\nHost: a.",
                "/\nHost: a..",
            ])
            .raws([
                "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
                "GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
                "GET / HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\0b\r\nConnection: close\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\x01b\r\nConnection: close\r\n\r\n",
            ]),
        entry("absolute-form")
            .bare()
            .http(
                "server { listen {ADDR}:{PORT}; server_name one; access_log logs/{NAME}.log against;
                    return 200 \"one [$host][$http_host][$request_uri][$uri][$args]\"; }
                 server { listen {ADDR}:{PORT}; server_name two; access_log logs/{NAME}.log against;
                    return 200 \"two [$host][$http_host][$request_uri][$uri][$args]\"; }",
            )
            .asks([
                "GET http://two/x?y",
                "GET http://two/x?y\nHost: one",
                "GET http://TWO:80/\nHost: one",
                "GET http://two",
                "GET http://two?a=b",
                "GET http://two#a",
                "GET http://two.:8080/x",
                "GET http:///x",
                "GET http://",
                "GET http:/x",
                "GET http:x",
                "GET https://two/x",
                "GET ftp://two/x",
                "GET HTTP://two/x",
                "GET h+t-t.p://two/x",
                "GET h1ttp://two/x",
                "GET 1http://two/x",
                "GET http://[::1]/x",
                "GET http://[::1]:80/x",
                "GET http://[::1/x",
                "GET http://two:/x",
                "GET http://two:x/x",
                "GET http://user@two/x",
                "GET http://two/../x",
                "GET http://two /x",
                "GET http://a_b/x",
                "GET http://\u{fc}/x",
                "GET http://two//x//y",
                "GET http://two/%74",
                "OPTIONS *",
                "GET *",
                "CONNECT two:80",
                "GET two",
            ])
            .raws([
                "GET http://two/x HTTP/1.1\r\nConnection: close\r\n\r\n",
                "GET http://two/x HTTP/1.0\r\n\r\n",
                "GET http://two/x\r\n",
                "GET http://two\r\n",
            ]),
        regex_names(),
        entry("listeners-v6-and-unix")
            .server(
                "listen [::1]:{PORT6}; listen unix:{SOCK};
                 server_name x; location / { return 200 \"[$host][$scheme][$remote_addr][$server_name]\"; }
                 location /dir { root {ROOT}/html; }
                 location /addr { return 200 \"[$server_addr][$server_port]\"; }",
            )
            .ask("/")
            .ask("/")
            .on(Listener::V6)
            .ask("/addr")
            .on(Listener::V6)
            .ask("/dir")
            .on(Listener::V6)
            .ask("/")
            .on(Listener::Unix)
            .ask("/addr")
            .on(Listener::Unix)
            .ask("/dir")
            .on(Listener::Unix)
            .keep(["/", "/addr"])
            .on(Listener::Unix),
        entry("phase-order")
            .server(
                "set $trace server;
                 rewrite ^/start /loc;
                 location /loc { set $trace \"$trace-loc\"; if ($arg_d) { return 403 \"if $trace\"; } deny all; }
                 location /return { deny all; return 200 \"$trace\"; }
                 location /auth { auth_basic x; auth_basic_user_file missing; deny all; }
                 location /file { root {ROOT}/none; deny all; try_files /x =404; }
                 location /limit { limit_except GET { deny all; } return 201; }
                 location /index/ { alias {ROOT}/html/dir/; allow all; add_header X-Trace $trace; }
                 location = /index/index.html { return 202 internal; }",
            )
            .asks(["/start", "/start?d=1", "/return", "/auth", "/file", "/limit", "POST /limit\n\nx", "/index/"]),
        entry("internal-redirect-bound")
            .server(
                "location /a { rewrite ^/a/(.*) /b/$1 last; return 200 a; }
                 location /b { rewrite ^/b/(.*) /a/$1 last; return 200 b; }
                 location /try { try_files /none /try/x; }
                 location /err { error_page 404 /err/x; return 404; }
                 location /rec { recursive_error_pages on; error_page 404 /rec/x; return 404; }
                 location /break { rewrite ^/break/(.*)x$ /break/$1y break; return 200 $uri; }
                 location /index/ { index /index/; }
                 location /count { rewrite \"^/count/(1{9})\" /stop last; rewrite ^/count/(1*) /count/1$1 last; }
                 location /stop { return 200 stopped; }
                 location /ten { rewrite \"^/ten/(1{10})\" /stop last; rewrite ^/ten/(1*) /ten/1$1 last; }",
            )
            .asks(["/a/x", "/b/", "/try", "/err", "/rec", "/break/x", "/index/", "/count/", "/count/1", "/ten/", "/ten/1"]),
        entry("named-location-twice")
            .server("location / { try_files /none @twice; } location @twice { return 200 first; } location @twice { return 200 second; }")
            .asks(["/x"]),
        entry("named-locations")
            .server(
                "location / { try_files $uri @fallback; }
                 location /err { error_page 404 = @err; return 404; }
                 location /err2 { error_page 404 @err; return 404; }
                 location /loop { try_files /none @loop; }
                 location @loop { try_files /none @loop2; }
                 location @loop2 { try_files /none @loop; }
                 location /missing { try_files /none @missing; }
                 location /missing-err { error_page 404 @missing; return 404; }
                 location @fallback { return 200 \"fallback $uri $args\"; }
                 location @err { return 202 \"err $uri $status\"; }
                 location @file { root {ROOT}/html/dir; }
                 location /to-file.txt { try_files /none @file; }
                 location /file.txt { try_files /none @file; }",
            )
            .asks([
                "/a.txt", "/none?x=y", "/err", "/err2", "/loop", "/missing", "/missing-err", "/to-file.txt", "/file.txt",
                "/@fallback", "/dir", "/dir/",
            ]),
        entry("internal-locations")
            .server(
                "error_page 404 /err.html;
                 location = /err.html { internal; return 200 \"err $uri\"; }
                 location /int/ { internal; root {ROOT}/html; }
                 location /via { rewrite ^/via/(.*) /int2/$1 last; }
                 location /int2/ { internal; return 200 \"int2 $uri\"; }
                 location /try { try_files /none /int2/try; }
                 location /only { error_page 403 /int2/page; deny all; }",
            )
            .asks(["/err.html", "/int/x", "/via/x", "/try", "/only", "/int2/x", "/nothing"]),
        entry("mirror")
            // What was sent of the response, with the name of the server.
            .mask("body=[0-9]+ sent=[0-9]+ length=0", "body=N sent=N length=0")
            .http("server { listen {ADDR}:{PORT2}; access_log logs/{NAME}.log against; return 200 mirrored; }")
            .server(
                "location / { mirror /mirror; return 200 main; }
                 location /file/ { alias {ROOT}/html/; mirror /mirror; }
                 location /two { mirror /mirror; mirror /mirror2; root {ROOT}/html/; rewrite .* /a.txt break; }
                 location /off { mirror off; return 200 off; }
                 location = /mirror { internal; log_subrequest on; return 204; }
                 location = /mirror2 { internal; log_subrequest on; return 500; }",
            )
            .asks(["/", "/file/a.txt", "/two", "/off", "/mirror", "POST /file/a.txt\n\nbody"])
            // nginx counts what its connection has sent when a mirror's line is written.
            .mask("body=[0-9]+ sent=~?[0-9]+(?=.*uri=\"/mirror)", "LENGTHS"),
        entry("body-limits-of-subrequests")
            .http("server { listen {ADDR}:{PORT2}; return 200 origin; }")
            .server(
                "access_log logs/{NAME}.log against; log_subrequest on;
                 location /mirror/ { alias {ROOT}/html/; mirror /small; error_page 405 =200 /said; } location /auth/ { alias {ROOT}/html/; auth_request /small; error_page 405 =200 /said; } location /page/ { alias {ROOT}/html/; auth_request /small-page; error_page 405 =200 /said; } location /page500/ { auth_request /small; error_page 500 /said; }
                 location /added/ { alias {ROOT}/html/; default_type text/html; add_after_body /small; error_page 405 =200 /said; } location /off/ { alias {ROOT}/html/; mirror /small; mirror_request_body off; error_page 405 =200 /said; }
                 location /proxied { mirror /small; proxy_pass http://{ADDR}:{PORT2}; } location /proxied-auth { auth_request /small; proxy_pass http://{ADDR}:{PORT2}; }
                 location /said { return 200 said; } location = /small { client_max_body_size 3; return 204; } location = /small-page { client_max_body_size 3; error_page 413 = /passed; return 204; } location /passed { return 204; }",
            )
            .asks(["mirror/a.txt", "auth/a.txt", "page/a.txt", "page500/a.txt", "added/index.html", "off/a.txt", "proxied", "proxied-auth"].iter().flat_map(|path| {
                ["GET", "PUT"].iter().flat_map(move |method| {
                    [format!("{method} /{path}"), format!("{method} /{path}\n\nabc"), format!("{method} /{path}\n\nbody"), format!("{method} /{path}\nTransfer-Encoding: chunked\n\n4\r\nbody\r\n0\r\n\r\n")]
                })
            }))
            .mask("body=[0-9]+ sent=~?[0-9]+(?=.*uri=\"/small)", "LENGTHS"),
        entry("mirrored-bodies")
            .http(
                "log_format mirrored '$request_method $request_uri $http_content_length $http_x_body $http_x_original';
                 server { listen {ADDR}:{PORT2}; access_log logs/{NAME}_origin.log mirrored; return 200 \"origin [$http_x_body]\"; }",
            )
            .server(
                "proxy_ignore_client_abort on; proxy_set_header X-Body $request_body; proxy_set_header X-Original $request_uri;
                 location /on { mirror /copy; mirror_request_body on; proxy_pass http://{ADDR}:{PORT2}; }
                 location /off { mirror /copy; mirror_request_body off; proxy_pass http://{ADDR}:{PORT2}; }
                 location = /copy { internal; proxy_pass http://{ADDR}:{PORT2}/copied; }",
            )
            .asks(["/on", "POST /on\n\nbody", "/off", "POST /off\n\nbody", "POST /on\nTransfer-Encoding: chunked\n\n4\r\nbody\r\n0\r\n\r\n"]),
        entry("mirror-variables")
            .http("log_format copy '$request_uri $uri [$request_method] [$content_length] [$http_content_length] [$request_length] $status';")
            .server(
                "root {ROOT}/html; access_log logs/{NAME}_copies.log copy; log_subrequest on;
                 location /on/ { alias {ROOT}/html/; mirror /copy; } location /off/ { alias {ROOT}/html/; mirror /copy; mirror_request_body off; } location /return { mirror /copy; return 200 x; }
                 location /page/ { alias {ROOT}/html/; mirror /copy; error_page 405 /said/a.txt; } location /page200/ { alias {ROOT}/html/; mirror /copy; error_page 405 =200 /a.txt; } location /pagemirrored/ { alias {ROOT}/html/; error_page 405 =200 /said/b.txt; } location /said/ { alias {ROOT}/html/; mirror /copy; }
                 location /none/ { alias {ROOT}/html/; mirror /copy; error_page 404 /said/a.txt; } location /namedpage/ { alias {ROOT}/html/; mirror /copy; error_page 405 @said; } location @said { mirror /copy; root {ROOT}/html; try_files /a.txt =404; }
                 location = /copy { internal; return 204; }",
            )
            .asks(
                ["on/a.txt", "off/a.txt", "page/a.txt", "page200/a.txt", "pagemirrored/a.txt", "none/x", "namedpage/a.txt"]
                    .iter()
                    .flat_map(|place| {
                        ["GET", "HEAD", "PUT", "POST"].iter().flat_map(move |method| {
                            [format!("{method} /{place}"), format!("{method} /{place}\n\nbody"), format!("{method} /{place}\nTransfer-Encoding: chunked\n\n4\r\nbody\r\n3\r\nabc\r\n0\r\n\r\n"), format!("{method} /{place}\nTransfer-Encoding: chunked\n\n0\r\n\r\n")]
                        })
                    })
                    .collect::<Vec<_>>(),
            )
            .mask("body=[0-9]+ sent=~?[0-9]+(?=.*uri=\"/copy)", "LENGTHS"),
        entry("auth-request-that-closes")
            .http("log_format closes '$request_uri $uri $status $request_completion [$sent_http_content_type] [$body_bytes_sent]';")
            .server(
                "root {ROOT}/html; access_log logs/{NAME}_closes.log closes; location /a { auth_request /444; return 200 x; } location /file/ { alias {ROOT}/html/; auth_request /444; } location /logged/ { alias {ROOT}/html/; auth_request /444l; } location /499/ { alias {ROOT}/html/; auth_request /499; } location /408/ { alias {ROOT}/html/; auth_request /408; }
                 location /page/ { alias {ROOT}/html/; auth_request /444; error_page 444 500 /said; } location /said { return 200 said; } location = /444 { return 444; } location = /444l { log_subrequest on; return 444; } location = /499 { return 499; } location = /408 { return 408; } location /post/ { alias {ROOT}/html/; auth_request /444; post_action /said; }
                 location /444r/ { alias {ROOT}/html/; auth_request /rw; } location /rw { rewrite ^ /444 last; } location /errp/ { alias {ROOT}/html/; auth_request /e; } location /e { error_page 404 /444; return 404; } location /add/ { alias {ROOT}/html/; addition_types *; add_after_body /444; }
                 location /mir/ { alias {ROOT}/html/; mirror /444; } location /mirl/ { alias {ROOT}/html/; mirror /444l; } location /named/ { alias {ROOT}/html/; auth_request /n; } location /n { try_files /none @n; } location @n { return 444; }",
            )
            .asks(["/file/a.txt", "/logged/a.txt", "/499/a.txt", "/408/a.txt", "/page/a.txt", "/post/a.txt", "/444r/a.txt", "/errp/a.txt", "/add/a.txt", "/mir/a.txt", "/mirl/a.txt", "/named/a.txt", "/file/none", "POST /file/a.txt\n\nbody", "HEAD /file/a.txt"])
            .keep(["/file/a.txt", "/file/a.txt"])
            .keep(["/said", "/logged/a.txt"]),
        entry("subrequests-in-log")
            .server(
                "log_subrequest on;
                 location /auth { auth_request /check; root {ROOT}/html; rewrite .* /a.txt break; }
                 location /check { return 204; }
                 location /add { add_before_body /before; add_after_body /after; root {ROOT}/html; rewrite .* /a.html break; }
                 location /before { return 200 before; }
                 location /after { root {ROOT}/html; rewrite .* /a.txt break; }",
            )
            .asks(["/auth", "/add"]),
    ]
}

fn server_names() -> Entry {
    let names = [
        "exact.com",
        "*.wild.com",
        "tail.*",
        ".both.com",
        "www.exact.com exact.org",
        "~^re(?<n>\\d+)\\.com$",
        "~^CASE\\.com$",
        "*.a.wild.com",
        "b.wild.com",
        "tail.com.*",
        "~^(www\\.)?(?<dom>.+)\\.re$",
        "\"~^q{2}\\.com$\"",
        "UPPER.com",
    ];
    let mut entry = entry("server-names")
        .bare()
        .http("server { listen {ADDR}:{PORT}; server_name default; return 200 default; }");
    for name in names {
        let shown = name.replace(['"', '\\', '$'], "");
        let capture = if name.contains("<n>") {
            "n=$n"
        } else if name.contains("<dom>") {
            "dom=$dom 1=$1"
        } else {
            ""
        };
        entry = entry.http(format!(
            "server {{ listen {{ADDR}}:{{PORT}}; server_name {name}; return 200 \"{shown} {capture} [$server_name]\"; }}"
        ));
    }
    for host in [
        "exact.com",
        "EXACT.com",
        "exact.com.",
        "exact.com:1",
        "www.exact.com",
        "exact.org",
        "x.exact.com",
        "wild.com",
        "x.wild.com",
        "x.y.wild.com",
        "a.wild.com",
        "x.a.wild.com",
        "b.wild.com",
        "c.b.wild.com",
        ".wild.com",
        "tail.x",
        "tail.x.y",
        "tail",
        "tail.",
        "tail.com",
        "tail.com.x",
        "both.com",
        "x.both.com",
        "x.y.both.com",
        "notboth.com",
        "re1.com",
        "re22.com",
        "re.com",
        "RE1.com",
        "case.com",
        "CASE.com",
        "www.x.re",
        "x.re",
        "a.b.re",
        "qq.com",
        "q.com",
        "upper.com",
        "default",
        "none",
    ] {
        entry = entry.ask(format!("/\nHost: {host}"));
    }
    entry
}

fn regex_names() -> Entry {
    entry("regex-name-captures")
        .bare()
        .http(
            "server { listen {ADDR}:{PORT}; server_name ~^(?<user>[^.]+)\\.(?<zone>com|org)$;
                location / { return 200 \"[$user][$zone][$1][$2]\"; }
                location ~ ^/(x)(y) { return 200 \"[$user][$1][$2]\"; }
                location /file { alias {ROOT}/html/$user; } }",
        )
        .asks([
            "/\nHost: bob.com",
            "/xy\nHost: bob.org",
            "/file/file.txt\nHost: dir.com",
            "/\nHost: a.b.com",
            "/\nHost: BOB.com",
        ])
}
