//! What nginx has since versions later than 1.22: the results stand here.

use crate::entry::{Entry, TlsClient, entry, page};

pub fn entries() -> Vec<Entry> {
    vec![
        predicates(),
        predicates_with_content(),
        predicates_and_redirects(),
        early_bodies(),
        early_bodies_of_the_server(),
        max_headers(),
        max_headers_over_http2(),
        ports(),
        repeated_headers(),
        signatures(),
        volatile_geo(),
    ]
}

/// Each request with the text that answers it.
fn answered(entry: Entry, reason: &'static str, all: &[(&str, &str)]) -> Entry {
    all.iter().fold(entry.newer(reason), |entry, (short, answer)| {
        let result = match *answer {
            "404" => page("404 Not Found", &["Connection: close"]) + "=== closed\n",
            "413" => page("413 Request Entity Too Large", &["Connection: close"]) + "=== closed\n",
            text => said(text),
        };
        entry.ask(short).own(reason, result)
    })
}

/// The result of a text on a connection that is closed.
fn said(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\nConnection: close\nContent-Length: {}\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\n{text}(no line end)\n=== closed\n",
        text.len()
    )
}

const PREDICATES: &str = "nginx has predicates of locations since 1.31.5";

fn predicates() -> Entry {
    let entry = entry("predicates").server(
        "error_page 418 = @named;
         location $arg_a { return 200 a; }
         location = /exact { return 200 exact; }
         location /prefix { return 200 prefix; }
         location ^~ /strong { return 200 strong; location $arg_b { return 200 'strong b'; } }
         location ~ ^/regex { return 200 regex; location $arg_b { return 200 'regex b'; } }
         location /around { return 200 around; location $arg_b { return 200 'around b'; } }
         location = /named { return 418; }
         location @named { return 200 named; }
         location $arg_c {
             if ($arg_c = 2) { return 200 'c if'; }
             return 200 c;
             location = /c/exact { return 200 'c exact'; }
             location /c/prefix { return 200 'c prefix'; }
             location ~ ^/c/regex { return 200 'c regex'; }
             location ${arg_d} { return 200 'c d'; }
         }",
    );
    answered(
        entry,
        PREDICATES,
        &[
            ("/x?a=1", "a"),
            ("/x", "404"),
            ("/x?a=", "404"),
            ("/x?a=0", "404"),
            ("/x?a=00", "a"),
            ("/prefix", "prefix"),
            ("/prefix?a=1", "a"),
            ("/exact?a=1", "exact"),
            ("/strong?a=1", "strong"),
            ("/strong?b=1", "strong b"),
            ("/regex?a=1", "regex"),
            ("/regex?b=1", "regex b"),
            ("/around", "around"),
            ("/around?a=1&b=1", "around b"),
            ("/named?a=1", "named"),
            ("/x?a=1&c=1", "a"),
            ("/x?c=1", "c"),
            ("/x?c=2", "c if"),
            ("/x?c=1&d=1", "c d"),
            ("/c/exact?c=1&d=1", "c exact"),
            ("/c/exact?d=1", "404"),
            ("/c/prefix?c=1", "c prefix"),
            ("/c/prefix?c=1&d=1", "c d"),
            ("/c/regex?c=1&d=1", "c regex"),
        ],
    )
}

