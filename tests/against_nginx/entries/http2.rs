//! HTTP/2: the entries of other files once more, as far as HTTP/2 can say their requests, and some of its own.

use super::{
    access, files, filters, generated, headers, limits, locations, log, maps, proxying, ranges, rewriting,
    variables,
};
use crate::entry::{Entry, entry};

/// Entries that are no use over HTTP/2, and why.
const LEFT_OUT: &[(&str, &str)] = &[];

pub fn entries() -> Vec<Entry> {
    type Entries = fn() -> Vec<Entry>;
    let files: [(&str, Entries); 13] = [
        ("access", access::entries),
        ("files", files::entries),
        ("filters", filters::entries),
        ("generated", generated::entries),
        ("headers", headers::entries),
        ("limits", limits::entries),
        ("locations", locations::entries),
        ("log", log::entries),
        ("maps", maps::entries),
        ("proxying", proxying::entries),
        ("ranges", ranges::entries),
        ("rewriting", rewriting::entries),
        ("variables", variables::entries),
    ];
    let mut all = own();
    for (file, entries) in files {
        for entry in entries() {
            let name = format!("{file}-{}", entry.name);
            if !LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
                all.extend(entry.again_over_http2(name));
            }
        }
    }
    all
}

fn own() -> Vec<Entry> {
    let ask = |name| entry(name).over_http2();
    vec![
        ask("variables-of-it")
            .server(
                "location / { return 200 \"$server_protocol|$http2|$scheme|$request|$request_uri|$host|$http_host|$connection_requests|$pipe|$https\n\"; }",
            )
            .asks(["/x?y", "/\nHost: Other:81", "HEAD /x", "POST /x\n\nbody"])
            .keep(["/1", "/2", "/3"]),
        ask("cookies")
            .server("location / { return 200 \"$http_cookie|$cookie_b\n\"; }")
            .asks(["/\nCookie: a=1\nCookie: b=2", "/\nCookie: a=1; b=2", "/\nCookie: b=1"]),
        ask("lengths")
            .server("client_max_body_size 10; location / { proxy_pass http://{BACKEND}; }")
            .asks(["POST /\n\n0123456789", "POST /\n\n0123456789x", "POST /\nContent-Length: 0", "PUT /\n\nx"]),
        ask("trailers")
            .server("location / { add_trailer X-T v; add_trailer X-U $sent_http_content_length; }")
            .asks(["/a.txt", "HEAD /a.txt", "/none"]),
        ask("methods").server("").asks(["FOO /a.txt", "TRACE /", "OPTIONS /a.txt", "foo /a.txt", "GET_X /a.txt"]),
        ask("hosts")
            .server("location / { return 200 $host; }")
            .asks(["/\nHost: a_b", "/\nHost: a:80", "/\nHost: [::1]", "/\nHost: A.B."]),
        ask("closed").server("location / { return 444; } location /b { return 400; }").asks(["/", "/b"]),
        ask("names").server("location / { return 200 $http_a_b; }").asks(["/\na_b: 1", "/\na-b: 1", "/\na.b: 1"]),
        ask("bodies")
            .server("client_body_buffer_size 1k; location / { proxy_pass http://{BACKEND}; }")
            .asks([
                format!("POST /\n\n{}", "0123456789".repeat(10)),
                format!("POST /\n\n{}", "0123456789".repeat(5000)),
            ]),
        ask("unread-bodies")
            .server("location / { return 200 x; } location /f { root {ROOT}/html; }")
            .asks([format!("POST /\n\n{}", "0123456789".repeat(20000)), "POST /a.txt\n\nx".to_owned()])
            .keep(["POST /\n\nx", "POST /\n\ny"]),
        ask("http1").server("").steps([crate::entry::Step::Send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())]),
    ]
}
