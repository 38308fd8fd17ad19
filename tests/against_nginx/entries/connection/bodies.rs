//! Request bodies, with a length and in chunks, and the bounds of heads.

use super::{ORIGIN, READS};
use crate::entry::{Entry, Step, entry};

pub(super) fn bodies() -> Entry {
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

pub(super) fn chunked() -> Entry {
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

pub(super) fn header_limits() -> Entry {
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
pub(super) fn split_sends() -> Entry {
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

/// Bodies in chunks, right and wrong ones.
pub(super) const CHUNKED: &[&str] = &[
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
