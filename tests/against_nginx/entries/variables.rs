//! Variables, in all places that take them.

use crate::entry::{Entry, entry};

/// Names of variables by where they come from. Each is asked for by its name.
const NAMES: [(&str, &str); 5] = [
    (
        "every-core",
        "\
args arg_a arg_A arg_b arg_none arg_a_b query_string is_args uri document_uri request_uri request \
request_method request_length request_filename request_body request_body_file request_completion \
document_root realpath_root host server_name server_port server_addr server_protocol scheme https \
http_host http_user_agent http_referer http_via http_x_forwarded_for http_cookie http_x_odd_name \
http_none http_accept http_connection cookie_a cookie_A cookie_b cookie_none content_length content_type \
http_content_type http_content_length remote_addr remote_user binary_remote_addr body_bytes_sent \
bytes_sent status connection_requests pipe limit_rate sent_http_x sent_http_content_type \
sent_http_content_length sent_http_location sent_http_last_modified sent_http_connection \
sent_http_keep_alive sent_http_transfer_encoding sent_http_cache_control sent_http_link sent_trailer_x \
hostname proxy_protocol_addr proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port",
    ),
    (
        "every-upstream",
        "\
proxy_host proxy_port proxy_add_x_forwarded_for proxy_internal_body_length upstream_addr upstream_status \
upstream_response_time upstream_response_length upstream_connect_time upstream_header_time \
upstream_bytes_received upstream_bytes_sent upstream_cache_status upstream_http_x upstream_trailer_x \
upstream_cookie_x",
    ),
    (
        "every-ssl",
        "\
ssl_protocol ssl_cipher ssl_ciphers ssl_curve ssl_curves ssl_server_name ssl_session_id \
ssl_session_reused ssl_early_data ssl_alpn_protocol ssl_client_verify ssl_client_cert ssl_client_raw_cert \
ssl_client_escaped_cert ssl_client_fingerprint ssl_client_s_dn ssl_client_i_dn ssl_client_s_dn_legacy \
ssl_client_i_dn_legacy ssl_client_serial ssl_client_v_start ssl_client_v_end ssl_client_v_remain",
    ),
    (
        "every-modules",
        "\
gzip_ratio invalid_referer secure_link secure_link_expires slice_range uid_got uid_set uid_reset \
realip_remote_addr limit_req_status limit_conn_status http2",
    ),
    (
        "every-browser",
        "\
modern_browser ancient_browser msie",
    ),
];

/// Differ from run to run: their form is compared.
const FORMS: &[(&str, &str)] = &[
    ("connection", "[0-9]+"),
    ("connection_time", "[0-9]+\\.[0-9]{3}"),
    ("pid", "[0-9]+"),
    ("msec", "[0-9]{10}\\.[0-9]{3}"),
    ("time_iso8601", "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][+]00:00"),
    ("time_local", "[0-3][0-9]/[A-Z][a-z]{2}/20[0-9]{2}:[0-2][0-9]:[0-5][0-9]:[0-5][0-9] [+]0000"),
    ("request_id", "[0-9a-f]{32}"),
    ("request_time", "[0-9]\\.[0-9]{3}"),
    ("remote_port", "[0-9]+"),
    ("realip_remote_port", "[0-9]+"),
    ("nginx_version", "[0-9]+\\.[0-9]+\\.[0-9]+"),
    ("tcpinfo_rtt", "[0-9]+"),
    ("tcpinfo_rttvar", "[0-9]+"),
    ("tcpinfo_snd_cwnd", "[0-9]+"),
    ("tcpinfo_rcv_space", "[0-9]+"),
];

