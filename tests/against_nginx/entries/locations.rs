//! Location matching: generated paths against several sets of locations.

use crate::entry::{Entry, entry};
use crate::support::raw::Random;

/// Sets of locations; `%` in a location's body stands for what it answers.
const SETS: [(&str, &str); 12] = [
    (
        "prefixes",
        "location / { % } location /a { % } location /a/ { % } location /a/b { % } location /a/b/c/ { % }",
    ),
    (
        "exact",
        "location = / { % } location = /a { % } location = /a/ { % } location /a { % } location = /A { % }",
    ),
    (
        "regex-order",
        "location / { % } location ~ ^/a { % } location ~ ^/a/b { % } location ~* \\.TXT$ { % } location ~ \\.txt$ { % } location /a/b/c { % }",
    ),
    (
        "no-regex",
        "location / { % } location ^~ /a { % } location ^~ /a/b/ { % } location /a/b/c { % } location ~ c { % } location ~ \\.txt$ { % }",
    ),
    (
        "nested",
        "location / { % } location /a { % location /a/b { % location ~ c { % } location = /a/b/d { % } } location ~ \\.txt$ { % } } location ~ ^/a/x { % }",
    ),
    (
        "nested-no-regex",
        "location ^~ /a { % location ~ b { % } location ^~ /a/c { % location ~ d { % } } } location ~ . { % }",
    ),
    (
        "nested-regex",
        "location ~ ^/a/(.*)$ { % location ~ ^/a/b/(.*)$ { % } location ~ c$ { % } } location / { % }",
    ),
    ("none-for-root", "location /a { % } location = /b { % } location ~ ^/x { % }"),
    (
        "spaces-and-bytes",
        "location \"/a b\" { % } location /\u{e4} { % } location ~ \"^/x y\" { % } location /a%20b { % } location /a+b { % }",
    ),
    (
        "case",
        "location /a { % } location /A { % } location ~ ^/B { % } location ~* ^/b { % } location ~* ^/\u{c4} { % }",
    ),
    (
        "slashes",
        "location / { % } location /a//b { % } location /a/b { % } location //x { % } location ~ //y { % }",
    ),
    (
        "slashes-kept",
        "merge_slashes off; location / { % } location /a//b { % } location /a/b { % } location //x { % } location ~ //y { % }",
    ),
];

/// Parts from which paths are put together.
const PARTS: [&str; 40] = [
    "/", "/a", "/b", "/c", "/d", "/x", "/A", "/B", "//", "/./", "/../", "/.", "/..", "/a/", "/b/", "/a.txt",
    "/A.TXT", ".txt", "%2f", "%2F", "%61", "%2e", "%2E%2e", "%2e%2e/", "/%2e/", "%5c", "%20", " ", "+",
    "%00", "%", "%zz", "%c3%a4", "\u{e4}", "#x", "?y", "/...", "/a b", "\\", ";",
];

/// Paths that must be there.
const PATHS: [&str; 62] = [
    "/",
    "/a",
    "/a/",
    "/ab",
    "/a/b",
    "/a/b/",
    "/a/bc",
    "/a/b/c",
    "/a/b/c/",
    "/a/b/c/d",
    "/a/b/d",
    "/b",
    "/x",
    "/x/y",
    "/A",
    "/A/b",
    "/a.txt",
    "/a/x.txt",
    "/a/b/x.TXT",
    "/x.txt",
    "/x.Txt",
    "/a/../b",
    "/a/./b",
    "/a//b",
    "//x",
    "//y",
    "/z//y",
    "/a/b/..",
    "/a/b/.",
    "/a/b/../",
    "/..",
    "/../a",
    "/a/../..",
    "/a/../../b",
    "/.",
    "/./",
    "/...",
    "/.../a",
    "/a/...",
    "/..a",
    "/a..",
    "/a/..b",
    "/.a",
    "/%61",
    "/a%2fb",
    "/a%2Fb",
    "/%2e%2e/a",
    "/a/%2e%2e/b",
    "/a/%2e/b",
    "/a/.%2e/b",
    "/a/%2e./b",
    "/a/..%2fb",
    "/a/%5c../b",
    "/a/..%5cb",
    "/%2f%2fx",
    "/a%20b",
    "/a+b",
    "/%c3%a4",
    "/x%20y",
    "/a%3fb",
    "/a%23b",
    "/a%25b",
];

