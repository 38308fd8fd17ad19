//! Bodies that subrequests get too, and those that do not come.

use super::bodies::CHUNKED;
use crate::entry::{Entry, Step, entry};

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

pub(super) fn mirrored_bodies() -> Entry {
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

pub(super) fn mirrored_chunks() -> Entry {
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

pub(super) fn body_timeouts() -> Entry {
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
