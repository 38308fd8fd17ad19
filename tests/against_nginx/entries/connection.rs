//! Connections: keep-alive, request bodies, limits of heads and bodies, timeouts, the PROXY protocol.

use crate::entry::{Entry, Listener, Step, entry, request};

/// A server that tells what it got, behind the entry's own.
const ORIGIN: &str = "server { listen {ADDR}:{PORT2}; client_max_body_size 0; location / { return 200 \"[$request_method][$http_content_length][$http_transfer_encoding][$http_x_body][$http_expect]\"; } }";

/// Makes the entry's server read the body.
const READS: &str = "proxy_pass http://{ADDR}:{PORT2}; proxy_http_version 1.1; proxy_set_header X-Body \"$request_body\"; proxy_set_header Connection ''; proxy_ignore_client_abort on;";

pub fn entries() -> Vec<Entry> {
    vec![
        entry("keep-alive")
            .server("location / { root {ROOT}/html; } location /return { return 200 x; } location /204 { return 204; } location /chunked/ { alias {ROOT}/html/; add_trailer X y; } location /err/ { error_page 404 /a.txt; return 404; }")
            .keep(["/a.txt", "/b.txt", "/none", "/dir", "/empty.txt", "/return", "/204", "HEAD /a.txt", "/chunked/a.txt", "/err/x", "/a.txt\nIf-None-Match: *", "/a.txt\nRange: bytes=0-1", "/a.txt\nRange: bytes=99-", "OPTIONS /a.txt", "/big.txt"])
            .keep(["POST /a.txt\n\nbody", "/a.txt"])
            .keep(["POST /return\n\nbody", "/a.txt"])
            .keep(["GET /a.txt\n\nbody", "/b.txt"])
            .keep(["/a.txt\nConnection: close", "/b.txt"])
            .keep(["/a.txt\nConnection: Close", "/b.txt"])
            .keep(["/a.txt\nConnection: x, close", "/b.txt"])
            .keep(["/a.txt\nConnection: closed", "/b.txt"])
            .keep(["/a.txt\nConnection: keep-alive", "/b.txt"])
            .keep(["/a.txt\nConnection: keep-alive, close", "/b.txt"])
            .keep(["/a.txt\nConnection: upgrade", "/b.txt"])
            .keep(["/a.txt\nConnection: keep-alive\nConnection: close", "/b.txt"])
            .keep(["/a.txt\nKeep-Alive: 300", "/b.txt"])
            .keep(["/a.txt HTTP/1.0", "/b.txt"])
            .keep(["/a.txt HTTP/1.0\nConnection: keep-alive", "/b.txt HTTP/1.0\nConnection: Keep-Alive", "/b.txt HTTP/1.0"])
            .keep(["/none HTTP/1.0\nConnection: keep-alive", "/chunked/a.txt HTTP/1.0\nConnection: keep-alive"])
            .pipeline(["/a.txt", "/b.txt", "/none", "HEAD /a.txt", "/return", "/204", "/dir"])
            .pipeline(["/a.txt", "/b.txt\nConnection: close", "/none"])
            .pipeline(["POST /return\n\nbody", "/a.txt", "POST /a.txt\n\nGET / HTTP/1.1", "/b.txt"])
            .pipeline(["GET /a.txt\n\nGET /b.txt HTTP/1.1", "/b.txt"])
            .pipeline(["/big.txt", "/big.txt", "/a.txt"])
            .pipeline(vec!["/return"; 40])
            .raw("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /b.txt HTTP/1.1\r\nHost: x\r\n\r\nBAD\r\n\r\n")
            .raw("GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n\r\n\r\nGET /b.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .raw("\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .raw("\n\nGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        entry("keep-alive-limits")
            .server(
                "location / { alias {ROOT}/html/; keepalive_requests 3; } location /one/ { alias {ROOT}/html/; keepalive_requests 1; } location /zero/ { alias {ROOT}/html/; keepalive_requests 0; } location /off/ { alias {ROOT}/html/; keepalive_timeout 0; }
                 location /header/ { alias {ROOT}/html/; keepalive_timeout 75s 60s; } location /header0/ { alias {ROOT}/html/; keepalive_timeout 0 60s; } location /header1/ { alias {ROOT}/html/; keepalive_timeout 60s 0; }
                 location /msie/ { alias {ROOT}/html/; keepalive_disable msie6; } location /safari/ { alias {ROOT}/html/; keepalive_disable safari; } location /none/ { alias {ROOT}/html/; keepalive_disable none; } location /both/ { alias {ROOT}/html/; keepalive_disable msie6 safari; }",
            )
            .keep(["/a.txt", "/a.txt", "/a.txt", "/a.txt"])
            .keep(["/one/a.txt", "/a.txt"])
            .keep(["/zero/a.txt", "/a.txt"])
            .keep(["/off/a.txt", "/a.txt"])
            .keep(["/header/a.txt", "/header/none", "/header/dir"])
            .keep(["/header0/a.txt", "/a.txt"])
            .keep(["/header1/a.txt", "/a.txt"])
            .keep(["/header/a.txt HTTP/1.0\nConnection: keep-alive"])
            .pipeline(["/a.txt", "/a.txt", "/a.txt", "/a.txt"])
            .keep(["POST /msie/a.txt\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\n\nx"])
            .keep(["POST /both/none\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\n\nx"])
            .keep(["POST /none/a.txt\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\n\nx"])
            .keep(["/msie/a.txt\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)", "/a.txt"])
            .keep(["/safari/a.txt\nUser-Agent: Mozilla/5.0 (Macintosh; Mac OS X) AppleWebKit/1 Safari/1", "/a.txt"])
            .keep(["/both/a.txt\nUser-Agent: Mozilla/5.0 (Macintosh; Mac OS X) AppleWebKit/1 Safari/1", "/a.txt"])
            .keep(["/safari/a.txt\nUser-Agent: Mozilla/5.0 (Macintosh; Mac OS X) Chrome/1 Safari/1", "/a.txt"]),
        entry("timeouts")
            .http(ORIGIN)
            .server(format!("client_header_timeout 300ms; location / {{ root {{ROOT}}/html; keepalive_timeout 300ms; lingering_timeout 300ms; }} location /body {{ client_body_timeout 300ms; {READS} }} location /discard {{ client_body_timeout 300ms; lingering_timeout 300ms; root {{ROOT}}/html; }}"))
            .steps([Step::Send(b"GET / HTTP/1.1\r\nHost".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"GET / HT".to_vec()), Step::Read(1)])
            .steps([Step::Read(1)])
            .steps([Step::Send(request("/a.txt", false)), Step::Read(1), Step::Read(1)])
            .steps([Step::Send(request("/a.txt", false)), Step::Read(1), Step::Send(b"GET /".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".to_vec()), Step::Read(1), Step::Read(1)])
            .steps([Step::Send(b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".to_vec()), Step::Read(1), Step::Read(1)])
            .steps([Step::Send(b"POST /discard HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".to_vec()), Step::Read(1), Step::Read(1)])
            .steps([Step::Send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".to_vec()), Step::Read(1), Step::Read(1)]),
        bodies(),
        chunked(),
        entry("expect")
            // The interim response hides the length of the product's name from the comparison.
            .mask("body=38 sent=18[67] ", "body=38 sent=N ")
            .http(ORIGIN)
            .server(format!("client_max_body_size 20; location / {{ {READS} }} location /return {{ return 200 x; }} location /file/ {{ alias {{ROOT}}/html/; }} location /deny/ {{ deny all; }} location /auth/ {{ auth_basic x; auth_basic_user_file none; }}"))
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".to_vec()), Step::Interim, Step::Send(b"body".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()), Step::Interim, Step::Send(b"4\r\nbody\r\n0\r\n\r\n".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 21\r\n\r\n".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: other\r\nContent-Length: 4\r\n\r\nbody".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue, x\r\nContent-Length: 4\r\n\r\nbody".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n".to_vec()), Step::Read(1)])
            .steps([Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n".to_vec()), Step::Read(1)])
            .steps(
                ["return", "file/a.txt", "deny/", "auth/", "file/none"]
                    .iter()
                    .take(1)
                    .flat_map(|path| [Step::Send(format!("POST /{path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").into_bytes()), Step::Read(1), Step::Send(b"body".to_vec())])
                    .collect::<Vec<_>>(),
            )
            .asks(["return", "file/a.txt", "deny/", "auth/", "file/none"].map(|path| format!("POST /{path}\nExpect: 100-continue\n\nbody")))
            .asks(["GET /file/a.txt\nExpect: 100-continue\n\nbody", "HEAD /file/a.txt\nExpect: 100-continue"]),
        entry("bad-chunks-and-error-pages")
            .server(
                "root {ROOT}/html; client_max_body_size 50;
                 location /page { error_page 404 /said; return 404; } location /named { error_page 404 @said; return 404; }
                 location /code { error_page 404 =200 /said; return 404; } location /file { error_page 404 /a.txt; return 404; }
                 location /400 { error_page 404 /said; error_page 400 /said400; return 404; } location /only400 { error_page 400 /said400; return 200 x; }
                 location /deep { recursive_error_pages on; error_page 404 /deeper; return 404; } location /deeper { recursive_error_pages on; error_page 400 /said400; return 200 deeper; }
                 location /away { error_page 404 http://other/x; return 404; } location /plain { return 404; } location /moved { return 302 /x; }
                 location /said { return 200 \"said $status\"; } location @said { return 200 \"named $status\"; } location /said400 { return 200 \"said400 $status\"; }
                 location /304/ { alias {ROOT}/html/; } location /empty { return 204; } location /deny { deny all; } location /deny-page { deny all; error_page 403 /said; }
                 location /try { try_files /none =404; error_page 404 /said; } location /list/ { alias {ROOT}/html/noindex/; autoindex on; }",
            )
            .asks(
                ["GET /page", "GET /named", "GET /code", "GET /file", "GET /400", "GET /only400", "GET /deep", "GET /away", "GET /plain", "GET /moved", "GET /304/a.txt", "GET /304/a.txt\nIf-None-Match: *", "GET /304/a.txt\nIf-Match: \"x\"", "GET /304/a.txt\nRange: bytes=99-", "GET /304/none", "GET /304/a.txt\nRange: bytes=0-1", "HEAD /304/a.txt", "GET /empty", "GET /deny", "GET /deny-page", "GET /try", "GET /list/", "HEAD /page", "GET /dir"]
                    .iter()
                    .flat_map(|line| ["x\r\n", "4\r\nbody\r\n0\r\n\r\n", "4\r\nbodyx"].map(|body| format!("{line}\nTransfer-Encoding: chunked\n\n{body}")))
                    .collect::<Vec<_>>(),
            )
            .keep(["/page\nTransfer-Encoding: chunked\n\nx\r\n"])
            .keep(["/304/a.txt\nIf-None-Match: *\nTransfer-Encoding: chunked\n\nx\r\n"]),
        entry("refused-head-requests")
            .server("root {ROOT}/html; error_page 414 /said; location /said { return 200 said; } large_client_header_buffers 2 1k;")
            .raws([
                "HEAD / HTTP/9.9\r\nHost: x\r\n\r\n", "HEAD / HTTP/2.0\r\nHost: x\r\n\r\n", "HEAD / HTTP/x.1\r\nHost: x\r\n\r\n", "HEAD /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n",
                "HEAD / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: z\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: z\r\n\r\n", "HEAD / HTTP/1.1 x\r\nHost: x\r\n\r\n", "HEAD /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
                "HEAD /../.. HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD  HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD x HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /\r\n", "HEAD /none\r\n", "HEAD", "HEAD / HTTP/1.0\r\nContent-Length: -1\r\n\r\n", "head / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
            ])
            .raw(format!("HEAD /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(2000)))
            .raw(format!("HEAD / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(2000)))
            .cut("HEAD / HTTP/1.1\r\nHost"),
        entry("expect-without-body")
            .server(
                "root {ROOT}/html; location /return { return 200 x; } location /page { error_page 404 /said; return 404; } location /named { error_page 404 @said; return 404; } location /file { error_page 404 /a.txt; return 404; } location /missing { error_page 404 /none; }
                 location /plain { return 404; } location /moved { return 302 /x; } location /deny { deny all; } location /deny-page { deny all; error_page 403 /said; } location /empty { return 204; } location /away { error_page 404 http://other/x; return 404; }
                 location /said { return 200 \"said $status\"; } location @said { return 200 \"named $status\"; } location /list/ { alias {ROOT}/html/noindex/; autoindex on; } location /auth { auth_request /said; return 200 x; } location /mirror { mirror /said; root {ROOT}/html; try_files /a.txt =404; }
                 location /sub { add_after_body /a.txt; addition_types *; return 200 x; } location /gif { empty_gif; } location /stub { stub_status; } location /post { post_action /said; return 200 x; }",
            )
            .asks(
                ["GET /a.txt", "HEAD /a.txt", "POST /a.txt", "PUT /a.txt", "OPTIONS /a.txt", "GET /none", "GET /dir", "GET /dir/", "GET /return", "GET /page", "GET /named", "GET /file", "GET /missing", "GET /plain", "GET /moved", "GET /deny", "GET /deny-page", "GET /empty", "GET /away", "GET /list/", "GET /auth", "GET /mirror", "GET /sub", "GET /gif", "GET /post", "GET /a.txt\nIf-None-Match: *", "GET /a.txt\nRange: bytes=99-", "GET /a.txt\nIf-Match: \"x\""]
                    .iter()
                    .flat_map(|line| [format!("{line}\nExpect: 100-continue"), format!("{line}\nExpect: 100-continue\n\nbody"), format!("{line}\nExpect: 100-continue\nContent-Length: 0\n\n"), format!("{line}\nExpect: 100-continue\nTransfer-Encoding: chunked\n\n0\r\n\r\n")])
                    .collect::<Vec<_>>(),
            )
            .raw("GET /a.txt HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
            .raw("GET /page HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
            .keep(["/a.txt\nExpect: 100-continue", "/page\nExpect: 100-continue", "/plain\nExpect: 100-continue"])
            // With the bytes of 100 in them, they are lengths of no response.
            .mask("body=[0-9]+ sent=~?[0-9]+", "LENGTHS"),
        entry("lingering")
            .server("client_max_body_size 10; location / { root {ROOT}/html; } location /off/ { alias {ROOT}/html/; lingering_close off; } location /always/ { alias {ROOT}/html/; lingering_close always; lingering_timeout 200ms; } location /return { return 200 x; } location /off-return { lingering_close off; return 200 x; }")
            .asks([
                format!("POST /a.txt\n\n{}", "x".repeat(11)), format!("POST /a.txt\n\n{}", "x".repeat(100_000)), format!("POST /return\n\n{}", "x".repeat(11)), format!("POST /always/a.txt\n\n{}", "x".repeat(11)), "/always/a.txt".to_owned(), "/off/a.txt".to_owned(),
                format!("GET /a.txt\n\n{}", "x".repeat(9)), format!("GET /always/a.txt\n\n{}", "x".repeat(9)), format!("POST /off-return\n\n{}", "x".repeat(9)),
            ])
            .keep(["/always/a.txt", "/always/b.txt\nConnection: close"]),
        header_limits(),
        split_sends(),
        proxy_protocol(),
        tlvs(),
        empty_lines(),
        rest_of_bad_heads(),
        plain_to_tls("plain-to-tls", "location / { return 200 $scheme; }"),
        plain_to_tls(
            "plain-to-tls-redirected",
            "error_page 497 https://$host$request_uri; location / { return 200 $scheme; }",
        ),
        plain_to_tls(
            "plain-to-tls-page",
            "error_page 497 =200 @page; location @page { return 200 \"$scheme $status $uri $request_uri\"; }",
        ),
        entry("body-files")
            .http(ORIGIN)
            .server(format!("client_body_buffer_size 16; location / {{ {READS} }} location /file {{ client_body_in_file_only clean; {READS} proxy_set_header X-File $request_body_file; }} location /single {{ client_body_in_single_buffer on; {READS} }} location /big {{ client_body_buffer_size 1m; {READS} }}"))
            .mask("/temp/client_body/[0-9]+", "/temp/client_body/N")
            .asks(
                ["/", "/file", "/single", "/big"]
                    .iter()
                    .flat_map(|path| [0, 1, 15, 16, 17, 100, 3000].map(|length| format!("POST {path}\n\n{}", "b".repeat(length))))
                    .collect::<Vec<_>>(),
            ),
        mirrored_bodies(),
        mirrored_chunks(),
        body_timeouts(),
        entry("other-methods")
            .http(ORIGIN)
            .server(format!("location / {{ {READS} }} location /file/ {{ alias {{ROOT}}/html/; }} location /return {{ return 200 \"[$request_method]\"; }}"))
            .asks(
                ["GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "TRACE", "CONNECT", "PRI", "QUERY", "FOO", "A", "M-SEARCH", "_", "GET_", "VERYLONGMETHODNAMETHATNOBODYUSES"]
                    .iter()
                    .flat_map(|method| ["/", "/file/a.txt", "/return"].map(|path| format!("{method} {path}")))
                    .collect::<Vec<_>>(),
            ),
    ]
}

fn bodies() -> Entry {
    let mut entry = entry("bodies").http(ORIGIN).server(format!(
        "client_max_body_size 100; location / {{ {READS} }} location /none/ {{ client_max_body_size 0; {READS} }} location /ten/ {{ client_max_body_size 10; {READS} }} location /file/ {{ alias {{ROOT}}/html/; client_max_body_size 10; }} location /return {{ client_max_body_size 10; return 200 x; }}
         location /err/ {{ client_max_body_size 10; error_page 413 /a.txt; {READS} }} location /a.txt {{ root {{ROOT}}/html; }} location /err2/ {{ client_max_body_size 10; error_page 413 =200 @big; {READS} }} location @big {{ return 200 big; }} location /unbuffered/ {{ proxy_request_buffering off; {READS} }}"
    ));
    for place in ["", "none/", "ten/", "file/", "return", "err/", "err2/", "unbuffered/"] {
        for length in [0, 1, 10, 11, 100, 101] {
            entry = entry.ask(format!("POST /{place}\n\n{}", "b".repeat(length)));
        }
        entry = entry.keep([
            format!("POST /{place}\n\n{}", "b".repeat(5)),
            format!("POST /{place}\n\n{}", "b".repeat(11)),
            "/a.txt".to_owned(),
        ]);
    }
    for length in [
        "",
        "0",
        "00",
        "5",
        "05",
        "+5",
        "-5",
        "5 ",
        " 5",
        "5,5",
        "5, 5",
        "0x5",
        "5.0",
        "five",
        "99999999999999999999",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "5;",
        "5\t",
    ] {
        entry = entry.cut(format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\nbody5"
        ));
        entry = entry.cut(format!(
            "GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\nbody5"
        ));
    }
    entry
        .cut("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbo")
        .cut("POST /file/a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbo")
        .raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .raw("POST / HTTP/1.0\r\n\r\n")
        .raw("PUT / HTTP/1.1\r\nHost: x\r\n\r\n")
        .raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody and more")
        .raw("GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody and more")
        .parts([
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n",
            "01234",
            "56789",
        ])
        .parts([
            "POST /none/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na",
            "b",
            "cGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ])
}

fn chunked() -> Entry {
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
    };
    let mut entry = entry("chunked-bodies").http(ORIGIN).server(format!("client_max_body_size 100; location / {{ {READS} }} location /return {{ return 200 x; }} location /file/ {{ alias {{ROOT}}/html/; }} location /unbuffered {{ proxy_request_buffering off; {READS} }}"));
    for body in CHUNKED {
        entry = entry.cut(head("/") + body).cut(head("/return") + body);
    }
    for body in ["0\r\n\r\n", "4\r\nbody\r\n0\r\n\r\n", "x\r\n", "4\r\nbody\r\n0\r\nT: x\r\n\r\n"] {
        entry =
            entry.raw(head("/file/a.txt") + body).raw(head("/unbuffered") + body).raw(head("/return") + body);
    }
    for values in [
        "chunked",
        "Chunked",
        "CHUNKED",
        "chunked ",
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "",
        "x",
        "chunked;q=1",
        "\"chunked\"",
        "chunked\t",
        ",chunked",
        "chunke",
        "chunkedx",
    ] {
        entry = entry.cut(format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: {values}\r\n\r\n4\r\nbody\r\n0\r\n\r\n"));
        entry = entry.cut(format!("GET /file/a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: {values}\r\n\r\n4\r\nbody\r\n0\r\n\r\n"));
    }
    let long = format!("{:x}\r\n{}\r\n0\r\n\r\n", 101, "b".repeat(101));
    let just = format!("{:x}\r\n{}\r\n0\r\n\r\n", 100, "b".repeat(100));
    let twice = format!("{0:x}\r\n{1}\r\n{0:x}\r\n{1}\r\n0\r\n\r\n", 60, "b".repeat(60));
    entry
        .raws([head("/") + &long, head("/") + &just, head("/") + &twice, head("/unbuffered") + &just])
        .raw("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
        .raw("GET /file/a.txt HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
        .slowly(head("/") + "4;x=y\r\nbody\r\n2\r\nab\r\n0\r\nT: x\r\n\r\n")
        .parts([head("/"), "4\r\nbo".to_owned(), "dy\r\n0\r".to_owned(), "\n\r\n".to_owned()])
        .steps([
            Step::Send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nGET /file/a.txt HTTP/1.1\r\nHost: x\r\n\r\nPOST /return HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\nGET /file/b.txt HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
            Step::Read(4),
        ])
}

fn header_limits() -> Entry {
    let mut entry = entry("header-limits").server("client_header_buffer_size 256; large_client_header_buffers 2 512; location / { return 200 \"[$http_x][$request_length]\"; }");
    for length in [
        50, 100, 150, 180, 200, 210, 220, 230, 240, 250, 256, 300, 400, 450, 480, 490, 495, 500, 505, 510,
        512, 513, 520, 600, 900, 1000, 1024, 1100, 2000, 10_000,
    ] {
        entry = entry
            .ask(format!("/\nX: {}", "x".repeat(length)))
            .ask(format!("/{}", "x".repeat(length)))
            .ask(format!("/?{}", "x".repeat(length)))
            .ask(format!("/\n{}: x", "X".repeat(length)));
    }
    for (count, length) in [
        (2, 200),
        (3, 200),
        (4, 200),
        (5, 200),
        (6, 200),
        (2, 400),
        (3, 400),
        (2, 490),
        (10, 50),
        (30, 20),
        (100, 5),
        (20, 100),
    ] {
        let lines: String =
            (0..count).map(|number| format!("\nX-{number}: {}", "y".repeat(length))).collect();
        entry = entry.ask(format!("/{lines}"));
    }
    entry
        .ask(format!("/{}\nX: {}", "x".repeat(400), "x".repeat(400)))
        .ask(format!("/{}\nX: {}\nY: {}", "x".repeat(400), "x".repeat(400), "x".repeat(400)))
        .raw(format!("{} / HTTP/1.1\r\nHost: x\r\n\r\n", "M".repeat(300)))
        .raw(format!("GET /{}", "x".repeat(600)))
        .raw(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(600)))
        .keep([
            format!("/{}", "x".repeat(300)),
            "/".to_owned(),
            format!("/\nX: {}", "x".repeat(400)),
            "/".to_owned(),
        ])
        .pipeline([
            format!("/{}", "x".repeat(150)),
            format!("/{}", "x".repeat(150)),
            format!("/{}", "x".repeat(400)),
            "/".to_owned(),
        ])
        .slowly(format!(
            "GET /{} HTTP/1.1\r\nHost: x\r\nX: {}\r\nConnection: close\r\n\r\n",
            "x".repeat(60),
            "y".repeat(300)
        ))
}

/// The same requests, cut at every place.
fn split_sends() -> Entry {
    let mut entry =
        entry("split-sends").server("location / { return 200 \"[$request][$http_x][$request_length]\"; }");
    let text = "GET /a%20b?c=d HTTP/1.1\r\nHost: localhost\r\nX: some value\r\nConnection: close\r\n\r\n";
    for at in 1..text.len() {
        entry = entry.parts([&text[..at], &text[at..]]);
    }
    entry
        .slowly(text)
        .slowly("\r\n\r\nGET http://host:80/a HTTP/1.0\n\n")
        .slowly("GET /\r\n")
        .slowly("BAD /\r\n")
        .slowly("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\nConnection: close\r\n\r\n")
        .slowly("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        .parts([
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /se",
            "cond HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ])
}

fn proxy_protocol() -> Entry {
    let v2 = |command: u8, family: u8, address: &[u8]| -> Vec<u8> {
        let length = u16::try_from(address.len()).unwrap().to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, address].concat()
    };
    let get = request("/", true);
    let with = |start: &[u8]| [start, &get[..]].concat();
    let four = [1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0, 80];
    let six = [[0x20; 32].as_slice(), &[0x12, 0x34, 0, 80]].concat();
    let starts: Vec<Vec<u8>> = vec![
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
        b"PROXY TCP4 junk junk 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 junk 80\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 80\r\n".to_vec(),
        b"PROXY TCP5 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY\r\n".to_vec(),
        b"PROXY \r\n".to_vec(),
        b"proxy TCP4 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80\n".to_vec(),
        b"PROXY TCP4  1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        b"PROXY TCP4 256.2.3.4 5.6.7.8 1 80\r\n".to_vec(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 91], b"\r\n"].concat(),
        [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93], b"\r\n"].concat(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80 more\r\n".to_vec(),
        b"".to_vec(),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n".to_vec(),
        v2(1, 0x11, &four),
        v2(1, 0x21, &six),
        v2(0, 0x11, &four),
        v2(0, 0, &[]),
        v2(1, 0x00, &[]),
        v2(1, 0x11, &four[..8]),
        v2(1, 0x11, &[&four[..], &[4, 0, 1, 0, 3, 0, 4, 1, 2, 3, 4]].concat()),
        v2(1, 0x31, &[b'/'; 216]),
        v2(2, 0x11, &four),
        v2(1, 0x12, &four),
        v2(1, 0x21, &four),
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[0x31, 0x11, 0, 12], &four].concat(),
        v2(1, 0x51, &four),
        v2(1, 0x11, &[0; 600]),
    ];
    let mut entry = entry("proxy-protocol").server(
        "listen {ADDR}:{PORT2} proxy_protocol; location / { return 200 \"[$proxy_protocol_addr][$proxy_protocol_port][$proxy_protocol_server_addr][$proxy_protocol_server_port][$remote_addr]\"; }
         location /real { set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol; root {ROOT}/none; error_page 404 = @real; } location @real { return 200 \"[$remote_addr][$remote_port][$realip_remote_addr]\"; } location /port { return 200 \"[$server_addr][$server_port]\"; }",
    );
    for start in starts {
        entry = entry.cut(with(&start)).on(Listener::Port(1));
    }
    let too_long = format!("PROXY UNKNOWN {}", "x".repeat(93));
    entry
        .own_for(&too_long, "the specification allows lines of 107 bytes", "=== closed\n")
        .raw(with(b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n"))
        .on(Listener::Port(0))
        .raw(
            [
                b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(),
                request("/", false),
                request("/real", false),
                request("/port", true),
            ]
            .concat(),
        )
        .on(Listener::Port(1))
        .parts([b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n".to_vec(), get.clone()])
        .on(Listener::Port(1))
        .parts([b"PROXY TCP4 1.2.3.4 5.6.".to_vec(), [b"7.8 1111 80\r\n".to_vec(), get.clone()].concat()])
        .on(Listener::Port(1))
        .own(
            "nginx refuses a header that comes in two packets",
            "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 39\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\n\
             [1.2.3.4][1111][5.6.7.8][80][127.0.0.1](no line end)\n=== closed\n",
        )
        .parts([v2(1, 0x11, &four), get.clone()])
        .on(Listener::Port(1))
        .cut("PROXY TC")
        .on(Listener::Port(1))
}

/// What stands after the addresses of the PROXY protocol's second version.
fn tlvs() -> Entry {
    let tlv = |kind: u8, value: &[u8]| [&[kind, 0, u8::try_from(value.len()).unwrap()], value].concat();
    let ssl = [&[1, 0, 0, 0, 0][..], &tlv(0x21, b"TLSv1.2"), &tlv(0x22, b"example.com")].concat();
    let body = [
        &[1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0, 80][..],
        &tlv(1, b"h2"),
        &tlv(2, b"host.example"),
        &tlv(5, b"id"),
        &tlv(0xea, b"own"),
        &tlv(0x20, &ssl),
    ]
    .concat();
    let start =
        [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body]
            .concat();
    entry("proxy-protocol-tlv")
        .newer("nginx has the variables since 1.23.2")
        .server(
            "listen {ADDR}:{PORT2} proxy_protocol;
             return 200 \"[$proxy_protocol_tlv_alpn][$proxy_protocol_tlv_authority][$proxy_protocol_tlv_unique_id][$proxy_protocol_tlv_0xea][$proxy_protocol_tlv_0x02][$proxy_protocol_tlv_netns][$proxy_protocol_tlv_ssl_version][$proxy_protocol_tlv_ssl_cn][$proxy_protocol_tlv_ssl_verify]\";",
        )
        .raw([&start[..], &request("/", true)].concat())
        .on(Listener::Port(1))
        .own(
            "nginx has the variables since 1.23.2",
            "\
HTTP/1.1 200 OK
Connection: close
Content-Length: 68
Content-Type: text/plain
Date: DATE
Server: PRODUCT

[h2][host.example][id][own][host.example][][TLSv1.2][example.com][0](no line end)
=== closed
",
        )
}

/// Reads bodies without a proxy: a copy for `mirror` has the body, and its log tells it.
const MIRRORED: &str = "mirror /copy; alias {ROOT}/html/;";

/// Entries whose logs tell bodies.
fn body_log(name: &'static str, server: &str) -> Entry {
    entry(name)
        .http(
            "log_format {NAME} '$uri $request_method $status length=$request_length sent=$body_bytes_sent declared=$content_length [$request_body] file=$request_body_file done=$request_completion';",
        )
        .server("log_subrequest on; access_log logs/{NAME}.log against; access_log logs/{NAME}_bodies.log {NAME}; location = /copy { internal; return 204; }")
        .server(server)
        .mask("file=[^ ]*/temp/client_body/[0-9]+", "file=N")
        // Pages differ in the name of the server.
        .mask("sent=[0-9]+", "sent=N")
        .mask("body=[0-9]{3,}", "body=N")
}

fn mirrored_bodies() -> Entry {
    let mut entry = body_log(
        "mirrored-request-bodies",
        &format!(
            "location /a {{ client_body_buffer_size 16; {MIRRORED} }} location /ten/ {{ client_max_body_size 10; {MIRRORED} }}
             location /file/ {{ client_body_in_file_only clean; {MIRRORED} }} location /single/ {{ client_body_in_single_buffer on; client_body_buffer_size 16; {MIRRORED} }}
             location /off/ {{ mirror_request_body off; {MIRRORED} }} location /two/ {{ mirror /copy; {MIRRORED} }}
             location /error/ {{ client_max_body_size 10; error_page 413 /a; {MIRRORED} }} location /error-text/ {{ client_max_body_size 10; error_page 413 =200 @text; {MIRRORED} }}
             location @text {{ return 200 \"[$request_body][$content_length]\"; }}
             location /before/ {{ set $x $request_body; {MIRRORED} }} location /auth/ {{ auth_request /copy; {MIRRORED} }}
             location /again/ {{ error_page 405 =200 @text; {MIRRORED} }} location /return {{ mirror /copy; return 200 x; }}",
        ),
    );
    for place in [
        "a",
        "ten/",
        "file/",
        "single/",
        "off/",
        "two/",
        "error/",
        "error-text/",
        "before/",
        "auth/a.txt",
        "again/",
        "return",
    ] {
        for length in [0, 4, 11, 3000] {
            entry = entry.ask(format!("POST /{place}\n\n{}", "b".repeat(length)));
        }
        entry = entry.ask(format!("GET /{place}")).keep([format!("POST /{place}\n\nbody"), "/a".to_owned()]);
        entry = entry.ask(format!("POST /{place}\nExpect: 100-continue\n\nbody"));
    }
    // What comes behind the head, and the sizes at which a body goes to a file.
    for length in [15, 16, 19, 20, 21, 40] {
        let head =
            format!("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let asking = head.replace("Connection: close", "Connection: close\r\nExpect: 100-continue");
        entry = entry
            .steps([
                Step::Send(asking.into_bytes()),
                Step::Interim,
                Step::Send("b".repeat(length).into_bytes()),
                Step::Read(1),
            ])
            .parts([head + "b", "b".repeat(length - 1)]);
    }
    entry
        .cut("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbo")
        .cut("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        .cut("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .slowly("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nbody5")
        .raw("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody and more")
        .parts([
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na",
            "b",
            "cGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ])
        .steps([
            Step::Send(
                b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".to_vec(),
            ),
            Step::Interim,
            Step::Send(b"body".to_vec()),
            Step::Read(1),
        ])
}

fn mirrored_chunks() -> Entry {
    let mut entry = body_log(
        "mirrored-chunked-bodies",
        &format!(
            "location /a {{ client_body_buffer_size 16; {MIRRORED} }} location /ten/ {{ client_max_body_size 10; {MIRRORED} }}
             location /file/ {{ client_body_in_file_only clean; {MIRRORED} }} location /text/ {{ mirror /copy; error_page 404 405 413 =200 @text; alias {{ROOT}}/html/; }}
             location @text {{ return 200 \"[$request_body][$content_length]\"; }} location /return {{ return 200 x; }}",
        ),
    );
    let head = |place: &str| {
        format!(
            "POST /{place} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
    };
    for body in CHUNKED {
        entry = entry.cut(head("a") + body).cut(head("ten/") + body);
    }
    for body in [
        "0\r\n\r\n",
        "4\r\nbody\r\n0\r\n\r\n",
        "b\r\n0123456789a\r\n0\r\n\r\n",
        "6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n",
        "x\r\n",
    ] {
        for place in ["a", "ten/", "file/", "text/"] {
            // What came with the head counts differently in an error: the body is sent when it is asked for.
            let asking =
                head(place).replace("Connection: close", "Connection: close\r\nExpect: 100-continue");
            entry = entry.raw(head(place) + body).steps([
                Step::Send(asking.into_bytes()),
                Step::Interim,
                Step::Send(body.into()),
                Step::Read(1),
            ]);
            if body == "x\r\n" || place == "ten/" || (place == "a" && body.len() > 16) {
                continue;
            }
            let next = format!("{body}GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let open = head(place).replace("close", "x");
            entry = entry
                .parts([head(place), body.to_owned()])
                .slowly(head(place) + body)
                .raw(open.clone() + &next)
                .parts([open, next]);
        }
    }
    // What belongs to the next request counts only if it comes with the head.
    for body in ["0\r\n\r\n", "4\r\nbody\r\n0\r\n\r\n", "x\r\n"] {
        let next = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        entry =
            entry.raw(head("return") + body).raw(head("return").replace("close", "x") + body + next).steps([
                Step::Send(head("return").replace("close", "x").into_bytes()),
                Step::Read(1),
                Step::Send(format!("{body}{next}").into_bytes()),
                Step::Read(1),
            ]);
    }
    let long = |length: usize| format!("{length:x}\r\n{}\r\n0\r\n\r\n", "b".repeat(length));
    entry
        .raw(head("a") + &long(5000))
        .raw(head("file/") + &long(50_000))
        .raw(head("ten/") + &long(50_000))
        .raw(format!("{}4;{}\r\nbody\r\n0\r\n\r\n", head("file/"), "x".repeat(100_000)))
        .raw(format!("{}4\r\nbody\r\n0\r\n{}\r\n", head("file/"), "X-Trailer: value\r\n".repeat(5000)))
        .raw(format!("{}{}4\r\nbody\r\n0\r\n\r\n", head("file/"), "0".repeat(50_000)))
}

fn body_timeouts() -> Entry {
    let post = |place: &str, rest: &str| format!("POST /{place} HTTP/1.1\r\nHost: x\r\n{rest}").into_bytes();
    let mut entry = body_log(
        "mirrored-body-timeouts",
        &format!(
            "location /short/ {{ client_body_timeout 300ms; {MIRRORED} }} location /none/ {{ client_body_timeout 0; {MIRRORED} }}"
        ),
    );
    for rest in [
        "Content-Length: 5\r\n\r\nbo",
        "Content-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nbo",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5;x",
    ] {
        entry = entry
            .steps([Step::Send(post("short/", rest)), Step::Read(1)])
            .steps([Step::Send(post("none/", rest)), Step::Read(1)]);
    }
    // Each byte begins the time anew.
    entry.steps(
        [Step::Send(post("short/", "Connection: close\r\nContent-Length: 20\r\n\r\n"))]
            .into_iter()
            .chain((0..20).flat_map(|_| [Step::Send(b"x".to_vec()), Step::Pause]))
            .chain([Step::Read(1)])
            .collect::<Vec<_>>(),
    )
}

/// Bodies in chunks, right and wrong ones.
const CHUNKED: &[&str] = &[
    "0\r\n\r\n",
    "4\r\nbody\r\n0\r\n\r\n",
    "4\r\nbody\r\n5\r\nbody5\r\n0\r\n\r\n",
    "04\r\nbody\r\n0\r\n\r\n",
    "0000000000000000004\r\nbody\r\n0\r\n\r\n",
    "a\r\n0123456789\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n0\r\n\r\n",
    "4;ext\r\nbody\r\n0\r\n\r\n",
    "4;ext=val\r\nbody\r\n0;x\r\n\r\n",
    "4;ext=\"q;\r\n\"\r\nbody\r\n0\r\n\r\n",
    "4 \r\nbody\r\n0\r\n\r\n",
    "4\t\r\nbody\r\n0\r\n\r\n",
    " 4\r\nbody\r\n0\r\n\r\n",
    "4 ;x\r\nbody\r\n0\r\n\r\n",
    "4\nbody\n0\n\n",
    "4\nbody\r\n0\r\n\r\n",
    "4\r\nbody\n0\r\n\r\n",
    "4\r\nbody\r\n0\n\r\n",
    "4\r\nbody\r\n0\r\n\n",
    "4\r\nbodyX\r\n0\r\n\r\n",
    "4\r\nbo\r\n0\r\n\r\n",
    "5\r\nbody\r\n0\r\n\r\n",
    "x\r\nbody\r\n0\r\n\r\n",
    "0x4\r\nbody\r\n0\r\n\r\n",
    "-4\r\nbody\r\n0\r\n\r\n",
    "+4\r\nbody\r\n0\r\n\r\n",
    "4,\r\nbody\r\n0\r\n\r\n",
    "\r\n4\r\nbody\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nbody",
    "fffffffffffffffff\r\nbody",
    "7fffffffffffffff\r\nbody",
    "8000000000000000\r\nbody",
    "65\r\nbody",
    "4\r\nbody\r\n0\r\nX-Trailer: a\r\n\r\n",
    "4\r\nbody\r\n0\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n",
    "4\r\nbody\r\n0\r\nContent-Length: 5\r\n\r\n",
    "4\r\nbody\r\n0\r\nno colon\r\n\r\n",
    "4\r\nbody\r\n0\r\n: x\r\n\r\n",
    "4\r\nbody\r\n0\r\nX: a\n\n",
    "4\r\nbody\r\n0\r\n\rX",
    "4\r\nbody\r\n",
    "4\r\nbody",
    "4\r\n",
    "4",
    "",
    "0\r\n",
    "4;\r\nbody\r\n0\r\n\r\n",
    "4\r\nbody\r\r\n0\r\n\r\n",
    "4\r\r\nbody\r\n0\r\n\r\n",
    "g\r\n",
    "4\0\r\nbody\r\n0\r\n\r\n",
    "4;a\nb\r\nbody\r\n0\r\n\r\n",
    "4;a\rb\r\nbody\r\n0\r\n\r\n",
];
/// Requests without TLS where TLS is spoken.
fn plain_to_tls(name: &'static str, lines: &str) -> Entry {
    let tls = "listen {ADDR}:{PORT2} ssl; ssl_certificate {DIR}/tls.crt; ssl_certificate_key {DIR}/tls.key;";
    let requests = [
        request("/a.txt?b=c", false),
        request("/a.txt\nHost: other", false),
        request("HEAD /a.txt", false),
        request("POST /a.txt\n\nbody", false),
        b"GET /a.txt HTTP/1.1\r\n\r\n".to_vec(),
        b"GET /a.txt\r\n".to_vec(),
        b"BAD\r\n\r\n".to_vec(),
        b"\r\n".to_vec(),
        b"\x16\x03\x01\0\x01x".to_vec(),
        Vec::new(),
    ];
    let entry = entry(name)
        .file("tls.crt", include_bytes!("../../tls/origin.crt").to_vec())
        .file("tls.key", include_bytes!("../../tls/origin.key").to_vec())
        .server(format!("{tls} {lines} root {{ROOT}}/html;"));
    requests.into_iter().fold(entry, |entry, bytes| entry.cut(bytes).on(Listener::Port(1)))
}

/// Empty lines between the requests of a connection, and silence after them.
fn empty_lines() -> Entry {
    let mut entry = entry("empty-lines")
        .server("keepalive_timeout 1s; client_header_timeout 1s; location / { root {ROOT}/html; }");
    for line in ["\r\n", "\n", "\r", "\r\n\r\n", "\n\n\n\r\n"] {
        let first = request("/a.txt", false);
        let second = request("/b.txt", true);
        let send = |bytes: &[u8]| Step::Send(bytes.to_vec());
        entry = entry
            .steps([
                send(&first),
                Step::Read(1),
                send(line.as_bytes()),
                Step::Pause,
                send(&second),
                Step::Read(1),
            ])
            .steps([
                send(&[&first, line.as_bytes()].concat()),
                Step::Read(1),
                Step::Pause,
                send(&second),
                Step::Read(1),
            ])
            .steps([send(&first), Step::Read(1), send(line.as_bytes()), Step::Pause, Step::Shut])
            .steps([send(&[&first, line.as_bytes()].concat()), Step::Read(2)])
            .steps([send(line.as_bytes()), Step::Read(1)]);
    }
    entry
}

/// What follows a line that is refused comes after the response: closing at once would reset the connection before the client
/// has read it.
fn rest_of_bad_heads() -> Entry {
    let starts = [
        "GET / HTTP/1.1\r\nHost: x\r\nbad line: 1\r\n",
        "BAD\t\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n",
        "GET / HTTP/9.1\r\n",
    ];
    starts.into_iter().fold(entry("rest-of-bad-heads").server("root {ROOT}/html;"), |entry, start| {
        let rest = || [Step::Pause, Step::Send("More: 1\r\n".repeat(200).into_bytes())];
        let steps = [Step::Send(start.into())].into_iter().chain(rest()).chain(rest()).chain(rest());
        entry.steps(steps.chain([Step::Pause, Step::Read(1)]).collect::<Vec<_>>())
    })
}