pub fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = NAMES.iter().map(|(name, names)| all(name, names)).collect();
    entries.extend([
        logged(),
        forms(),
        entry("date-gmt")
            .server("location / { return 200 \"[$date_gmt][$date_local]\"; }")
            .mask("[A-Z][a-z]+day, [0-3][0-9]-[A-Z][a-z]{2}-20[0-9]{2} [0-9:]{8} (GMT|UTC)", "DAY $1")
            .ask("/"),
        entry("args")
            .server(
                "location / { return 200 \"[$args][$arg_a][$arg_b][$arg_][$is_args][$query_string]\"; }
                 location /set { set $args $arg_n; return 200 \"[$args][$is_args][$query_string][$arg_x][$request_uri]\"; }
                 location /empty { set $args ''; return 200 \"[$args][$is_args][$request_uri]\"; }
                 location /rewrite { set $args x=1; rewrite ^ /shown; }
                 location /rate { set $limit_rate 1k; return 200 $limit_rate; }",
            )
            .asks([
                "/?a=1", "/?A=1", "/?a=1&a=2", "/?b=2&a=1", "/?a", "/?a&b=1", "/?a=", "/?=1", "/?", "/??", "/?a=b=c", "/?a=%31", "/?aa=1", "/?ba=1&a=2", "/?xa=1", "/?a=1;b=2", "/?a=1#b=2",
                "/?a=1&", "/?&a=1", "/?&&a=1", "/?a b", "/?a=\u{e4}", "/?a=\"x\"", "/?a+b=c", "/?a=1?b=2", "/set?n=x=y", "/set?n=", "/empty?a", "/rewrite?y", "/rate",
            ]),
        entry("cookies")
            .server("location / { return 200 \"[$cookie_a][$cookie_b][$cookie_a_b][$http_cookie]\"; }")
            .asks([
                "/\nCookie: a=1", "/\nCookie: a=1; b=2", "/\nCookie: a=1;b=2", "/\nCookie: a=1, b=2", "/\nCookie: A=1", "/\nCookie: a = 1", "/\nCookie: a=", "/\nCookie: a", "/\nCookie: a=\"x y\"",
                "/\nCookie: a=1; a=2", "/\nCookie: aa=1; a=2", "/\nCookie: xa=1", "/\nCookie: a_b=3", "/\nCookie: a=1\nCookie: b=2", "/\nCookie: a-b=3", "/\nCookie: ;;a=1", "/\nCookie: a==1",
                "/\nCookie:", "/\nCookie:  a=1  ", "/\ncookie: a=1",
            ]),
        entry("headers")
            .server(
                "location / { return 200 \"[$http_x][$http_x_y][$http_X_Y][$http_x__y][$http_user_agent][$http_accept_language]\"; }",
            )
            .asks([
                "/\nX: 1", "/\nx: 1", "/\nX-Y: 1", "/\nx-y: 1", "/\nX_Y: 1", "/\nX--Y: 1", "/\nX:1", "/\nX:   1   ", "/\nX: \t1\t", "/\nX:", "/\nX: a b  c", "/\nX: \u{e4}", "/\nUser-Agent: a\"b\\c",
                "/\nX.Y: 1", "/\nX: a\tb",
            ]),
        entry("repeated-headers")
            .server("location / { return 200 \"[$http_x_forwarded_for][$http_cookie]\"; }")
            .asks(["/\nX-Forwarded-For: 1\nX-Forwarded-For: 2", "/\nCookie: a=1\nCookie: b=2"]),
        entry("set-and-braces")
            .server(
                "set $server_level s$arg_x;
                 location / { set $a b; set $c \"${a}c\"; set $d $a$c; set $e \"$a-$c.$d\"; set $f '$a'; return 200 \"[$a][$c][$d][$e][$f][$server_level]\"; }
                 location /chain { set $a 1; set $a ${a}2; set $a ${a}3; return 200 $a; }
                 location /unset { if ($arg_y) { set $maybe yes; } return 200 \"[$maybe]\"; }
                 location /case { set $CaSe x; return 200 \"[$case][$CASE]\"; }
                 location /esc { set $a \"a\\\"b\\\\c\\td\\ne\"; return 200 $a; }
                 location /esc2 { return 200 'a\\\"b$arg_x\\\\c;{}'; }
                 location ~ /cap/(.)(.) { set $x $2$1; return 200 \"$x$1$2\"; }
                 location /keep { set $kept $uri; rewrite ^ /kept last; }
                 location /kept { return 200 \"[$kept][$uri]\"; }
                 location /request_uri { set $x \"$request_uri\"; return 200 \"$x|$uri\"; }",
            )
            .asks(["/?x=1", "/chain", "/unset", "/unset?y", "/case", "/esc", "/esc2?x=$y", "/cap/ab", "/keep", "/request_uri/%61?b"]),
        entry("variables-everywhere")
            .http("map $arg_x $mapped { default d$arg_x; a mapped-a; }")
            .server(
                "root {ROOT}/html/$arg_root;
                 location /header { add_header X-V \"$mapped-$uri\"; return 200 x; }
                 location /redirect { return 302 /to/$arg_x; }
                 location /redirect-host { return 301 $scheme://$host/$mapped; }
                 location /error { error_page 404 /shown/$arg_x; return 404; }
                 location /shown/ { return 200 \"$uri $mapped\"; }
                 location /expires { expires $arg_x; return 200 x; }
                 location /charset { charset $arg_x; default_type text/html; return 200 x; }
                 location /index/ { alias {ROOT}/html/dir/; index $arg_x.html; }
                 location /log { access_log logs/{NAME}_$arg_x.log against; return 204; }
                 location /rewrite { rewrite ^/rewrite/(.*)$ /shown/$1$mapped last; }
                 location /if { if ($mapped = mapped-a) { return 200 yes; } return 200 no; }",
            )
            .asks([
                "/a.txt", "/file.txt?root=dir", "/header?x=a", "/header?x=b", "/redirect?x=y", "/redirect?x=%20", "/redirect-host?x=a", "/error?x=q", "/expires?x=1h", "/expires?x=epoch",
                "/expires?x=off", "/expires?x=junk", "/expires", "/charset?x=utf-8", "/charset?x=off", "/charset", "/index/?x=index", "/log?x=l", "/rewrite/1?x=a", "/rewrite/1", "/if?x=a", "/if?x=b",
            ])
            .own_for(
                "GET /charset HTTP",
                "nginx closes the connection where a variable names no charset",
                "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 1\nContent-Type: text/html\nDate: DATE\nServer: PRODUCT\n\nx(no line end)\n=== closed\n",
            ),
        browsers(),
        entry("request-body")
            .http("server { listen {ADDR}:{PORT2}; return 200 \"[$http_x_body][$content_length][$content_type]\"; }")
            .server("location / { proxy_pass http://{ADDR}:{PORT2}; proxy_set_header X-Body $request_body; } location /direct { return 200 \"[$request_body]\"; }")
            .asks(["POST /\n\nbody", "POST /\nContent-Type: a/b\n\nx=y", "/", "POST /direct\n\nbody"]),
    ]);
    entries
}

/// What the lines of the browser module say of many user agents.
fn browsers() -> Entry {
    let mut entry = entry("browsers");
    let show = "return 200 \"[$ancient_browser][$modern_browser][$msie]\";";
    let locations = [
        ("none", ""),
        ("unlisted", "modern_browser unlisted;"),
        (
            "listed",
            "modern_browser msie 5.5; modern_browser gecko 1.0.2; modern_browser opera 9.0; modern_browser safari 413; modern_browser konqueror 3.0;",
        ),
        ("both", "modern_browser konqueror 3.0.1; modern_browser unlisted; modern_browser MSIE 6;"),
        ("ancient", "ancient_browser Links Lynx netscape4; modern_browser unlisted; ancient_browser Dillo;"),
        (
            "values",
            "ancient_browser Links; modern_browser gecko 1.8; ancient_browser_value old; modern_browser_value new;",
        ),
        ("inherited", "modern_browser_value m; ancient_browser_value '';"),
    ];
    entry = entry.server("modern_browser gecko 1.9; ancient_browser Old; ancient_browser_value server;");
    for (name, lines) in locations {
        entry = entry.server(format!("location /{name} {{ {lines} {show} }}"));
    }
    let agents = [
        "",
        "x",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 5.0; Windows NT 5.1)",
        "Mozilla/4.0 (compatible; MSIE 5.50; Windows)",
        "Mozilla/4.0 (compatible; MSIE 5.5)",
        "MSIE 9.0",
        "MSIE 9",
        "MSIE ",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1) Opera 7.0",
        "Opera/9.50 (X11; Linux)",
        "Opera/8.50 (X11; Linux)",
        "Opera",
        "Mozilla/5.0 (X11; U; Linux; en-US; rv:1.0.0) Gecko",
        "Mozilla/5.0 (X11; U; Linux; en-US; rv:1.0.10) Gecko",
        "Mozilla/5.0 (X11; U; Linux; en-US; rv:1.9b) Gecko",
        "Mozilla/5.0 (X11; U; Linux; en-US; rv:99999999999999999999) Gecko",
        "Mozilla/5.0 (rv:",
        "Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en-us) AppleWebKit/125.5.5 (KHTML, like Gecko) Safari/125.12",
        "Mozilla/5.0 (Macintosh; en-us) AppleWebKit/522 (KHTML, like Gecko) Safari/522.11",
        "Mozilla/5.0 (compatible; Konqueror/3.0; Linux)",
        "Mozilla/5.0 (compatible; Konqueror/3.0.2; Linux)",
        "Mozilla/4.72 [en] (X11; I; Linux)",
        "Mozilla/4.72 ",
        "Mozilla/0.9 something longer",
        "Lynx/2.8 and Old",
        "Links (2.1)",
        "Dillo/0.8",
    ];
    for agent in agents {
        // An `unlisted` line leaves an entry for Opera in nginx that was never set.
        let is_decided = |lines: &str| !(agent.contains("Opera") && lines.contains("unlisted"));
        for (name, _) in locations.iter().filter(|(_, lines)| is_decided(lines)) {
            entry = entry.ask(format!("/{name}\nUser-Agent: {agent}"));
        }
    }
    entry.asks(locations.map(|(name, _)| format!("/{name}")))
}

/// A request that gives the variables something to show.
const RICH: &str = "?a=1&b=x%20y&a_b=3\nUser-Agent: agent\nReferer: http://a/b\nVia: 1.1 via\nX-Forwarded-For: 1.2.3.4\n\
                    Cookie: a=1; b=2\nX-Odd-Name: odd\nAccept: */*\nAuthorization: Basic dXNlcjpwYXNz";

fn all(name: &'static str, names: &str) -> Entry {
    let mut entry = entry(name).server("server_name localhost; root {ROOT}/html;");
    for name in names.split_whitespace() {
        entry = entry
            .server(format!("location = /v/{name} {{ add_header X sent; return 200 \"[${name}]\"; }}"))
            .ask(format!("/v/{name}{RICH}"));
    }
    entry
}

/// What is known only when a response has been sent.
fn logged() -> Entry {
    let names = "status body_bytes_sent request_completion sent_http_content_type sent_http_content_length \
                 sent_http_last_modified sent_http_x sent_http_location sent_http_connection sent_http_keep_alive \
                 sent_http_transfer_encoding sent_http_cache_control uri args request_filename pipe \
                 connection_requests request_length";
    let format: String = names.split_whitespace().map(|name| format!("[${name}] ")).collect();
    entry("logged")
        .http(format!("log_format every '{format}';"))
        .server(
            "server_name localhost; root {ROOT}/html; access_log logs/{NAME}_every.log every; keepalive_timeout 75s 60s;
             location /file/ { alias {ROOT}/html/; add_header X y; add_header Cache-Control a; add_header Cache-Control b; }
             location /v { return 200 \"[$content_length][$content_type][$request_length][$connection_requests][$pipe][$server_protocol][$request][$host][$http_host]\"; }",
        )
        .mask("\\[[0-9]+\\] \\[OK\\] \\[text/html\\] \\[[0-9]+\\]", "ERROR PAGE")
        .ask("POST /v\nContent-Type: x/y\n\nbody")
        .ask("/file/a.txt")
        .ask("/file/dir")
        .ask("/file/none")
        .ask("HEAD /file/a.txt")
        .ask("/file/a.txt\nIf-None-Match: *")
        .keep(["/file/a.txt", "/v", "/v"])
        .pipeline(["/v", "/v", "/file/none", "/v"])
        .raw("GET /v HTTP/1.0\r\n\r\n")
        .raw("GET /v HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .raw("GET /v\r\n")
}

fn forms() -> Entry {
    let mut entry = entry("changing-variables");
    let mut server = String::new();
    for (name, form) in FORMS {
        server.push_str(&format!("location = /v/{name} {{ return 200 \"<{name} ${name}>\"; }}\n"));
        let pattern = Box::leak(format!("(?<=<{name} ){form}(?=>)").into_boxed_str());
        entry = entry.mask(pattern, "FORM").ask(format!("/v/{name}"));
    }
    // The lengths of the values differ.
    entry.mask("^[0-9]+$", "LENGTH").server(server).server("access_log off;")
}