pub fn entries() -> Vec<Entry> {
    let mut random = Random::new(0x5eed_0001);
    let mut entries: Vec<Entry> = SETS
        .iter()
        .map(|(name, locations)| {
            let mut server = String::new();
            for (number, part) in locations.split('%').enumerate() {
                // A percent sign that belongs to a location stands before a digit.
                if number > 0 && part.starts_with(|next: char| next.is_ascii_digit()) {
                    server.push('%');
                } else if number > 0 {
                    server.push_str(&format!("return 200 \"{number} [$uri]\";"));
                }
                server.push_str(part);
            }
            let mut entry = entry(name).server(server);
            for path in PATHS {
                entry = entry.ask(path);
            }
            for _ in 0..60 {
                let count = 1 + random.below(5);
                let path: String = (0..count).map(|_| PARTS[random.below(PARTS.len())]).collect();
                entry = entry
                    .ask(format!("GET /{path}").replace("//", if random.below(2) == 0 { "/" } else { "//" }));
            }
            entry
        })
        .collect();
    entries.push(traversal());
    entries.push(added_slash());
    entries.push(handlers());
    entries.push(captures());
    entries
}

/// Every way to write `..`, below a root that has a sibling.
fn traversal() -> Entry {
    let mut entry = entry("dot-dot").unlike_errors("nginx opens paths above the directory of alias", r#"alias2"#)
        .server("location / { root {DIR}/in; } location /alias/ { alias {DIR}/in/; } location /alias2 { alias {DIR}/in; } location ~ ^/re/(.*) { alias {DIR}/in/$1; }")
        .file("in/inside.txt", "inside\n")
        .file("in/sub/deep.txt", "deep\n")
        .file("secret.txt", "secret\n")
        .file("in-secret.txt", "secret too\n");
    let dots = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "%c0%ae%c0%ae",
        "%e0%80%ae.",
        "\u{2025}",
        "..;",
        ". .",
    ];
    let slashes = ["/", "%2f", "%2F", "//", "\\", "%5c", "%252f", "/./", "%c0%af", "/%2f"];
    for dot in dots {
        for slash in slashes {
            entry = entry.ask(format!("/sub{slash}{dot}{slash}{dot}{slash}secret.txt"));
            entry = entry.ask(format!("/sub{slash}{dot}{slash}inside.txt"));
        }
        entry = entry.ask(format!("/alias{dot}/secret.txt"));
        entry = entry.ask(format!("/alias/{dot}/secret.txt"));
        entry = entry.ask(format!("/alias2{dot}/secret.txt"));
        entry = entry.ask(format!("/alias2/{dot}/secret.txt"));
        entry = entry.ask(format!("/re/{dot}/secret.txt"));
        entry = entry.ask(format!("/sub/{dot}"));
        entry = entry.ask(format!("/{dot}"));
    }
    entry.asks([
        "/alias2-secret.txt",
        "/alias2../in-secret.txt",
        "/alias2/inside.txt",
        "/alias/inside.txt",
        "/re/inside.txt",
        "/re/sub/deep.txt",
    ])
}

