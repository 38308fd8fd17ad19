//! Access logs: formats, escapes, conditions.

use crate::entry::{Entry, entry};

pub fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for (name, escape) in [("escape-default", "default"), ("escape-json", "json"), ("escape-none", "none")] {
        let mut entry = entry(name)
            .bare()
            .http(format!(
                "log_format format_{escape} escape={escape} '[$request] [$uri] [$args] [$http_x] [$http_none] [$arg_a] [$arg_none] [$remote_user] \"$http_user_agent\" $status [$request_uri]';
                 server {{ listen {{ADDR}}:{{PORT}}; access_log logs/{{NAME}}.log format_{escape}; return 200 x; }}"
            ));
        for odd in [
            "\"",
            "\\",
            "\t",
            "\u{7f}",
            "\u{e4}",
            "\u{1f600}",
            "'",
            "<>&",
            "a b",
            "%41",
            "\u{80}",
            "\\x41",
            "\\u0041",
            "/",
            "{}[]",
        ] {
            entry = entry
                .ask(format!("/?a=1\nX: {odd}"))
                .ask(format!("/{}?a={odd}", odd.replace('%', "%25")))
                .ask(format!("/\nUser-Agent: {odd}"));
        }
        for byte in [
            "%00",
            "%01",
            "%08",
            "%09",
            "%0a",
            "%0c",
            "%0d",
            "%1b",
            "%1f",
            "%22",
            "%5c",
            "%7f",
            "%80",
            "%ff",
            "%c3%a4",
            "%c3",
            "%f0%9f%98%80",
            "%e2%80%a8",
        ] {
            entry = entry.ask(format!("/{byte}?a={byte}"));
        }
        for byte in [1_u8, 8, 9, 0x1b, 0x7f, 0x80, 0xc3, 0xff] {
            entry = entry.raw(
                [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a", &[byte][..], b"b\r\n\r\n"]
                    .concat(),
            );
            entry = entry.raw(
                [
                    b"GET /a",
                    &[byte][..],
                    b"b?a=c",
                    &[byte][..],
                    b"d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                ]
                .concat(),
            );
        }
        entry = entry.raws([
            "BAD \"request\"\r\n\r\n",
            "\\x16\r\n\r\n",
            "\x16\x03\x01\x02\r\n\r\n",
            "GET /\u{e4}\"\\ HTTP/1.1\r\n\r\n",
            "GET /ok\r\n",
        ]);
        entries.push(entry.ask("/\nAuthorization: Basic YVwiYjp4"));
    }
    entries.push(
        entry("conditions")
            .bare()
            .http(
                "map $status $is_error { ~^[23] 0; default 1; } map $arg_l $is_wanted { default ''; yes 1; zero 0; }
                 log_format conditional '$request_uri $status';
                 server { listen {ADDR}:{PORT}; access_log logs/{NAME}.log conditional if=$is_error;
                    location / { return 200 x; } location /404 { return 404; } location /wanted { access_log logs/{NAME}.log conditional if=$is_wanted; return 200 x; }
                    location /off { access_log off; return 404; } location /two { access_log logs/{NAME}.log conditional; access_log logs/{NAME}.log combined if=$is_wanted; return 200 x; }
                    location /dir/ { root {ROOT}/html; } }",
            )
            .mask("\\[[^]]+ [+]0000\\]", "[TIME]")
            .mask(" 200 [0-9]+ \"-\"", " 200 N \"-\"")
            .asks(["/", "/404", "/wanted", "/wanted?l=yes", "/wanted?l=zero", "/off", "/two", "/two?l=yes", "/dir/none", "/dir/file.txt"])
            .raws(["BAD\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]),
    );
    entries.push(
        entry("combined")
            .bare()
            .http("server { listen {ADDR}:{PORT}; access_log logs/{NAME}.log; server_tokens off; location / { root {ROOT}/html; } location /return { return 200 x; } }")
            .mask("\\[[^]]+ [+]0000\\]", "[TIME]")
            .mask(" (404|400|405|301) [0-9]+ ", " ERROR N ")
            .asks(["/a.txt", "/none", "/dir", "/return", "HEAD /a.txt", "POST /a.txt\n\nx", "/a.txt\nReferer: http://r/\nUser-Agent: ua \"x\"", "/a.txt\nAuthorization: Basic dXNlcjpwYXNz", "/a.txt\nAuthorization: Basic OnBhc3M=", "/a.txt\nRange: bytes=0-1", "/a.txt\nIf-None-Match: *"])
            .raws(["BAD\r\n\r\n", "GET /a.txt\r\n", "GET /a.txt HTTP/1.0\r\n\r\n"])
            .keep(["/a.txt", "/return"])
            .cut("GET / HTTP/1.1\r\nHos")
            .cut("")
            .cut("\r\n")
            .cut("GET"),
    );
    entries.push(
        entry("inheritance-and-redirects")
            .bare()
            .http(
                "log_format named '{NAME} $uri $request_uri $status';
                 server { listen {ADDR}:{PORT}; access_log logs/{NAME}.log named;
                    location /in { location /in/off { access_log off; return 200 x; } return 200 x; } location /moved { rewrite ^ /off2 last; } location /off2 { access_log off; return 200 x; }
                    location /err { error_page 404 /off2; return 404; } location /err2 { access_log off; error_page 404 /logged; return 404; } location /logged { return 200 x; }
                    location /if { if ($arg_x) { access_log off; return 200 off; } return 200 on; } location /var { access_log logs/{NAME}_v$arg_v.log named; return 200 x; } }",
            )
            .asks(["/in", "/in/off", "/moved", "/off2", "/err", "/err2", "/logged", "/if", "/if?x=1", "/var", "/var?v=", "/var?v=-other", "/none"]),
    );
    entries.push(
        entry("format-pieces")
            .bare()
            .http(
                "log_format pieces 'a' 'b$status' \"c\\td\" '${status}e$uri-f' ' $status$status' ' $$status'; "
                    .replace(" ' $$status'", "")
                    + "server { listen {ADDR}:{PORT}; access_log logs/{NAME}.log pieces; location / { return 200 x; } location /buffered { access_log logs/{NAME}_buffered.log pieces buffer=32k flush=1m; return 200 x; } location /small { access_log logs/{NAME}_small.log pieces buffer=4k; return 200 x; } }",
            )
            .asks(["/", "/buffered", "/buffered", "/small"]),
    );
    entries
}
