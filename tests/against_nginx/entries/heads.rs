//! Heads that are not what they should be, and the shapes of request smuggling.

use crate::entry::{Entry, entry};
use crate::support::raw::Random;

/// The rest of a request after its first line.
const REST: &str = "\r\nHost: x\r\nConnection: close\r\n\r\n";

pub fn entries() -> Vec<Entry> {
    let show = "location / { return 200 \"[$request_method][$uri][$args][$request_uri][$server_protocol][$host][$http_x][$request]\"; } location /file/ { alias {ROOT}/html/; }";
    vec![
        lines_of_bad_heads(),
        entry("named-pages-of-bad-requests")
            .server(
                "error_page 400 405 414 494 = @named; error_page 501 @none; large_client_header_buffers 2 1k;
                 location @named { return 200 \"named $uri $status\"; }
                 location / { root {ROOT}/html; }",
            )
            .asks(["POST /a.txt\n\nx", "POST /a.txt\nTransfer-Encoding: x\n\n"])
            .raw(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(2000)))
            .raw(format!("GET /a.txt HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(2000)))
            .raws(["BAD\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /../.. HTTP/1.1\r\nHost: x\r\n\r\n"]),
        lines(show),
        headers(show),
        entry("invalid-headers-kept").server(format!("ignore_invalid_headers off; {show}")).raws(odd_headers()),
        entry("underscores-on").server(format!("underscores_in_headers on; {show} location /u {{ return 200 \"[$http_x_y][$http_a_b]\"; }}")).raws(odd_headers()).asks(["/u\nX_Y: 1", "/u\nX-Y: 1", "/u\nX-Y: 1\nA_B: 2", "/u\nA_B: 2\nX-Y: 1", "/u\n_x: 1", "/u\nA_B: 1"]),
        entry("underscores-off").server("location /u { return 200 \"[$http_x_y][$http_a_b]\"; }").asks(["/u\nX_Y: 1", "/u\nX-Y: 1", "/u\nX-Y: 1\nX_Y: 2", "/u\nX_Y: 2\nX-Y: 1", "/u\n_x: 1", "/u\nA_B: 1"]),
        entry("underscores-and-invalid").server("ignore_invalid_headers off; underscores_in_headers off; location / { return 200 \"[$http_x_y][$http_x]\"; }").asks(["/\nX_Y: 1", "/\nX.Y: 1", "/\nX@Y: 1"]).raws(odd_headers()),
        targets(show),
        smuggling(),
        generated(show),
        entry("huge-heads")
            .server(show)
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000)))
            .raw(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(100_000)))
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", format!("X: {}\r\n", "y".repeat(100)).repeat(900)))
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\n{}: y\r\n\r\n", "X".repeat(100_000)))
            .raw(format!("{} / HTTP/1.1\r\nHost: x\r\n\r\n", "M".repeat(100_000)))
            .raw(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(100_000)))
            .raw("x".repeat(100_000))
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", "Z: y\r\n".repeat(500)))
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {}\r\n\r\n", "y".repeat(7000)))
            // One more is refused by some updates of Debian's nginx and not by others; a test of the head's parser has it.
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", "Z: y\r\n".repeat(998)))
            .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n", "X_: y\r\n".repeat(1100)))
            .raw(format!("GET /?{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "y".repeat(7000)))
            .raw(format!("{}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "\r\n".repeat(100)))
            .raw(format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "%41".repeat(2000))),
    ]
}

fn lines(show: &str) -> Entry {
    let mut entry = entry("request-lines").server(show);
    for line in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET / HTTP/1.9",
        "GET / HTTP/1.10",
        "GET / HTTP/1.99",
        "GET / HTTP/1.100",
        "GET / HTTP/1.999",
        "GET / HTTP/0.9",
        "GET / HTTP/0.1",
        "GET / HTTP/2.0",
        "GET / HTTP/2",
        "GET / HTTP/3.0",
        "GET / HTTP/9.9",
        "GET / HTTP/10.0",
        "GET / HTTP/01.1",
        "GET / HTTP/1.01",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/.1",
        "GET / HTTP/",
        "GET / HTTP",
        "GET / http/1.1",
        "GET / Http/1.1",
        "GET / HTTP 1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.1  ",
        "GET / HTTP/1.1 x",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1.1x",
        "GET / HTTP/a.b",
        "GET / HTTPS/1.1",
        "GET / ICY/1.0",
        "GET / HTTP/-1.1",
        "GET / HTTP/1,1",
        "GET  / HTTP/1.1",
        "GET   /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "\tGET / HTTP/1.1",
        "GET / a HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /a  b HTTP/1.1",
        "GET /a b c HTTP/1.0",
        "GET /a HTTP/1.1 HTTP/1.1",
        "GET / HTTP/1.1HTTP/1.1",
        "GET",
        "GET ",
        "GET /",
        "GET / ",
        "/",
        "",
        "GET HTTP/1.1",
        "GET HTTP/1.1 HTTP/1.1",
        "/ HTTP/1.1",
        " / HTTP/1.1",
        "get / HTTP/1.1",
        "Get / HTTP/1.1",
        "GeT / HTTP/1.1",
        "G-T / HTTP/1.1",
        "G_T / HTTP/1.1",
        "G1T / HTTP/1.1",
        "GET1 / HTTP/1.1",
        "G\u{e4}T / HTTP/1.1",
        "GET\0 / HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET / HTTP/1.1\0",
        "\0GET / HTTP/1.1",
        "GET / HT\0TP/1.1",
        "GET /a\rb HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "GET /\x1f HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET / \rHTTP/1.1",
        "PUT / HTTP/1.1",
        "FOO / HTTP/1.1",
        "A / HTTP/1.1",
        "POST/ HTTP/1.1",
        "GET/ HTTP/1.1",
        "GET.. / HTTP/1.1",
        "GET, / HTTP/1.1",
        "GET: / HTTP/1.1",
        "GET a HTTP/1.1",
        "GET ?a HTTP/1.1",
        "GET #a HTTP/1.1",
        "GET \\ HTTP/1.1",
        "GET ./ HTTP/1.1",
        "GET ../ HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "CONNECT a:80 HTTP/1.1",
        "HEAD /",
        "POST /",
        "GET /file/a.txt",
        "GET /none-such/../file/a.txt",
        "GET /\\ HTTP/1.1",
        "GET /\" HTTP/1.1",
        "GET /<> HTTP/1.1",
        "GET /{} HTTP/1.1",
        "GET /| HTTP/1.1",
    ] {
        entry = entry.cut(format!("{line}{REST}")).cut(format!("{line}\n\n"));
    }
    for start in ["\r\n", "\n", "\r", "\r\r\n", "\n\r\n", " ", " \r\n", "\0", "\u{feff}", "x"] {
        entry = entry.cut(format!("{start}GET / HTTP/1.1{REST}"));
    }
    for end in [
        "\r\n\r\n",
        "\n\n",
        "\r\n\n",
        "\n\r\n",
        "\r\r",
        "\r\r\n\r\n",
        "\r\n\r\r\n",
        "\n\r\r\n",
        "\r\n \r\n\r\n",
        "\r\nHost: x\n\n",
        "\r\nHost: x\r\r\n\r\n",
        "\nHost: x\n\r\n",
        "\r\nHost: x\r\n\rX\r\n\r\n",
        "\r\nHost: x\rY: z\r\n\r\n",
        "\r\n\tHost: x\r\n\r\n",
    ] {
        entry = entry.cut(format!("GET / HTTP/1.1{end}")).cut(format!("GET / HTTP/1.0{end}"));
    }
    entry
        .raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n".to_vec())
        .raw(b"\x80\x2e\x01\x03\x01\x00\x15\r\n".to_vec())
        .raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec())
        .raw(b"\x04\x01\x00\x50\r\n".to_vec())
        .raw("SSH-2.0-x\r\n")
        .raw("EHLO x\r\n")
        .raw("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.2\r\nHost: x\r\n\r\nGET / HTTP/3.0\r\n\r\n")
}