/// A prefix location with a slash, asked for without it.
fn added_slash() -> Entry {
    entry("added-slash")
        .http("server { listen {ADDR}:{PORT2}; return 200 \"origin $request_uri\"; }")
        .server(
            "location /proxied/ { proxy_pass http://{ADDR}:{PORT2}; }
             location /plain/ { return 200 plain; }
             location = /exact { return 200 exact; }
             location /exact/ { proxy_pass http://{ADDR}:{PORT2}; }
             location ^~ /strict/ { proxy_pass http://{ADDR}:{PORT2}; }
             location /nest/ { location /nest/in/ { proxy_pass http://{ADDR}:{PORT2}; } }",
        )
        .asks([
            "/proxied",
            "/proxied?a=b",
            "/proxied/",
            "/plain",
            "/plain/",
            "/exact",
            "/exact/",
            "/strict",
            "/strict/x",
            "/nest/in",
            "/nest",
            "POST /proxied\n\nx",
            "HEAD /proxied",
            "/proxied%2f",
            "/proxied%3f",
        ])
}

/// Locations with several handlers: the last one answers.
fn handlers() -> Entry {
    entry("several-handlers")
        .http("server { listen {ADDR}:{PORT2}; return 200 \"origin $request_uri\"; }")
        .server(
            "root {ROOT}/html;
             location /gif-last { proxy_pass http://{ADDR}:{PORT2}; stub_status; empty_gif; }
             location /proxy-last { empty_gif; stub_status; proxy_pass http://{ADDR}:{PORT2}; }
             location /flv-last { empty_gif; flv; } location /flv-first { flv; empty_gif; }
             location /mp4-last/ { alias {ROOT}/html/; proxy_pass http://{ADDR}:{PORT2}; mp4; }
             location /if-other { empty_gif; if ($arg_a) { set $x 1; } if ($arg_b) { proxy_pass http://{ADDR}:{PORT2}; } }
             location /if-proxy { empty_gif; proxy_pass http://{ADDR}:{PORT2}; if ($arg_a) { set $x 1; } }
             location /if-gif { proxy_pass http://{ADDR}:{PORT2}; empty_gif; if ($arg_a) { set $x 1; } }
             location /limit { proxy_pass http://{ADDR}:{PORT2}; empty_gif; limit_except GET { allow all; } }
             location /limit-own { proxy_pass http://{ADDR}:{PORT2}; flv; limit_except GET { proxy_pass http://{ADDR}:{PORT2}; } }
             location /limit-none { empty_gif; flv; limit_except GET { allow all; } }
             location /outer { empty_gif; location /outer/inner { } location /outer/flv { flv; } }
             location /again { empty_gif; error_page 405 = /a.txt; flv; }",
        )
        .asks([
            "/gif-last", "/proxy-last", "/flv-last", "/flv-last/", "/flv-first", "/mp4-last/", "/mp4-last/a.txt", "/if-other", "/if-other?a=1",
            "/if-other?b=1", "/if-proxy", "/if-proxy?a=1", "/if-gif", "/if-gif?a=1", "/limit", "POST /limit\n\nx", "/limit-own",
            "POST /limit-own\n\nx", "/limit-none", "POST /limit-none\n\nx", "/outer", "/outer/inner", "/outer/flv", "POST /again\n\nx",
        ])
}

fn captures() -> Entry {
    entry("regex-captures").unlike_errors("the line names what was searched, not the pattern", r#"pcre2_match|regular expression"#)
        .server(
            "location ~ ^/(?<first>\\w+)/(?<second>\\w+)$ { return 200 \"[$first][$second][$1][$2][$3]\"; }
             location ~* ^/UP-(\\w+)-(\\w*) { return 200 \"[$1][$2]\"; }
             location ~ ^/opt(-(\\d+))?(-x)?$ { return 200 \"[$1][$2][$3]\"; }
             location ~ ^/utf/(.)(.)$ { return 200 \"[$1][$2]\"; }
             location ~ (*UTF8)^/u8/(.)$ { return 200 \"[$1]\"; }
             location ~ ^/nested/(.*) { set $kept $1; location ~ ^/nested/in/(.*)$ { return 200 \"[$1][$kept]\"; } return 200 \"[$1][$kept]\"; }
             location ~ ^/same/(?<first>.*) { return 200 \"[$first][$second]\"; }
             location ~ ^/if/(.*) { if ($args ~ (b)(.)) { return 200 \"if [$1][$2]\"; } return 200 \"[$1]\"; }
             location ~ ^/a{2}$ { return 200 braces; }"
                .replace("location ~ ^/a{2}$", "location ~ \"^/a{2}$\""),
        )
        .asks([
            "/x/y", "/X/y?z", "/up-a-b", "/UP-a", "/opt", "/opt-12", "/opt-12-x", "/opt-x", "/utf/%c3%a4", "/u8/%c3%a4", "/u8/%ff",
            "/nested/x/y", "/nested/in/z", "/same/q/r", "/if/one", "/if/one?b1", "/aa", "/aaa", "/x%0ay/z", "/a%0a/b",
        ])
}
