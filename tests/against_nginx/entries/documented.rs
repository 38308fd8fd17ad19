//! What nginx's documentation says of HTTP/2 and of locations, sentence by sentence, where no other file asks for it.

use crate::entry::{Entry, entry};

pub fn entries() -> Vec<Entry> {
    vec![
        redirects(),
        field_sizes(),
        errors_of_heads(),
        bodies_read_ahead(),
        bodies_of_subrequests(),
        limits(),
        requests_of_a_connection(),
        variables(),
        precedence(),
        modifiers(),
        named(),
        predicates(),
    ]
}

/// `absolute_redirect`, `server_name_in_redirect`, `port_in_redirect`: also over HTTP/2, where the host is a pseudo-header.
fn redirects() -> Entry {
    entry("http2-redirects")
        .over_http2()
        .server(
            "server_name own.test;
             location /plain { return 301 /to; }
             location /relative { absolute_redirect off; return 302 /to?a=b; }
             location /named { server_name_in_redirect on; return 301 /to; }
             location /portless { port_in_redirect off; rewrite ^ /to redirect; }
             location /whole { return 307 https://other.test/x; }
             location /slash/ { proxy_pass http://{BACKEND}; }",
        )
        .asks([
            "/plain\nHost: a.test",
            "/plain\nHost: a.test:81",
            "/relative\nHost: a.test",
            "/named\nHost: a.test",
            "/portless\nHost: a.test",
            "/whole\nHost: a.test",
            "/slash\nHost: a.test",
            "HEAD /plain\nHost: a.test",
        ])
}

/// `large_client_header_buffers`: fields that fit. One that does not ends the connection in nginx, and gets a 400 here.
fn field_sizes() -> Entry {
    let value = |length: usize| "v".repeat(length);
    entry("http2-field-sizes")
        .over_http2()
        .server(
            "large_client_header_buffers 2 512; error_page 494 /large; location = /large { return 494 large; }
             location / { return 200 \"<$http_x>\"; }",
        )
        .asks([
            format!("/\nX: {}", value(100)),
            format!("/\nX: {}", value(500)),
            format!("/?{}", value(100)),
            format!("/\nX: {}\nY: {}", value(300), value(300)),
        ])
}

/// Pages of requests that are refused for their heads. A page has a limit of its own: over HTTP/2, nginx looks at the length once more.
fn errors_of_heads() -> Entry {
    entry("http2-refused-heads")
        .over_http2()
        .server(
            "error_page 400 = /bad; error_page 405 =200 /bad; error_page 413 /much; client_max_body_size 5;
             location = /bad { return 200 bad; } location = /much { client_max_body_size 0; return 413 much; }
             location / { root {ROOT}/html; } location /away { proxy_pass http://{BACKEND}; }",
        )
        .asks(["POST /a.txt\n\nx", "POST /away\n\n123456", "POST /away\n\n12345", "/%", "/../a.txt"])
}

/// `http2_body_preread_size`, `client_body_in_file_only`, `client_body_in_single_buffer`, `proxy_request_buffering`.
fn bodies_read_ahead() -> Entry {
    let body = |length: usize| "0123456789".repeat(length / 10);
    entry("http2-bodies-read-ahead")
        .over_http2()
        .server(
            "client_body_buffer_size 1k;
             location /whole { proxy_pass http://{BACKEND}; }
             location /as-it-comes { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://{BACKEND}; }
             location /file { client_body_in_file_only clean; proxy_pass http://{BACKEND}; }
             location /single { client_body_in_single_buffer on; proxy_pass http://{BACKEND}; }",
        )
        .asks(["whole", "as-it-comes", "file", "single"].into_iter().flat_map(|place| {
            [0, 10, 1000, 70_000].map(|length| match length {
                0 => format!("POST /{place}\nContent-Length: 0"),
                length => format!("POST /{place}\n\n{}", body(length)),
            })
        }))
}

/// `auth_request` and `mirror` beside a body.
fn bodies_of_subrequests() -> Entry {
    entry("http2-bodies-of-subrequests")
        .over_http2()
        .needs("--with-http_auth_request_module")
        .server(
            "location /asked { auth_request /check; proxy_pass http://{BACKEND}; }
             location /refused { auth_request /deny; proxy_pass http://{BACKEND}; }
             location = /check { internal; return 204; } location = /deny { internal; return 403; }",
        )
        .asks([
            "/asked",
            "POST /asked\n\nbody",
            "/refused",
            "POST /refused\n\nbody",
            "HEAD /refused",
            "/check",
        ])
}

/// `limit_req` and `limit_rate` count requests of HTTP/2 one by one.
fn limits() -> Entry {
    entry("http2-limits")
        .over_http2()
        .http("limit_req_zone $arg_k zone=documented_http2:1m rate=1r/m;")
        .server(
            "location /once { limit_req zone=documented_http2; return 200 once; limit_req_status 429; root {ROOT}/html; }
             location / { limit_req zone=documented_http2; root {ROOT}/html; }",
        )
        .keep(["/a.txt?k=1", "/a.txt?k=1", "/a.txt?k=2", "/a.txt", "/a.txt", "/once?k=1"])
}

/// `keepalive_requests`: the connection is told to end.
fn requests_of_a_connection() -> Entry {
    entry("http2-requests-of-a-connection")
        .over_http2()
        .server("keepalive_requests 3; location / { return 200 $connection_requests; }")
        .keep(["/1", "/2"])
        .keep(["/1", "/2", "/3"])
}

/// Variables of the protocol in responses and in requests to backends.
fn variables() -> Entry {
    entry("http2-variables")
        .over_http2()
        .server(
            "add_header X-Protocol $server_protocol; add_header X-Http2 \"<$http2>\"; add_header X-Length $request_length;
             location / { return 200 \"$request_method $uri $is_args$args $scheme $server_port-$content_length-$http_content_length\"; }
             location /away { proxy_set_header X-Was $server_protocol; proxy_set_header X-Host $http_host; proxy_pass http://{BACKEND}; }",
        )
        .mask(r"[Xx]-[Ll]ength: [0-9]+", "X-Length: N")
        .mask(r"http [0-9]+-", "http PORT-")
        .asks(["/a?b", "POST /a\n\nbody", "DELETE /a", "/away\nHost: A.test:8", "OPTIONS /a"])
}

/// The order in which locations are looked at, as documented with the directive.
fn precedence() -> Entry {
    entry("location-order")
        .server(
            "location = / { return 200 A; } location / { return 200 B; } location /documents/ { return 200 C; }
             location ^~ /images/ { return 200 D; } location ~* \\.(gif|jpg|jpeg)$ { return 200 E; }",
        )
        .asks([
            "/",
            "/index.html",
            "/documents/document.html",
            "/images/1.gif",
            "/documents/1.jpg",
            "/documents/1.JPG",
            "/documents",
            "/images",
            "//",
            "/documents/../images/1.gif",
            "/%69mages/1.gif",
        ])
}

/// Modifiers written together with the name, and names that begin as a modifier.
fn modifiers() -> Entry {
    entry("location-modifiers")
        .server(
            "location =/exact { return 200 exact; } location ~^/re[0-9]$ { return 200 re; } location ~*\\.up$ { return 200 up; }
             location ^~/strict { return 200 strict; } location ~ /strict/re { return 200 never; }
             location \"/with space\" { return 200 space; } location ~ \"^/br{2}$\" { return 200 braces; }",
        )
        .asks([
            "/exact",
            "/exact/",
            "/re1",
            "/re12",
            "/x.UP",
            "/x.up/",
            "/strict/re",
            "/strictly",
            "/with%20space",
            "/brr",
            "/br",
        ])
}

/// Named locations: reached by `error_page` and `try_files`, never by a request; the URI stays.
fn named() -> Entry {
    entry("location-named")
        .server(
            "error_page 404 = @missing; error_page 403 @refused; location @missing { return 200 \"missing $uri\"; }
             location @refused { return 200 \"refused $uri\"; }
             location / { root {ROOT}/html; try_files $uri @tried; } location @tried { add_header X tried; return 404; }
             location /no { deny all; } location /other { root {ROOT}/html; }",
        )
        .asks(["/a.txt", "/none", "/no", "/other/none", "/@missing", "HEAD /none", "POST /none\n\nx", "/no?x=y"])
}

/// What a location asks besides the path: `limit_except`, `internal`, `if`, nested ones.
fn predicates() -> Entry {
    entry("location-predicates")
        .server(
            "location /methods { limit_except GET POST { deny all; } return 200 $request_method; }
             location /inner { internal; return 200 inner; } location /to-inner { rewrite ^ /inner last; }
             location /if { if ($arg_a) { return 200 \"a=$arg_a\"; } if ($http_x = yes) { set $kept x; } return 200 \"kept=$kept\"; }
             location /nest { location /nest/a { location ~ b$ { return 200 b; } return 200 a; } return 200 nest; }
             location /limited { limit_except PUT { allow 127.0.0.1; deny all; } root {ROOT}/html; }",
        )
        .asks([
            "/methods",
            "HEAD /methods",
            "POST /methods\n\nx",
            "DELETE /methods",
            "/inner",
            "/to-inner",
            "/if",
            "/if?a=1",
            "/if\nX: yes",
            "/nest",
            "/nest/a",
            "/nest/ab",
            "/nest/a/b",
            "/limited",
            "PUT /limited\n\nx",
        ])
}