/// Requests with one odd header line.
fn odd_headers() -> Vec<Vec<u8>> {
    let lines: Vec<Vec<u8>> = [
        "X: 1",
        "X:1",
        "X : 1",
        "X\t: 1",
        " X: 1",
        "\tX: 1",
        "X",
        "X ",
        ":",
        ": 1",
        ":1",
        "X:",
        "X: ",
        "X:  1  ",
        "X:\t1\t",
        "X Y: 1",
        "X\tY: 1",
        "X_Y: 1",
        "X.Y: 1",
        "X@Y: 1",
        "X/Y: 1",
        "X(Y): 1",
        "X\"Y: 1",
        "X[Y]: 1",
        "X=Y: 1",
        "X,Y: 1",
        "X;Y: 1",
        "X{Y}: 1",
        "\u{e4}: 1",
        "X: \u{e4}",
        "X: a\tb",
        "X: a\r b",
        "X: a\rb",
        "X: 1\r",
        "X: \"a",
        "X:: 1",
        "X: 1: 2",
        "X: 1\r\n folded",
        "X: 1\r\n\tfolded",
        "X: 1\n folded",
        "X: 1\r\n \r\n",
        "-: 1",
        "_: 1",
        "1: 1",
        "X-: 1",
        "-X: 1",
        "GET / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "X: 1\nY: 2",
        "!#$%&'*+.^`|~: 1",
        "X\r: 1",
        "X\r\n: 1",
        "X: 1\r\n\r",
        "Host",
        "Host x",
        "Content-Length",
        "Connection",
        "X\u{7f}: 1",
        "X: \u{7f}",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .chain([
        b"X\0: 1".to_vec(),
        b"X: a\0b".to_vec(),
        b"\0: 1".to_vec(),
        b"X\x01: 1".to_vec(),
        b"X: \x01".to_vec(),
        b"X: \xff".to_vec(),
        b"X\xff: 1".to_vec(),
        b"X: a\x0bb".to_vec(),
        b"X: a\x0cb".to_vec(),
    ])
    .collect();
    lines
        .iter()
        .flat_map(|line| {
            [
                [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", &line[..], b"\r\n\r\n"].concat(),
                [b"GET / HTTP/1.1\r\n", &line[..], b"\r\nHost: x\r\nConnection: close\r\n\r\n"].concat(),
            ]
        })
        .collect()
}

fn headers(show: &str) -> Entry {
    let mut entry = entry("header-lines").server(show).raws(odd_headers());
    for name in [
        "Host",
        "Connection",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "If-Match",
        "If-None-Match",
        "User-Agent",
        "Referer",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Range",
        "If-Range",
        "Transfer-Encoding",
        "TE",
        "Expect",
        "Upgrade",
        "Accept-Encoding",
        "Via",
        "Authorization",
        "Keep-Alive",
        "X-Forwarded-For",
        "X-Real-IP",
        "Accept",
        "Accept-Language",
        "Depth",
        "Destination",
        "Overwrite",
        "Date",
        "Cookie",
        "X",
    ] {
        for values in [["a", "b"], ["a", "a"], ["", "a"], ["a", ""]] {
            entry = entry.cut(format!("GET /file/a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: {}\r\n{name}: {}\r\n\r\n", values[0], values[1]));
        }
        entry =
            entry.cut(format!("GET /file/a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}:\r\n\r\n"));
    }
    entry
        .raws([
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHOST: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        ])
        .raws([
            "GET http://a/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
        ])
}

fn targets(show: &str) -> Entry {
    let mut entry = entry("targets").server(format!("{show} location /m {{ return 200 \"[$uri]\"; }}"));
    for target in [
        "/%",
        "/%4",
        "/%41",
        "/%4g",
        "/%g4",
        "/%%41",
        "/%2541",
        "/%00",
        "/a%00b",
        "/%0a",
        "/%0d%0a",
        "/%01",
        "/%7f",
        "/%80",
        "/%ff",
        "/%20",
        "/%3f",
        "/%3fa?b",
        "/%23",
        "/%2f",
        "/%2F%2f",
        "/%5c",
        "/%2e",
        "/%2e%2e",
        "/%2e%2e/a",
        "/a/%2e%2e",
        "/a/%2e%2e/",
        "/a/..",
        "/a/../",
        "/..",
        "/../",
        "/../../a",
        "/./",
        "/.",
        "/a/.",
        "/a/./b",
        "/...",
        "/a/...",
        "/.../",
        "/..a",
        "/a..",
        "/.a",
        "/a.",
        "//",
        "///",
        "//a",
        "/a//",
        "/a//b",
        "/a///b",
        "/a/.//b",
        "/a//../b",
        "/a/..//b",
        "/a/../..",
        "/a/../../b",
        "/a/b/../../..",
        "/a?b/../c",
        "/?",
        "/??",
        "/?a?b",
        "/?a#b",
        "/#",
        "/#a",
        "/a#b",
        "/a#b?c",
        "/a?b#c",
        "/a#?",
        "/a%23b",
        "/+",
        "/a+b",
        "/;",
        "/a;b",
        "/:",
        "/a:b",
        "/@",
        "/a@b",
        "/&",
        "/=",
        "/$",
        "/!",
        "/*",
        "/'",
        "/(",
        "/~",
        "/~a",
        "/a~",
        "/^",
        "/`",
        "/[",
        "/]",
        "/\u{e4}",
        "/%c3%a4",
        "/%C3%A4",
        "/%c3",
        "/a%2fb/../c",
        "/a/..%2fc",
        "/a/%2e.%2fc",
        "/a%2f%2e%2e%2fc",
        "/a/.%2e/b",
        "/a/%252e%252e/b",
        "/%u0041",
        "/a/;/b",
        "/a/..;/b",
        "/a\\b",
        "/a\\..\\b",
        "/..\\a",
        "/%2e%2e%5ca",
        "/a?%00",
        "/a?%",
        "/a?%zz",
        "/a?b c",
        "/a b?c",
        "/m//n",
        "/m/./n",
        "/m/../m",
        "/m%2fn",
        "/m?x=/../..",
        "/file/../file/a.txt",
        "/file/./a.txt",
        "/file//a.txt",
        "/file/%61.txt",
        "/file/a.txt?",
        "/file/a.txt#x",
        "/file/a%2etxt",
        "/file/dir/../a.txt",
        "/file/none/../a.txt",
        "/file/..",
        "/file/.",
        "/file/a.txt/..",
        "/file/a.txt/.",
    ] {
        entry = entry.raw(format!("GET {target} HTTP/1.1{REST}"));
    }
    entry
}

fn smuggling() -> Entry {
    let mut entry = entry("smuggling")
        .http("server { listen {ADDR}:{PORT2}; location / { return 200 \"[$request_method][$uri][$http_x_body]\"; } }")
        .server("location / { proxy_pass http://{ADDR}:{PORT2}; proxy_set_header X-Body $request_body; proxy_ignore_client_abort on; } location /file/ { alias {ROOT}/html/; } location /return { return 200 \"[$uri]\"; }");
    let second = "GET /return/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let shapes = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-length: 0",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5",
        "Transfer-Encoding : chunked\r\nContent-Length: 5",
        "Transfer-Encoding\r\n : chunked\r\nContent-Length: 5",
        " Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:\u{b}chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding:chunked",
        "Transfer-Encoding: \r\n chunked\r\nContent-Length: 5",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer_Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5",
        "X: y\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nX: y\r\n\tContent-Length: 6",
        "Content-Length : 5",
        "Content-Length: +5",
        "Content-Length: 5\r\n 0",
        "Content_Length: 5",
        "Content-Length:5",
        "Content-Length: 5\u{b}",
        "Content-Length: \r\nContent-Length: 5",
        "Foo: bar\r\n\r\nGET /return/x HTTP/1.1\r\nHost: x",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
        "Connection: Content-Length\r\nContent-Length: 5",
        "Content-Length: 00000000000000000000000000000005",
    ];
    for shape in shapes {
        for path in ["/", "/file/a.txt", "/return"] {
            for (method, body) in
                [("POST", "0\r\n\r\n"), ("POST", "5\r\nabcde\r\n0\r\n\r\n"), ("GET", "0\r\n\r\n")]
            {
                entry = entry
                    .cut(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{shape}\r\n\r\n{body}{second}"));
            }
        }
        entry = entry.cut(format!(
            "POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n{shape}\r\n\r\n0\r\n\r\n{second}"
        ));
    }
    entry
}

/// The error log, from `info` on, of heads that are refused.
fn lines_of_bad_heads() -> Entry {
    let long = "a".repeat(3000);
    let mut entry = entry("lines-of-bad-heads")
        .unlike_errors("of the header lines that are left out the first is named", "also[(]left")
        .unlike_errors("what comes behind a refused head is not logged", r"recv[(][)] failed|closed keepalive")
        .server(
            "error_log logs/{NAME}.errors info; large_client_header_buffers 2 1k; client_header_buffer_size 512;
             location / { return 200 x; }",
        );
    for line in [
        "GET",
        "GT! /",
        "GET / HTTP/3.0",
        "GET / HTTP/1.x",
        "GET / FTP/1.0",
        "PRI * HTTP/2.0",
        "CONNECT a:1 HTTP/1.1",
        "get / HTTP/1.1",
        "GET http:/x HTTP/1.1",
        "GET /%zz HTTP/1.1",
        "GET /../.. HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "\x16\x03\x01\x02",
        "POST /",
    ] {
        entry = entry.raw(format!("{line}\r\nHost: x\r\n\r\n"));
    }
    entry = entry.raw(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).raw("GET / HTTP/1.1\r\n\r\n");
    for headers in [
        "Host: a b",
        "Host: x\r\nHost: y",
        "Host: x\r\nbad header",
        "Host: x\r\nbad\x01: header",
        "Host: x\r\na: b\rc",
        "Host: x\r\na: \0",
        "Host: x\r\n: a",
        "Host: x\r\nContent-Length: y",
        "Host: x\r\nContent-Length: 1\r\nContent-Length: 2",
        "Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "Host: x\r\nTransfer-Encoding: gzip",
        "Host: ",
        "Host: x\r\nUser-Agent: a\r\nuser-agent: b",
        "Host: x\r\nleft{out: 1\r\nalso(left: 2",
        "Host: x\r\nReferer: http://r/\r\nTransfer-Encoding: y",
    ] {
        entry = entry.raw(format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n"));
    }
    entry
        .raw("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        .raw("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n")
        .raw(format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n"))
        .raw(format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(600)))
        .cut("GET")
        .cut("GET / HTTP/1.1\r\nHost: x\r\nRef")
        .cut("")
}

/// A good request in which bytes were changed.
fn generated(show: &str) -> Entry {
    let mut random = Random::new(0x5eed_0005);
    let mut entry = entry("generated").server(show);
    let good =
        b"GET /file/a.txt?q=1 HTTP/1.1\r\nHost: localhost\r\nX: some value\r\nConnection: close\r\n\r\n";
    for _ in 0..400 {
        let mut bytes = good.to_vec();
        for _ in 0..1 + random.below(2) {
            let at = random.below(bytes.len());
            let odd = b"\0\r\n \t:/%?#.\\\"A1\x01\x7f\xff";
            let byte = odd[random.below(odd.len())];
            match random.below(4) {
                0 => {
                    bytes.remove(at);
                }
                1 => bytes.insert(at, byte),
                2 => bytes.insert(at, bytes[at]),
                _ => bytes[at] = byte,
            }
        }
        entry = entry.cut(bytes);
    }
    entry
}