/// Files, forwarding and redirects in them.
fn predicates_with_content() -> Entry {
    let entry = entry("predicates-with-content")
        .server(
            "default_type text/plain; etag off; add_header Last-Modified ''; max_ranges 0;
             location $arg_root { root {DIR}; }
             location $arg_alias { alias {DIR}$uri; }
             location $arg_try { alias {DIR}/; try_files $uri =404; }
             location $arg_inner { location /sub/ { alias {DIR}/; } }
             location $arg_forward { proxy_pass http://{ADDR}:{PORT}$arg_forward; }
             location = /next { return 200 next; }",
        )
        .file("f.txt", "file");
    answered(
        entry,
        PREDICATES,
        &[
            ("/f.txt?root=1", "file"),
            ("/f.txt?alias=1", "file"),
            ("/f.txt?try=1", "file"),
            ("/g.txt?try=1", "404"),
            ("/sub/f.txt?inner=1", "file"),
            ("/f.txt?inner=1", "404"),
            ("/x?forward=/next", "next"),
        ],
    )
}

/// As in nginx, a variable of a `map` keeps its value when the location is selected again, unless it is volatile.
fn predicates_and_redirects() -> Entry {
    let entry = entry("predicates-and-redirects")
        .http(
            "map $uri $predicate_kept { /kept 1; }
             map $uri $predicate_volatile { volatile; /volatile 1; }",
        )
        .server(
            "location /to/kept { rewrite ^ /kept last; }
             location /to/volatile { rewrite ^ /volatile last; }
             location $predicate_kept { return 200 kept; }
             location $predicate_volatile { return 200 volatile; }",
        );
    answered(
        entry,
        PREDICATES,
        &[("/kept", "kept"), ("/volatile", "volatile"), ("/to/kept", "404"), ("/to/volatile", "volatile")],
    )
}

const EARLY: &str = "nginx has the directive since 1.31.5";

fn early_bodies() -> Entry {
    let entry = entry("early-bodies").http("map $request_body $is_early_json { '~^\\{' 1; }").server(
        "client_body_early_read $arg_off 1; client_max_body_size 20; client_body_in_file_only on;
             location / { return 200 [$request_body]; }
             location /file { return 200 [$request_body_file]; }
             location /less { client_max_body_size 5; return 200 [$request_body]; }
             location /more { client_max_body_size 50; return 200 [$request_body]; }
             location /again { rewrite ^ /x last; }
             location $is_early_json { return 200 json; }",
    );
    answered(
        entry,
        EARLY,
        &[
            ("/", "[]"),
            ("POST /\n\nbody", "[body]"),
            ("POST /\nTransfer-Encoding: chunked\n\n4\r\nbody\r\n0\r\n\r\n", "[body]"),
            ("POST /file\n\nbody", "[]"),
            ("POST /\n\n12345678901234567890", "[12345678901234567890]"),
            ("POST /\n\n123456789012345678901", "413"),
            ("POST /less\n\n123456", "413"),
            ("POST /less\nTransfer-Encoding: chunked\n\n6\r\n123456\r\n0\r\n\r\n", "413"),
            ("POST /more\n\n123456789012345678901", "413"),
            ("POST /again\n\nbody", "[body]"),
            ("POST /\n\n{}", "json"),
        ],
    )
}

/// What the server itself answers knows it too, and a condition turns it off.
fn early_bodies_of_the_server() -> Entry {
    let entry = entry("early-bodies-of-the-server")
        .server("client_body_early_read $arg_on; return 200 [$request_body];");
    answered(
        entry,
        EARLY,
        &[
            ("POST /?on=1\n\nbody", "[body]"),
            ("POST /?on=0\n\nbody", "[]"),
            ("POST /?on=00\n\nbody", "[body]"),
            ("POST /\n\nbody", "[]"),
        ],
    )
}

const MAX_HEADERS: &str = "nginx has the directive since 1.29.8";

/// Beside `Host` and `Connection`.
fn max_headers() -> Entry {
    let entry = entry("max-headers").server("max_headers 3; return 200 x;");
    answered(entry, MAX_HEADERS, &[("/", "x"), ("/\nA: 1", "x"), ("/\nA: 1\nB_: 2", "x")])
        .ask("/\nA: 1\nB: 2")
        .own(MAX_HEADERS, too_many())
}

/// Neither the authority nor cookies count.
fn max_headers_over_http2() -> Entry {
    let over_http2 = |result: String| {
        let headers = ["Content-Length", "Content-Type", "Date", "Server"];
        let result =
            result.replace("HTTP/1.1 200 OK", "HTTP/2 200").replace("HTTP/1.1 400 Bad Request", "HTTP/2 400");
        headers.iter().fold(result.replace("Connection: close\n", ""), |result, name| {
            result.replace(&format!("{name}:"), &format!("{}:", name.to_lowercase()))
        })
    };
    entry("max-headers-http2")
        .over_http2()
        .newer(MAX_HEADERS)
        .server("max_headers 2; return 200 x;")
        .ask("/\nA: 1\nB: 2")
        .own(MAX_HEADERS, over_http2(said("x")))
        .ask("/\nA: 1\nB: 2\nC: 3")
        .own(MAX_HEADERS, over_http2(too_many()))
        .ask("/\nA: 1\nB: 2\nCookie: a=1\nCookie: b=2\nx_y: 1")
        .own(MAX_HEADERS, over_http2(said("x")))
        .ask("/\nA: 1\nB: 2\nCookie: a=1\nC: 3")
        .own(MAX_HEADERS, over_http2(too_many()))
}

/// The page for a head that is too large.
fn too_many() -> String {
    let body = [
        "<html>",
        "<head><title>400 Request Header Or Cookie Too Large</title></head>",
        "<body>",
        "<center><h1>400 Bad Request</h1></center>",
        "<center>Request Header Or Cookie Too Large</center>",
        "<hr><center>PRODUCT</center>",
        "</body>",
        "</html>",
    ];
    let body: String = body.iter().map(|line| format!("{line}\\r\n")).collect();
    // A carriage return is shown by two characters.
    let length = body.len() - body.lines().count();
    format!(
        "HTTP/1.1 400 Bad Request\nConnection: close\nContent-Length: {length}\nContent-Type: text/html\nDate: DATE\nServer: PRODUCT\n\n{body}=== closed\n"
    )
}

fn ports() -> Entry {
    const REASON: &str = "nginx has the variables since 1.29.3";
    let entry = entry("request-port").server("return 200 [$is_request_port$request_port];");
    answered(
        entry,
        REASON,
        &[
            ("/", "[]"),
            ("/\nHost: a:80", "[:80]"),
            ("/\nHost: a:", "[]"),
            ("/\nHost: [::1]:8080", "[:8080]"),
            ("GET http://a:81/?x HTTP/1.1\nHost: b:82", "[:81]"),
            ("GET http://a HTTP/1.1\nHost: b:82", "[]"),
            ("GET http://[::1]:83 HTTP/1.1", "[:83]"),
        ],
    )
}

/// Headers of several lines have one value.
fn repeated_headers() -> Entry {
    const REASON: &str = "nginx joins the values since 1.23.0";
    let entry = entry("repeated-headers")
        .http("server { listen {ADDR}:{PORT2}; location / { add_header X-Many one always; add_header x-many two always; return 418 x; } }")
        .server(
            "location /asked { return 200 '[$http_x][$http_user_agent][$http_via][$http_x_y][$content_type][$http_cookie]'; }
             location /given { proxy_pass http://{ADDR}:{PORT2}; proxy_intercept_errors on; error_page 418 =200 @said; }
             location @said { return 200 '[$upstream_http_x_many]'; }
             location /sent { add_header X-Many 1; add_header X-Many 2; add_header X-Seen $sent_http_x_many; return 200 x; }",
        );
    answered(
        entry,
        REASON,
        &[
            ("/asked\nX: 1\nX: 2\nx: 3", "[1, 2, 3][][][][][]"),
            ("/asked\nX: 1\nX:\nX: 3", "[1, , 3][][][][][]"),
            ("/asked\nUser-Agent: a\nVia: b\nUser-Agent: c\nVia: d", "[][a, c][b, d][][][]"),
            ("/asked\nX-Y: 1\nx-y: 2", "[][][][1, 2][][]"),
            ("/asked\nContent-Type: a\nContent-Type: b", "[][][][][a, b][]"),
            ("/asked\nCookie: a=1\nCookie: b=2", "[][][][][][a=1; b=2]"),
            ("/given", "[one, two]"),
        ],
    )
    .ask("/sent")
    .own(REASON, said("x").replace("PRODUCT\n", "PRODUCT\nX-Many: 1\nX-Many: 2\nX-Seen: 1, 2\n"))
}

fn signatures() -> Entry {
    const REASON: &str = "nginx has the variables since 1.29.3";
    const ECDSA: &str = "ecdsa_secp256r1_sha256";
    let entry = entry("signatures").over_tls().newer(REASON).server(
        "ssl_verify_client optional_no_ca; location / { return 200 '$ssl_session_reused<$ssl_sigalg|$ssl_client_sigalg>'; }",
    );
    let c = TlsClient::new;
    let alone = format!(".<{ECDSA}|>");
    let shown = format!(".<{ECDSA}|{ECDSA}>");
    [
        (c(), &alone[..]),
        (c().tls12(), &alone),
        (c().identity("client"), &shown),
        (c().identity("client").tls12(), &shown),
        // They are those of a new session only.
        (c().identity("client").resumes(), "r<|>"),
        (c().identity("client").tls12().resumes(), "r<|>"),
    ]
    .into_iter()
    .fold(entry, |entry, (client, text)| entry.ask("/").tls(client).own(REASON, said(text)))
}

fn volatile_geo() -> Entry {
    const REASON: &str = "nginx has the parameter since 1.29.3";
    let entry = entry("geo-volatile")
        .http(
            "geo $arg_ip $geo_kept { default none; 1.0.0.0/8 one; 2.0.0.0/8 two; }
             geo $arg_ip $geo_volatile { volatile; default none; 1.0.0.0/8 one; 2.0.0.0/8 two; }",
        )
        .server("set $first '$geo_kept $geo_volatile'; set $args ip=2.0.0.1; return 200 '$first, $geo_kept $geo_volatile';");
    answered(entry, REASON, &[("/?ip=1.0.0.1", "one one, one two"), ("/", "none none, none two")])
}
