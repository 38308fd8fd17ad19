//! Headers of responses: `charset`, `expires`, `add_header`, `add_trailer`, `server_tokens`, redirects.

use crate::entry::{Entry, entry, page};

/// Statuses that `return` gives.
const STATUSES: [u16; 42] = [
    200, 201, 202, 203, 204, 206, 207, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308, 400, 401, 402, 403,
    404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 418, 421, 429, 494, 495, 497, 500, 503, 507,
];

/// Why nginx does not send a file of one byte that becomes two.
const NO_ROOM: &str = "nginx makes a buffer of no bytes for it, and closes the connection";

/// Files of one byte that is recoded to two.
const RECODED_TO_MORE: [(&str, &str); 4] = [
    (
        "/recode/a.txt",
        "HTTP/1.1 200 OK\nConnection: close\nContent-Type: text/plain; charset=utf-8\nDate: DATE\nETag: \"603f0af2-1\"\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT\nServer: PRODUCT\nTransfer-Encoding: chunked\n\n\u{410}(no line end)\n=== closed\n",
    ),
    (
        "/recode/a.xml",
        "HTTP/1.1 200 OK\nConnection: close\nContent-Type: text/xml; charset=utf-8\nDate: DATE\nETag: \"603f0af2-1\"\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT\nServer: PRODUCT\nTransfer-Encoding: chunked\n\n\u{410}(no line end)\n=== closed\n",
    ),
    (
        "/var/a.txt",
        "HTTP/1.1 200 OK\nConnection: close\nContent-Type: text/plain; charset=utf-8\nDate: DATE\nETag: \"603f0af2-1\"\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT\nServer: PRODUCT\nTransfer-Encoding: chunked\n\n\u{410}(no line end)\n=== closed\n",
    ),
    (
        "/var/a.xml",
        "HTTP/1.1 200 OK\nConnection: close\nContent-Type: text/xml; charset=utf-8\nDate: DATE\nETag: \"603f0af2-1\"\nLast-Modified: Wed, 03 Mar 2021 04:05:06 GMT\nServer: PRODUCT\nTransfer-Encoding: chunked\n\n\u{410}(no line end)\n=== closed\n",
    ),
];

