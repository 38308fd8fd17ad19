//! Connections: keep-alive, request bodies, limits of heads and bodies, timeouts, the PROXY protocol.

mod bodies;
mod mirrored;
mod proxy_protocol;

use self::bodies::{bodies, chunked, header_limits, split_sends};
use self::mirrored::{body_timeouts, mirrored_bodies, mirrored_chunks};
use self::proxy_protocol::{proxy_protocol, tlvs};
use crate::entry::{Entry, Listener, Step, entry, request};

/// A server that tells what it got, behind the entry's own.
const ORIGIN: &str = "server { listen {ADDR}:{PORT2}; client_max_body_size 0; location / { return 200 \"[$request_method][$http_content_length][$http_transfer_encoding][$http_x_body][$http_expect]\"; } }";

/// Makes the entry's server read the body.
const READS: &str = "proxy_pass http://{ADDR}:{PORT2}; proxy_http_version 1.1; proxy_set_header X-Body \"$request_body\"; proxy_set_header Connection ''; proxy_ignore_client_abort on;";

pub fn entries() -> Vec<Entry> {
    vec![
        entry("post-action-without-the-body")
            .mask("body=[0-9]+ sent=~?[0-9]+", "body=N sent=N")
            .server("location / { root {ROOT}/html; post_action /after; } location /after { internal; proxy_pass http://{BACKEND}; }")
            .keep(["POST /none\n\nabc", "/a.txt"])
            .keep(["/a.txt\nContent-Length: 3\n\nabc", "/a.txt"]),
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
        entry("keep-alive-limits-by-location")
            .server(
                "keepalive_requests 1; error_page 403 /e; location / { alias {ROOT}/html/; keepalive_requests 3; } location = /one { return 204; }
                 location = /e { keepalive_requests 3; return 200 e; } location /to { keepalive_requests 3; rewrite ^ /e last; } location /403 { keepalive_requests 3; return 403; }
                 location @n { keepalive_requests 3; return 200 n; } location /n { keepalive_requests 3; error_page 404 = @n; return 404; }",
            )
            .keep(["/a.txt", "/a.txt", "/a.txt", "/a.txt"])
            .keep(["/one", "/a.txt"])
            .keep(["/e", "/a.txt"])
            .keep(["/to", "/a.txt"])
            .keep(["/403", "/a.txt"])
            .keep(["/n", "/a.txt"])
            .keep(["POST /n\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\n\nx", "/a.txt"]),
        entry("keep-alive-of-a-server").server("keepalive_requests 1; return 204;").keep(["/", "/", "/"]),
        entry("keep-alive-off-for-a-server").server("keepalive_timeout 0; return 204;").keep(["/", "/"]),
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
        .file("tls.crt", include_bytes!("../../../tls/origin.crt").to_vec())
        .file("tls.key", include_bytes!("../../../tls/origin.key").to_vec())
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
