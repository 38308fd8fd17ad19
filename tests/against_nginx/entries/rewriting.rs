//! `return`, `rewrite`, `set`, `if`, `error_page`.

use crate::entry::{Entry, Step, entry, page, request};

pub fn entries() -> Vec<Entry> {
    vec![
        returns(),
        statements_without_effect(),
        entry("bodies-before-texts")
            .mask(r"sent=1[0-9][0-9]", "sent=N")
            .server(
                "location / { return 200 \"[$content_length|$request_body]\"; }
                 location /set { set $length $content_length; return 200 \"[$length|$content_length]\"; }
                 location /102 { return 102 text; }
                 location /101 { return 101; }
                 location /tried { try_files /none =200; }
                 location /tried0 { try_files /none =0; }",
            )
            .asks([
                "POST /x\n\nhello", "POST /x\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n",
                "POST /set\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n", "POST /x\nTransfer-Encoding: chunked\n\nx\r\n",
                "/102", "HEAD /102", "/101", "/tried", "/tried0",
            ])
            .keep(["/102", "/x"])
            .steps([
                Step::Send(request("/tried", false)),
                Step::Send(request("/x", false)),
                Step::Read(1),
            ]),
        entry("return-forms")
            .server(
                "location /url { return http://other/x; }
                 location /https { return https://other/x; }
                 location /scheme { return $scheme://other$request_uri; }
                 location /text { return 200 'a text'; }
                 location /empty { return 200 ''; }
                 location /none { return 200; }
                 location /var { return 200 $arg_x; }
                 location /quotes { return 200 \"a 'b' \\\"c\\\"\"; }
                 location /lines { return 200 \"a\\nb\\r\\nc\\t$uri\"; }
                 location /html { default_type text/html; return 404 '<b>own</b>'; }
                 location /404-empty { return 404 ''; }
                 location /404-text { return 404 text; }
                 location /444 { return 444; }
                 location /444-text { return 444 text; }
                 location /499 { return 499; }
                 location /999 { return 999; }
                 location /600 { return 600 x; }
                 location /100 { return 100; }
                 location /0 { return 0; }
                 location /000 { return 000 x; }
                 location /301-text { return 301 text; }
                 location /303 { return 303 /x; }
                 location /304 { return 304 x; }
                 location /305 { return 305 x; }
                 location /204 { return 204 x; }
                 location /401 { return 401; }
                 location /405 { return 405; }
                 location /twice { return 200 a; return 200 b; }
                 location /static/ { alias {ROOT}/html/; return 200 $request_filename; }
                 location /408 { return 408; }
                 location /413 { return 413; }
                 location /429 { return 429; }
                 location /498 { return 498; }
                 location /511 { return 511; }",
            )
            .asks([
                "/url", "/https", "/scheme/a%20b?c", "/text", "/empty", "/none", "/var?x=y%20z", "/var", "/quotes", "/lines", "/html", "/404-empty", "/404-text", "/444", "/444-text", "/499", "/999", "/600", "/100", "/0",
                "/000", "/301-text", "/303", "/304", "/305", "/204", "/401", "/405", "/twice", "/static/a", "/408", "/413", "/429", "/498", "/511", "HEAD /text", "HEAD /444", "POST /text\n\nbody", "POST /444\n\nbody",
            ])
            .own_for("GET /0 ", BELOW_100, format!("{}=== closed\n", page("400 Bad Request", &["Connection: close"])))
            .own_for(
                "GET /000 ",
                BELOW_100,
                "HTTP/1.1 400 Bad Request\nConnection: close\nContent-Length: 1\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\nx(no line end)\n=== closed\n",
            )
            .keep(["/text", "/empty", "/none", "/204", "/404-text"])
            .keep(["/413"])
            .keep(["/408"])
            .keep(["/304"])
            .raw("GET /text HTTP/1.0\r\n\r\n")
            .raw("GET /text\r\n")
            .raw("GET /444 HTTP/1.0\r\n\r\n"),
        rewrites(),
        entry("rewrite-in-server")
            .server(
                "rewrite ^/old/(.*)$ /new/$1;
                 rewrite ^/new/last /final/last last;
                 rewrite ^/new/x /final/x break;
                 rewrite ^/perm /final/perm permanent;
                 rewrite ^/cond/(.*) /$1 last;
                 if ($arg_stop) { return 403 stopped; }
                 if ($arg_rw) { rewrite ^ /final/rw; }
                 rewrite_log on;
                 set $after yes;
                 location /final { return 200 \"final $uri [$args] [$after]\"; }
                 location /new { return 200 \"new $uri [$args] [$after]\"; }
                 location / { return 200 \"root $uri [$args] [$after]\"; }",
            )
            .asks(["/old/a", "/old/last", "/old/x", "/new/x", "/perm?a=b", "/cond/final", "/?stop=1", "/old/x?stop=1", "/?rw=1", "/old/q?a=b", "/"]),
        ifs(),
        entry("if-and-files")
            .server(
                "root {ROOT}/html;
                 location /f { if (-f $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /nf { if (!-f $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /d { if (-d $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /nd { if (!-d $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /e { if (-e $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /ne { if (!-e $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /x { if (-x $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /nx { if (!-x $document_root$arg_p) { return 200 yes; } return 200 no; }
                 location /rf { if (-f $request_filename) { return 200 yes; } return 200 no; }
                 location /a.txt { if (-f $request_filename) { return 200 yes; } return 200 no; }
                 location /rel { if (-f html/a.txt) { return 200 yes; } return 200 no; }
                 location /fallback/ { alias {ROOT}/html/; if (!-e $request_filename) { rewrite ^/fallback/(.*) /moved/$1 last; } }
                 location /moved/ { return 200 \"moved $uri\"; }",
            )
            .asks(
                ["f", "nf", "d", "nd", "e", "ne", "x", "nx"]
                    .iter()
                    .flat_map(|test| ["/a.txt", "/none", "/dir", "/dir/", "/link.txt", "/linkdir", "/dangling", "/a.txt/x", ""].map(|path| format!("/{test}?p={path}")))
                    .collect::<Vec<_>>(),
            )
            .asks(["/rf", "/a.txt", "/rel", "/fallback/a.txt", "/fallback/none", "/fallback/dir/file.txt"]),
        entry("if-inherits")
            .server(
                "root {ROOT}/html;
                 location /one/ { alias {ROOT}/html/; add_header X-A a; if ($arg_x) { add_header X-B b; } if ($arg_y) { add_header X-C c; } }
                 location /root/ { if ($arg_x) { root {ROOT}; } root {ROOT}/html/dir; rewrite ^/root(/.*) $1 break; }
                 location /set { if ($arg_x) { set $v x; } if ($arg_y) { set $v \"${v}y\"; } return 200 \"[$v]\"; }
                 location /break { if ($arg_x) { break; return 200 no; } return 200 yes; }
                 location /gzip/ { alias {ROOT}/html/; gzip on; if ($arg_x) { gzip off; } }
                 location /expires/ { alias {ROOT}/html/; expires 1h; if ($arg_x) { expires 2h; } }
                 location /error/ { error_page 404 /a.txt; if ($arg_x) { error_page 404 /b.txt; } return 404; }
                 location /rate/ { alias {ROOT}/html/; if ($arg_x) { set $limit_rate 100k; } }
                 location /last { if ($arg_x) { rewrite ^ /set?y=1 last; } return 200 stayed; }
                 location /nested/ { if ($arg_x) { return 200 x; } location /nested/in { if ($arg_y) { return 200 y; } return 200 in; } }
                 location /try/ { if ($arg_x) { set $z 1; } try_files /a.txt =404; }
                 location /basic/ { alias {ROOT}/html/; if ($arg_x) { rewrite .* /a.txt break; } auth_basic x; auth_basic_user_file nothing; }",
            )
            .asks([
                "/one/a.txt", "/one/a.txt?x=1", "/one/a.txt?y=1", "/one/a.txt?x=1&y=1", "/root/file.txt", "/root/file.txt?x=1", "/root/html/file.txt?x=1", "/set", "/set?x=1", "/set?x=1&y=1", "/set?y=1", "/break", "/break?x=1",
                "/gzip/long.html\nAccept-Encoding: gzip", "/gzip/long.html?x=1\nAccept-Encoding: gzip", "/expires/a.txt", "/expires/a.txt?x=1", "/error/", "/error/?x=1", "/rate/a.txt?x=1", "/last", "/last?x=1", "/nested/", "/nested/?x=1",
                "/nested/in?x=1", "/nested/in?y=1", "/try/", "/try/?x=1", "/basic/a.txt", "/basic/a.txt?x=1",
            ]),
        error_pages(),
        entry("error-page-inherited")
            .http("server { listen {ADDR}:{PORT2}; error_page 404 /p; location /p { return 200 port2; } location / { return 404; } }")
            .server(
                "error_page 404 /server404; error_page 403 500 502 503 /several;
                 location / { return 404; }
                 location /server404 { return 200 \"server404 $uri $status\"; }
                 location /several { return 200 \"several $status\"; }
                 location /own { error_page 404 /own404; return 404; }
                 location /own-loses { error_page 404 /own404; return 403; }
                 location /own404 { return 200 own404; }
                 location /deny { deny all; }
                 location /500 { return 500; }
                 location /503 { return 503; }
                 location /chain { error_page 403 /chain2; return 403; }
                 location /chain2 { error_page 404 /own404; return 404; }
                 location /rec { recursive_error_pages on; error_page 403 /rec2; return 403; }
                 location /rec2 { recursive_error_pages on; error_page 404 /own404; return 404; }
                 location /file { root {ROOT}/html; error_page 404 /missing-page.html; }
                 location /missing-page.html { root {ROOT}/html; }",
            )
            .asks(["/", "/own", "/own-loses", "/deny", "/500", "/503", "/chain", "/rec", "/file/x", "HEAD /", "POST /\n\nx", "POST /deny\n\nx"])
            .keep(["/", "/500", "/503"]),
        entry("error-pages-of-bad-requests")
            .server(
                "error_page 400 /p400; error_page 413 /p413; error_page 414 /p414; error_page 405 /p405; error_page 416 =200 /a.txt; error_page 412 /p412; error_page 304 /p304; error_page 494 /p494; error_page 411 /p411; error_page 501 /p501;
                 client_max_body_size 5; large_client_header_buffers 2 1k;
                 location /p { return 200 \"page $uri $status $request_uri\"; }
                 location / { root {ROOT}/html; }",
            )
            .asks(["POST /a.txt\n\ntoo long a body", "POST /a.txt\n\nx", "/a.txt\nRange: bytes=100-", "/a.txt\nIf-Match: \"x\"", "/a.txt\nIf-None-Match: *", "POST /a.txt\nTransfer-Encoding: x\n\n"])
            .ask(format!("/{}", "a".repeat(2000)))
            .ask(format!("/a.txt\nX: {}", "a".repeat(2000)))
            .raws(["BAD\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"])
            .own_for(
                "GET /a.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange",
                "nginx sends Content-Range twice and the tag of the file",
                format!("{}=== closed\n", page("416 Requested Range Not Satisfiable", &["Connection: close", "Content-Range: bytes */7"])),
            ),
        entry("msie-padding")
            .server("location / { msie_padding on; return 404; } location /off { msie_padding off; return 404; } location /301 { return 301 /x; } location /r { msie_refresh on; return 302 /x\"y; } location /rr { msie_refresh on; return 301 http://o/<x>; }".replace("/x\"y", "/x$arg_q"))
            .asks(
                ["/", "/off", "/301", "/r", "/rr", "/r?q=%22"]
                    .iter()
                    .flat_map(|path| {
                        [
                            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", "Mozilla/4.0 (compatible; MSIE 7.0)", "Mozilla/4.0 (compatible; MSIE 8.0) Opera 9", "Mozilla/5.0 Chrome/1 MSIE 5.0",
                            "Mozilla/5.0 Gecko Firefox",
                        ]
                        .map(|agent| format!("{path}\nUser-Agent: {agent}"))
                    })
                    .collect::<Vec<_>>(),
            )
            .asks(["/\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\nConnection: keep-alive", "HEAD /\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)"]),
        entry("post-action")
            .mask("status=204 body=7 sent=[0-9]+", "status=204 body=7 sent=N")
            .server("location / { post_action /post; return 200 x; } location /file/ { alias {ROOT}/html/; post_action @post; } location /post { internal; access_log logs/{NAME}_post.log against; return 200 y; } location @post { return 204; }")
            .asks(["/", "/file/a.txt", "/file/none"]),
        entry("post-actions")
            .mask("sent=~?[0-9]+", "sent=N")
            .mask("body=[0-9]{3,}", "body=N")
            .server(
                "location /uri { post_action /other?a=1; return 200 x; } location /other { internal; return 200 y; }
                 location /missing { post_action @missing; return 200 x; }
                 location /closes { post_action @closes; return 200 x; } location @closes { keepalive_timeout 0; return 204; }
                 location /fails { post_action @fails; return 200 x; } location @fails { return 500; }
                 location /page { post_action @page; return 404; error_page 404 =200 /other; } location @page { return 403; error_page 403 =202 /other; }
                 location /file { post_action /a.txt; return 200 x; }
                 location /444 { post_action @fails; return 444; }
                 location /turn { post_action /turn; return 200 x; }
                 location /cycle { post_action @fails; error_page 404 /cycle; recursive_error_pages on; return 404; }
                 location /off { post_action off; return 200 x; } location /if { if ($arg_p) { post_action @fails; } return 200 x; }
                 location /body { post_action @fails; mirror /other; root {ROOT}/html; } location /mirror { mirror /mirrored; post_action @closes; alias {ROOT}/html/; }
                 location /mirrored { internal; log_subrequest on; return 201; }
                 location /nested { set $v a; post_action @nested; return 200 $v; } location @nested { set $v b; post_action @fails; return 200 $v; }",
            )
            .asks(["/uri", "/missing", "/closes", "/fails", "/page", "/file", "/444", "/turn", "/cycle", "/off", "/if", "/if?p=1", "/body", "/mirror/a.txt", "/nested", "POST /uri\n\nbody"])
            .keep(["/closes", "/uri"])
            .keep(["/fails", "/uri"])
            .keep(["/uri", "/page", "/file", "/uri"]),
        entry("paths-after-cycles")
            .http("log_format cycle '$request_uri $uri $document_root $realpath_root $request_filename $args $status';")
            .bare()
            .server("").http(
                "server { listen {ADDR}:{PORT}; access_log logs/{NAME}.log cycle; root {DIR}/server; recursive_error_pages on;
                 location /turn/ { root {DIR}/turn; post_action /turn/again?x=y; return 200 x; }
                 location /a/ { root {DIR}/a; post_action /b/next; return 200 x; } location /b/ { root {DIR}/b; post_action /a/next; return 200 x; }
                 location /named/ { root {DIR}/a; post_action @n; return 200 x; } location @n { root {DIR}/b; post_action @m; return 200 x; } location @m { root {DIR}/a; post_action @n; return 200 x; }
                 location /err/ { root {DIR}/a; error_page 404 /err/again; return 404; } location /err2/ { root {DIR}/a; error_page 404 /err3/x; return 404; } location /err3/ { root {DIR}/b; error_page 404 /err2/x; return 404; }
                 location /file/ { root {DIR}/a; error_page 404 /file/none; } location /perr/ { root {DIR}/a; post_action /turn/p; error_page 404 /perr/again; return 404; }
                 location /try/ { root {DIR}/b; try_files /none /try/again; } location /rw/ { root {DIR}/b; rewrite ^/rw/(.*) /rw/x$1 last; } location /nerr/ { root {DIR}/a; error_page 404 @nerr; return 404; } location @nerr { root {DIR}/b; error_page 404 @nerr; return 404; }
                 location /nerr2/ { root {DIR}/a; error_page 404 @none; return 404; } location /pnone/ { root {DIR}/a; post_action @none; return 200 x; } location /perr2/ { root {DIR}/a; post_action @nerr; return 200 x; } }",
            )
            .file("a/x", "x").file("b/x", "x").file("turn/x", "x").file("server/x", "x")
            .asks(["/turn/1", "/a/1", "/b/1", "/named/1", "/err/1", "/err2/1", "/err3/1", "/file/1", "/perr/1", "/try/1", "/rw/1", "/nerr/1", "/nerr2/1", "/pnone/1", "/perr2/1"]),
        entry("post-action-of-server")
            .mask("sent=~?[0-9]+", "sent=N")
            .mask("body=[0-9]{3,}", "body=N")
            .server("post_action /post; location / { return 200 x; } location /post { internal; return 200 y; } location /404 { return 404; } location /body { mirror /post; root {ROOT}/html; }")
            .asks(["/", "/404", "/post", "BAD /"])
            .keep(["/", "/404"])
            .cut("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbo")
            .cut("GET / HTTP/1.1\r\nHo"),
    ]
}

const BELOW_100: &str =
    "a status has three digits from 100 on (RFC 9110, section 15), and clients refuse nginx's 000";

/// Empty blocks, `break` behind `rewrite`, and paths that `alias` does not fit any more.
fn statements_without_effect() -> Entry {
    entry("statements-without-effect")
        .server(
            "error_log {ROOT}/logs/{NAME}.error;
             location /captures { set $w q; if ($w ~ \"(q)\") { } return 200 \"[$1]\"; }
             location /last { add_header X-A loc always; if ($arg_a) { add_header X-A in always; } if ($uri) { } return 200 x; }
             location /stays/ { rewrite ^ /elsewhere; break; add_header X-A in; alias {ROOT}/html/; }
             location /if { rewrite ^ /elsewhere; if ($arg_a) { set $v 2; break; } root {ROOT}/html; add_header X-A in always; }
             location /elsewhere { return 200 \"elsewhere $uri\"; }
             location /alias/ { alias {ROOT}/html/; rewrite ^ /b.txt break; }
             location ~ ^/regex/(.*)$ { alias {ROOT}/html/$1; rewrite ^ /b.txt break; }
             location /percent { rewrite ^/percent(.*) http://other$1 permanent; }
             location /index/ { alias {ROOT}/html/; rewrite ^ /x/ break; }
             location /tried/ { alias {ROOT}/html/; rewrite ^ /b.txt break; try_files $uri /a.txt =404; }
             location /name/ { alias {ROOT}/html/; rewrite ^ /b.txt break; add_header X-File \"[$request_filename]\" always; }
             location /flv/ { alias {ROOT}/html/; rewrite ^ /b.txt break; flv; }
             location /zipped/ { alias {ROOT}/html/; rewrite ^ /b.txt break; gzip_static on; }
             location /listed/ { alias {ROOT}/html/; rewrite ^ /x/ break; autoindex on; }",
        )
        .asks([
            "/captures", "/last?a=1", "/last", "/stays/x", "/if", "/if?a=1", "/alias/x", "/regex/x", "/percent/a%25b",
            "/percent/a%2541", "/percent/a%253fb%2541", "/percent/a%25zzb", "/percent/x%254", "/index/",
            "/tried/x", "/name/x", "/flv/x", "/zipped/x", "/listed/x",
        ])
}

fn returns() -> Entry {
    let statuses = || (200..210).chain(299..=310).chain(399..=432).chain(490..=512);
    let mut entry = entry("return-statuses").server("location = /page { return 200 \"page $status\"; }");
    for status in statuses() {
        entry =
            entry.server(format!("location = /{status} {{ return {status}; }}")).ask(format!("/{status}"));
    }
    // `error_page` takes 300 to 599, but not 499.
    for status in statuses().filter(|status| *status >= 300 && *status != 499) {
        entry =
            entry.server(format!("location = /p{status} {{ return {status}; error_page {status} /page; }}"));
        entry = entry.ask(format!("/p{status}"));
    }
    entry = entry.keep(["/404", "/500", "/204"]).keep(["/400"]).keep(["/414"]).keep(["/501"]);
    for status in [100, 101, 102, 103, 199] {
        entry = entry
            .server(format!("location = /{status} {{ return {status}; }} location = /t{status} {{ return {status} text; }}"))
            .asks([format!("/{status}"), format!("/t{status}"), format!("HEAD /t{status}")]);
    }
    entry
}

fn rewrites() -> Entry {
    let rules = [
        ("plain", "rewrite ^/plain/(.*)$ /show/$1;"),
        ("last", "rewrite ^/last/(.*)$ /show/$1 last; return 200 no;"),
        ("break", "rewrite ^/break/(.*)$ /dir/$1 break; return 200 no;"),
        ("redirect", "rewrite ^/redirect/(.*)$ /show/$1 redirect;"),
        ("permanent", "rewrite ^/permanent/(.*)$ /show/$1 permanent;"),
        ("mark", "rewrite ^/mark/(.*)$ /show/$1? last;"),
        ("mark-redirect", "rewrite ^/mark-redirect/(.*)$ /show/$1? redirect;"),
        ("args", "rewrite ^/args/(.*)$ /show?x=$1 last;"),
        ("args-mark", "rewrite ^/args-mark/(.*)$ /show?x=$1? last;"),
        ("args-redirect", "rewrite ^/args-redirect/(.*)$ /show?x=$1 redirect;"),
        ("args-used", "rewrite ^/args-used/(.*)$ /show/$1?y=$args&z=1? last;"),
        ("url", "rewrite ^/url/(.*)$ http://other/$1;"),
        ("url-last", "rewrite ^/url-last/(.*)$ https://other/$1 last;"),
        ("url-permanent", "rewrite ^/url-permanent/(.*)$ http://other/$1? permanent;"),
        ("scheme", "rewrite ^/scheme/(.*)$ $scheme://other/$1 last;"),
        ("scheme-redirect", "rewrite ^/scheme-redirect/(.*)$ $scheme://other/$1 redirect;"),
        ("named", "rewrite ^/named/(?<who>.*)$ /show/$who last;"),
        ("case", "rewrite (?i)^/CASE/(.*)$ /show/$1 last;"),
        ("not", "rewrite ^/other/(.*)$ /show/$1 last; return 200 not-matched;"),
        ("two", "rewrite ^/two/(.*)$ /three/$1; rewrite ^/three/(.*)$ /show/$1; return 200 \"$uri\";"),
        ("two-captures", "rewrite ^/two-captures/(.)(.)(.*)$ /show/$2$1-$3-$4 last;"),
        ("empty", "rewrite ^ $arg_none last;"),
        ("relative", "rewrite ^ show last;"),
        ("capture-kept", "rewrite ^/capture-kept/(.*)$ /x/$1; return 200 \"[$1][$uri]\";"),
        ("encoded", "rewrite ^/encoded/(.*)$ /show/%20$1 last;"),
        ("encoded-redirect", "rewrite ^/encoded-redirect/(.*)$ /show/%20$1 redirect;"),
        ("var", "set $to /show; rewrite ^/var(.*)$ $to$1 last;"),
        ("loop", "rewrite ^/loop(.*)$ /loop/x last;"),
        ("back", "rewrite ^ $request_uri last;"),
        ("dot", "rewrite ^/dot/(.*) /show/../$1 last;"),
    ];
    let mut entry = entry("rewrite-rules")
        .server("root {ROOT}/html; location /show { return 200 \"[$uri][$args][$request_uri][$is_args]\"; }");
    for (name, rule) in rules {
        entry = entry.server(format!("location /{name}/ {{ {rule} }}"));
        for rest in ["", "file.txt", "abcd?q=1", "a%20b%3f%25?q=%20", "x?", "%c3%a4&+"] {
            entry = entry.ask(format!("/{name}/{rest}"));
        }
    }
    entry.ask("POST /last/x\n\nbody").ask("POST /redirect/x\n\nbody").ask("HEAD /break/file.txt")
}

fn ifs() -> Entry {
    let tests = [
        "$arg_v",
        "$arg_v = x",
        "$arg_v = ''",
        "$arg_v = 0",
        "$arg_v != x",
        "$arg_v ~ x",
        "$arg_v ~* X",
        "$arg_v !~ x",
        "$arg_v !~* X",
        "$arg_v ~ ^(a|b)$",
        "$arg_v = $arg_w",
        "$arg_v != $arg_w",
        "$arg_v = \"a$arg_w\"",
        "$arg_v ~ \"x y\"",
        "$arg_v ~* \"^x{2,3}$\"",
        "$http_x = y",
        "$request_method = POST",
        "$none_such",
        "$arg_v ~ (.)(?<second>.)",
        "$http_user_agent ~ MSIE",
        "$args ~ v=0",
    ];
    let mut entry = entry("if-conditions");
    for (number, test) in tests.iter().enumerate() {
        let test = test.replace("$none_such", "$arg_none_such");
        entry = entry.server(format!(
            "location /{number} {{ if ({test}) {{ return 200 \"yes [$1]\"; }} return 200 no; }}"
        ));
        for value in
            ["", "?v=", "?v=x", "?v=X", "?v=0", "?v=00", "?v=a", "?v=b&w=b", "?v=ab&w=b", "?v=xx", "?v=x%20y"]
        {
            entry = entry.ask(format!("/{number}{value}"));
        }
    }
    entry.ask("POST /16\n\nx").ask("/15\nX: y").ask("/19\nUser-Agent: MSIE 6")
}

fn error_pages() -> Entry {
    let forms = [
        ("uri", "404 /page"),
        ("file", "404 /a.txt"),
        ("code", "404 =200 /page"),
        ("code-file", "404 =200 /a.txt"),
        ("code-410", "404 =410 /page"),
        ("take", "404 = /page"),
        ("take-404", "404 = /page404"),
        ("take-file", "404 = /a.txt"),
        ("take-302", "404 = /page302"),
        ("named", "404 @named"),
        ("named-take", "404 = @named"),
        ("named-code", "404 =203 @named"),
        ("url", "404 http://other/x"),
        ("url-301", "404 =301 http://other/x"),
        ("url-303", "404 =303 http://other/$uri"),
        ("url-200", "404 =200 http://other/x"),
        ("url-307", "404 =307 http://other/x"),
        ("url-308", "404 =308 https://other/x"),
        ("args", "404 /page?x=y"),
        ("vars", "404 /page$uri"),
        ("missing", "404 /missing"),
        ("missing-200", "404 =200 /missing"),
        ("several", "403 404 405 /page"),
        ("other", "403 /page"),
        ("self", "404 /self/x"),
        ("dir", "404 /dir/"),
        ("dir-redirect", "404 /dir"),
        ("empty-code", "404 =204 /page"),
        ("relative", "404 page"),
        ("named-missing", "404 @missing"),
        ("to-444", "404 = /page444"),
        ("auth", "404 =401 /page"),
    ];
    let mut entry = entry("error-page-forms").server(
        "root {ROOT}/html;
         location = /page { return 200 \"page [$uri][$args][$request_uri][$status]\"; }
         location /page/ { return 200 \"page below [$uri]\"; }
         location = /page404 { return 404; }
         location = /page302 { return 302 /elsewhere; }
         location = /page444 { return 444; }
         location @named { return 202 \"named [$uri][$args][$status]\"; }",
    );
    for (name, form) in forms {
        entry = entry.server(format!("location /{name}/ {{ error_page {form}; return 404; }} location /{name}-f/ {{ error_page {form}; }}"));
        entry = entry
            .ask(format!("/{name}/?q=1"))
            .ask(format!("/{name}-f/none"))
            .ask(format!("HEAD /{name}/"))
            .ask(format!("POST /{name}/\n\nbody"));
    }
    entry
        .server(
            "location /get/ { error_page 405 =200 $uri; alias {ROOT}/html/; }
             location /302/ { error_page 302 /page; return 302 /x; }
             location /301/ { error_page 301 =200 /a.txt; return 301 /x; }
             location /dirs { error_page 301 =200 /a.txt; }
             location /401/ { error_page 401 /page; auth_basic r; auth_basic_user_file none; }
             location /200/ { return 200; }
             location /twice/ { error_page 404 /a.txt; error_page 404 /b.txt; return 404; }
             location /order/ { error_page 403 /b.txt; error_page 404 /a.txt; return 404; }",
        )
        .asks([
            "/get/a.txt",
            "POST /get/a.txt\n\nx",
            "/302/",
            "/301/",
            "/dirs",
            "/401/",
            "/twice/",
            "/order/",
        ])
        // Whether a page with variables but without a question mark has an empty $args or none depends on what nginx's
        // stack holds.
        .mask("args=\"-?\"", "args=NONE")
}