pub fn entries() -> Vec<Entry> {
    let mut always = entry("add-header-statuses").server("add_header X-Plain p; add_header X-Always a always; add_trailer X-T t; add_trailer X-TA ta always; expires 1h;");
    for status in STATUSES {
        always = always.server(format!(
            "location = /{status} {{ return {status}; }} location = /t{status} {{ return {status} text; }}"
        ));
        always = always.ask(format!("/{status}")).ask(format!("/t{status}")).ask(format!("HEAD /{status}"));
    }
    let mut forms = entry("expires-forms");
    for (number, form) in [
        "1h",
        "1",
        "0",
        "-1",
        "-1h",
        "1d",
        "30d",
        "1y",
        "max",
        "epoch",
        "off",
        "modified",
        "modified 1h",
        "modified +1h",
        "modified -1h",
        "modified -1d",
        "1h30m",
        "+1h",
        "@0h",
        "100ms",
        "1w",
        "1M",
        "$expires_map",
        "modified $expires_map",
    ]
    .iter()
    .enumerate()
    {
        if *form == "modified" || form.contains("ms") || *form == "@0h" {
            continue;
        }
        forms = forms.server(format!("location /{number}/ {{ alias {{ROOT}}/html/; expires {form}; }} location = /r{number} {{ expires {form}; return 200 x; }}"));
        forms =
            forms.ask(format!("/{number}/a.txt")).ask(format!("/{number}/none")).ask(format!("/r{number}"));
    }
    vec![
        always,
        forms
            .http("map $arg_e $expires_map { default off; epoch epoch; max max; hour 1h; neg -1; bad junk; mod modified; at @15h; empty ''; }")
            .asks(["/22/a.txt?e=epoch", "/22/a.txt?e=max", "/22/a.txt?e=hour", "/22/a.txt?e=neg", "/22/a.txt?e=bad", "/22/a.txt?e=empty", "/22/a.txt?e=mod", "/23/a.txt?e=hour", "/23/a.txt?e=neg"]),
        entry("expires-daily")
            .server("location /a { expires @0h; return 200 x; } location /b { expires @15h30m; return 200 x; } location /c { expires @23h59m; return 200 x; }")
            .mask("max-age=[0-9]+", "max-age=N")
            .mask("DATE[+][0-9]+", "DATE+N")
            .asks(["/a", "/b", "/c"]),
        entry("expires-and-cache-control")
            .server(
                "location /a { expires 1h; add_header Cache-Control public; return 200 x; }
                 location /b { add_header Cache-Control a; add_header Cache-Control b; return 200 x; }
                 location /c { expires epoch; add_header Cache-Control private; alias {ROOT}/html/a.txt; }
                 location /d { expires 1h; expires off; return 200 x; }"
                    .replace(" expires 1h; expires off;", " expires off;"),
            )
            .asks(["/a", "/b", "/c", "/d"]),
        entry("add-header-inheritance")
            .server(
                "add_header X-Server s; add_header X-Other \"$uri\";
                 location /inherit { return 200 x; }
                 location /replace { add_header X-Location l; return 200 x; }
                 location /nested { add_header X-L l; location /nested/in { return 200 x; } location /nested/own { add_header X-N n; return 200 x; } }
                 location /if { add_header X-L l; if ($arg_x) { add_header X-If i; return 200 if; } if ($arg_y) { return 200 y; } return 200 x; }
                 location /empty { add_header X-Empty \"\"; add_header X-Var $arg_v; return 200 x; }
                 location /twice { add_header X-T 1; add_header X-T 2; add_header x-t 3; return 200 x; }
                 location /special { add_header Content-Type text/own; add_header Content-Length 5; add_header Server own; add_header Date never; add_header Connection own; add_header Location /x; return 200 x; }
                 location /etag { add_header ETag '\"own\"'; add_header Last-Modified \"Wed, 01 Jan 2020 00:00:00 GMT\"; add_header Accept-Ranges none; alias {ROOT}/html/a.txt; }
                 location /link { add_header Link '</a>; rel=x'; add_header Link '</b>; rel=y'; return 200 x; }
                 location /redirected { add_header X-First f; rewrite ^ /inherit last; }
                 location /error { add_header X-E e always; error_page 404 /inherit; return 404; }
                 location /utf { add_header X-U \"\u{e4}\"; add_header X-Q 'a\"b\\\\c'; return 200 x; }
                 location /long { add_header X-Long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx$uri; return 200 x; }",
            )
            .asks([
                "/inherit", "/replace", "/nested", "/nested/in", "/nested/own", "/if", "/if?x=1", "/if?y=1", "/empty", "/empty?v=1", "/twice", "/special", "/etag", "/etag\nIf-None-Match: \"own\"", "/link",
                "/redirected", "/error", "/utf", "/long", "/none", "/a.txt", "/dir",
            ])
            .raw("GET /inherit HTTP/1.0\r\n\r\n")
            .raw("GET /inherit\r\n"),
        inheritance(),
        entry("add-header-inherit")
            .newer("nginx has the directive since 1.29.3")
            .server(
                "add_header X-Outer o;
                 location /merge { add_header_inherit merge; add_header X-Inner i; return 200 x; }
                 location /off { add_header_inherit off; return 200 x; }",
            )
            .ask("/merge")
            .own("nginx has it since 1.29.3", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 1\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\nX-Inner: i\nX-Outer: o\n\nx(no line end)\n=== closed\n")
            .ask("/off")
            .own("nginx has it since 1.29.3", "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 1\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\nx(no line end)\n=== closed\n"),
        entry("trailers")
            .server(
                "location /one { add_trailer X-T t; alias {ROOT}/html/a.txt; }
                 location /two { add_trailer X-T t; add_trailer X-U $uri; add_trailer X-E ''; alias {ROOT}/html/a.txt; }
                 location /always { add_trailer X-T t always; return 404; }
                 location /not { add_trailer X-T t; return 404; }
                 location /empty { add_trailer X-E $arg_none; alias {ROOT}/html/a.txt; }
                 location /return { add_trailer X-T t; return 200 text; }
                 location /off { add_trailer X-T t; chunked_transfer_encoding off; alias {ROOT}/html/a.txt; }
                 location /gzip { add_trailer X-T t; gzip on; gzip_types *; gzip_min_length 1; alias {ROOT}/html/a.txt; }
                 location /204 { add_trailer X-T t; return 204; }",
            )
            .asks(["/one", "/two", "/always", "/not", "/empty", "/return", "/off", "/gzip", "/gzip\nAccept-Encoding: gzip", "/204", "HEAD /one", "/one\nRange: bytes=0-1", "/one\nIf-None-Match: *", "/one\nTE: trailers"])
            .raw("GET /one HTTP/1.0\r\n\r\n")
            .raw("GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .keep(["/one", "/return", "/always"]),
        entry("charset").unlike_errors("nginx tells of an empty buffer of its own, and passes an unknown charset on", r#"zero size buf|charset_map"#)
            .http(
                "charset_map windows-1251 utf-8 { C0 D090; C1 D091; E0 D0B0; }
                 charset_map koi8-r windows-1251 { E1 C0; 80 88; }
                 map $arg_c $charset_of { default utf-8; none ''; off off; koi koi8-r; win windows-1251; }",
            )
            .server(
                "root {DIR};
                 location /utf8/ { alias {DIR}/; charset utf-8; }
                 location /off/ { alias {DIR}/; charset off; }
                 location /types/ { alias {DIR}/; charset utf-8; charset_types text/css application/json; }
                 location /all/ { alias {DIR}/; charset utf-8; charset_types *; }
                 location /recode/ { alias {DIR}/; charset utf-8; source_charset windows-1251; }
                 location /back/ { alias {DIR}/; charset windows-1251; source_charset utf-8; }
                 location /koi/ { alias {DIR}/; charset windows-1251; source_charset koi8-r; }
                 location /same/ { alias {DIR}/; charset utf-8; source_charset utf-8; }
                 location /nosource/ { alias {DIR}/; charset windows-1251; }
                 location /var/ { alias {DIR}/; charset $charset_of; source_charset windows-1251; }
                 location /return { charset utf-8; default_type text/plain; return 200 x; }
                 location /return-own { charset utf-8; default_type \"text/html; charset=own\"; return 200 x; }
                 location /override { charset utf-8; override_charset on; default_type \"text/html; charset=own\"; return 200 x; }
                 location /html { charset utf-8; default_type TEXT/HTML; return 200 x; }
                 location /empty-type { charset utf-8; default_type ''; return 200 x; }
                 location /error { charset utf-8; return 404; }
                 location /redirect { charset utf-8; return 302 /x; }
                 location /list/ { alias {DIR}/; autoindex on; charset utf-8; }
                 location /add { charset utf-8; add_header Content-Type text/x; return 200 x; }",
            )
            .file("a.html", b"<p>A\xc0\xc1\xe0\xff</p>".to_vec())
            .file("u.html", "<p>\u{410}\u{411}\u{430}\u{42f}\u{20ac}</p>")
            .file("k.html", b"\xe1\x80abc".to_vec())
            .file("a.txt", b"\xc0".to_vec())
            .file("a.css", b"\xc0".to_vec())
            .file("a.json", b"\xc0".to_vec())
            .file("a.xml", b"\xc0".to_vec())
            .file("empty.html", "")
            .asks(
                ["utf8", "off", "types", "all", "recode", "back", "koi", "same", "nosource", "var"]
                    .iter()
                    .flat_map(|start| ["a.html", "u.html", "k.html", "a.txt", "a.css", "a.json", "a.xml", "empty.html", "none"].map(|name| format!("/{start}/{name}")))
                    .filter(|path| !RECODED_TO_MORE.iter().any(|(own, _)| path == own))
                    .collect::<Vec<_>>(),
            )
            .ask(RECODED_TO_MORE[0].0)
            .own(NO_ROOM, RECODED_TO_MORE[0].1)
            .ask(RECODED_TO_MORE[1].0)
            .own(NO_ROOM, RECODED_TO_MORE[1].1)
            .ask(RECODED_TO_MORE[2].0)
            .own(NO_ROOM, RECODED_TO_MORE[2].1)
            .ask(RECODED_TO_MORE[3].0)
            .own(NO_ROOM, RECODED_TO_MORE[3].1)
            .asks([
                "/return", "/return-own", "/override", "/html", "/empty-type", "/error", "/redirect", "/list/", "/add", "/var/a.html?c=none", "/var/a.html?c=off", "/var/a.html?c=koi", "/var/a.html?c=win",
                "HEAD /recode/a.html", "/recode/a.html\nRange: bytes=0-1", "/koi/k.html\nRange: bytes=0-0,3-4", "/koi/k.html\nRange: bytes=1-2,-1",
                "/koi/k.html\nRange: bytes=3-4,0-0", "/koi/k.html\nRange: bytes=1-2,2-3", "/koi/k.html\nRange: bytes=-1,0-0,1-1", "/recode/a.html\nIf-None-Match: *",
            ]),
        entry("server-tokens")
            .server(
                "location /on { server_tokens on; return 404; } location /off { server_tokens off; return 404; }
                 location /off-301 { server_tokens off; return 301 /x; } location /off-200 { server_tokens off; return 200 x; }
                 location /off-none/ { server_tokens off; }",
            )
            .asks(["/on", "/off", "/off-301", "/off-200", "/off-none/x", "HEAD /off"])
            .raw("BAD\r\n\r\n"),
        entry("redirects")
            .server(
                "server_name first.example second.example; root {ROOT}/html;
                 location /r301 { return 301 /to; }
                 location /noabs/ { alias {ROOT}/html/; absolute_redirect off; }
                 location /noabs301 { absolute_redirect off; return 301 /to; }
                 location /noport/ { alias {ROOT}/html/; port_in_redirect off; }
                 location /noport301 { port_in_redirect off; return 301 /to; }
                 location /name/ { alias {ROOT}/html/; server_name_in_redirect on; }
                 location /name301 { server_name_in_redirect on; return 301 /to; }
                 location /rel301 { return 301 to; }
                 location /url301 { return 301 http://other/x; }
                 location /scheme301 { return 301 //other/x; }
                 location /empty301 { return 301 ''; }
                 location /var301 { return 301 /$arg_x; }
                 location /query { return 302 ?x; }
                 location /rewrite/ { rewrite ^/rewrite/(.*) /to/$1 redirect; }
                 location /perm/ { rewrite ^/perm/(.*) /to/$1 permanent; }",
            )
            .asks(
                ["/r301", "/noabs/dir", "/noabs301", "/noport/dir", "/noport301", "/name/dir", "/name301", "/rel301", "/url301", "/scheme301", "/empty301", "/var301?x=a%20b", "/query", "/rewrite/a%20b?c=d", "/perm/x", "/dir", "/dir?x=y%20z"]
                    .iter()
                    .flat_map(|path| [(*path).to_owned(), format!("{path}\nHost: OTHER.example:99"), format!("{path}\nHost: second.example")])
                    .collect::<Vec<_>>(),
            )
            .ask("/noabs/dir\nHost: x\nConnection: keep-alive")
            .raw("GET /dir HTTP/1.0\r\n\r\n")
            .raw("GET /name/dir HTTP/1.0\r\n\r\n")
            .raw("GET /r301 HTTP/1.0\r\n\r\n")
            .raw("GET /noport/dir HTTP/1.0\r\n\r\n")
            .raw("GET /dir\r\n"),
        entry("redirect-escaping")
            .server(
                "root {DIR}; location / { }
                 location /rw/ { rewrite ^/rw/(.*)$ /x/$1 redirect; }
                 location /rwq/ { rewrite ^/rwq/(.*)$ /x?y=$1 redirect; }
                 location /rwn/ { rewrite ^/rwn/(.*)$ /x/$1? redirect; }
                 location /uri/ { return 301 /x$uri; }
                 location /requri/ { return 301 /x$request_uri; }",
            )
            .file("a b/x", "x")
            .file("a%b/x", "x")
            .file("a?b/x", "x")
            .file("a#b/x", "x")
            .file("a\"b/x", "x")
            .file("\u{e4}/x", "x")
            .file("a&b/x", "x")
            .file("a+b/x", "x")
            .file("a<b/x", "x")
            .file("a\nb/x", "x")
            .file("a;b/x", "x")
            .file("a\\b/x", "x")
            .asks(
                ["a%20b", "a%25b", "a%3fb", "a%23b", "a%22b", "%c3%a4", "a&b", "a%26b", "a+b", "a%2bb", "a<b", "a%3cb", "a%0ab", "a;b", "a%3bb", "a\\b", "a%5cb", "a%0db", "a%7fb", "a%00b", "\u{e4}", "a'b", "a(b"]
                    .iter()
                    .flat_map(|name| [format!("/{name}"), format!("/{name}?q=%20"), format!("/rw/{name}?q"), format!("/rwq/{name}?q"), format!("/rwn/{name}?q"), format!("/uri/{name}"), format!("/requri/{name}")])
                    .collect::<Vec<_>>(),
            )
            .own_for("GET /uri/a%0ab HTTP", INJECTED, injected())
            .own_for("GET /uri/a%0db HTTP", INJECTED, injected()),
    ]
}

const INJECTED: &str = "nginx lets a client inject headers by line ends in a variable";

fn injected() -> String {
    let page =
        page("301 Moved Permanently", &["Connection: close", "Location: http://localhost:{PORT}/x/uri/ab"]);
    format!("{page}=== closed\n")
}

/// The rules at more levels: each location with the headers that it sends.
fn inheritance() -> Entry {
    let locations = [
        ("on", "", "X-Http: h"),
        ("own", "add_header X-A a;", "X-A: a"),
        ("merge", "add_header_inherit merge;", "X-Http: h"),
        (
            "merge-own",
            "add_header_inherit merge; add_header X-A a; location /merge-own/in { add_header X-B b; return 200 x; }",
            "X-A: a\nX-Http: h",
        ),
        ("merge-own/in", "", "X-A: a\nX-B: b\nX-Http: h"),
        ("off", "add_header_inherit off; location /off/in { add_header_inherit on; return 200 x; }", ""),
        ("off/in", "", ""),
        ("off-own", "add_header_inherit off; add_header X-A a;", "X-A: a"),
        (
            "trailer",
            "add_trailer X-T t; add_trailer_inherit merge; location /trailer/in { add_trailer X-U u; return 200 x; }",
            "X-Http: h",
        ),
        ("trailer/in", "", "X-Http: h"),
    ];
    let mut entry = entry("header-inheritance")
        .newer("nginx has the directives since 1.29.3")
        .server("add_header X-Http h;");
    for (name, lines, headers) in locations {
        if !name.contains('/') {
            entry = entry.server(format!("location /{name} {{ {lines} return 200 x; }}"));
        }
        let headers = if headers.is_empty() { String::new() } else { format!("{headers}\n") };
        let start = "HTTP/1.1 200 OK\nConnection: close\n";
        let middle = "Content-Type: text/plain\nDate: DATE\nServer: PRODUCT\n";
        let trailers = match name {
            "trailer" => "trailer X-T: t\n",
            "trailer/in" => "trailer X-U: u\ntrailer X-T: t\n",
            _ => "",
        };
        let result = match trailers {
            "" => format!("{start}Content-Length: 1\n{middle}{headers}\nx(no line end)\n=== closed\n"),
            _ => format!(
                "{start}{middle}Transfer-Encoding: chunked\n{headers}\nx(no line end)\n{trailers}=== closed\n"
            ),
        };
        entry = entry.ask(format!("/{name}")).own("nginx has the directives since 1.29.3", result);
    }
    entry
}
