//! Filters of responses: connections that are open already get the new values with their next request.

use crate::http::changes_with;
use crate::support::http::{self, Response};
use crate::walk::{Case, Place, Walk, walk_with};

/// A row of a location `/{app}` of files; what is asked for, and how old and new responses are known.
macro_rules! filter {
    ($row:literal, $before:literal, $after:literal, $headers:literal, $is_old:expr, $is_new:expr) => {
        Case {
            row: $row,
            place: Place::Locations,
            before: concat!("location /{app} { alias {dir}/html; ", $before, " }"),
            after: concat!("location /{app} { alias {dir}/html; ", $after, " }"),
            look: |walk| changes_with(walk, "f.txt", $headers, $is_old, $is_new),
        }
    };
}

/// Whether a response is compressed.
fn is_packed(response: &Response) -> bool {
    response.header("content-encoding") == Some("gzip")
}

fn is_plain(response: &Response) -> bool {
    response.header("content-encoding").is_none()
}

pub const CASES: &[Case] = &[
    filter!(
        "gzip/gzip",
        "gzip_types *; gzip_min_length 1; gzip off;",
        "gzip_types *; gzip_min_length 1; gzip on;",
        "Accept-Encoding: gzip\r\n",
        is_plain,
        is_packed
    ),
    filter!(
        "gzip/gzip_types",
        "gzip on; gzip_min_length 1; gzip_types text/css;",
        "gzip on; gzip_min_length 1; gzip_types text/css text/plain;",
        "Accept-Encoding: gzip\r\n",
        is_plain,
        is_packed
    ),
    Case {
        row: "gzip/gzip_comp_level",
        place: Place::Locations,
        before: "location /{app} { alias {dir}/html; gzip on; gzip_types *; gzip_comp_level 1; }",
        after: "location /{app} { alias {dir}/html; gzip on; gzip_types *; gzip_comp_level 9; }",
        look: |walk| {
            let length = |walk: &Walk<'_>| {
                let target = format!("/{}/long.txt", walk.own_app);
                http::get_with(walk.web, &target, "Accept-Encoding: gzip\r\n").body.len()
            };
            let old = length(walk);
            Box::new(move || assert!(length(walk) < old))
        },
    },
    filter!(
        "gzip/gzip_min_length",
        "gzip on; gzip_types *; gzip_min_length 5;",
        "gzip on; gzip_types *; gzip_min_length 4;",
        "Accept-Encoding: gzip\r\n",
        is_plain,
        is_packed
    ),
    filter!(
        "gzip/gzip_vary",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_vary off;",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_vary on;",
        "",
        |response| response.header("vary").is_none(),
        |response| response.header("vary") == Some("Accept-Encoding")
    ),
    Case {
        row: "gzip/gzip_http_version",
        place: Place::Locations,
        before: "location /{app} { alias {dir}/html; gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.1; }",
        after: "location /{app} { alias {dir}/html; gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0; }",
        look: |walk| {
            let ask = |walk: &Walk<'_>| {
                let mut connection = http::Connection::open(walk.web);
                let target = format!("/{}/f.txt", walk.own_app);
                connection.send(format!("GET {target} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n").as_bytes());
                connection.response(false)
            };
            assert!(is_plain(&ask(walk)));
            Box::new(move || assert!(is_packed(&ask(walk))))
        },
    },
    filter!(
        "gzip/gzip_proxied",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied off;",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;",
        "Accept-Encoding: gzip\r\nVia: 1.1 proxy\r\n",
        is_plain,
        is_packed
    ),
    filter!(
        "gzip/gzip_disable",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_disable old;",
        "gzip on; gzip_types *; gzip_min_length 1; gzip_disable other;",
        "Accept-Encoding: gzip\r\nUser-Agent: an old one\r\n",
        is_plain,
        is_packed
    ),
    filter!(
        "gzip/gunzip",
        "gzip_static always; gunzip off;",
        "gzip_static always; gunzip on;",
        "",
        is_packed,
        |response| is_plain(response) && response.text() == "packed"
    ),
    filter!(
        "gzip/gzip_static",
        "gzip_static off;",
        "gzip_static on;",
        "Accept-Encoding: gzip\r\n",
        is_plain,
        is_packed
    ),
    filter!(
        "sub/sub_filter",
        "sub_filter_types *; sub_filter text old;",
        "sub_filter_types *; sub_filter text new;",
        "",
        |response| response.text() == "old",
        |response| response.text() == "new"
    ),
    filter!(
        "sub/sub_filter_once",
        "sub_filter_types *; sub_filter t X; sub_filter_once on;",
        "sub_filter_types *; sub_filter t X; sub_filter_once off;",
        "",
        |response| response.text() == "Xext",
        |response| response.text() == "XexX"
    ),
    filter!(
        "sub/sub_filter_types",
        "sub_filter text new; sub_filter_types text/css;",
        "sub_filter text new; sub_filter_types text/plain;",
        "",
        |response| response.text() == "text",
        |response| response.text() == "new"
    ),
    filter!(
        "sub/sub_filter_last_modified",
        "sub_filter_types *; sub_filter text new; sub_filter_last_modified off;",
        "sub_filter_types *; sub_filter text new; sub_filter_last_modified on;",
        "",
        |response| response.header("last-modified").is_none(),
        |response| response.header("last-modified").is_some()
    ),
    filter!(
        "charset/charset",
        "charset old;",
        "charset new;",
        "",
        |response| response.header("content-type") == Some("text/plain; charset=old"),
        |response| response.header("content-type") == Some("text/plain; charset=new")
    ),
    filter!(
        "charset/charset_types",
        "charset x; charset_types text/css;",
        "charset x; charset_types text/plain;",
        "",
        |response| response.header("content-type") == Some("text/plain"),
        |response| response.header("content-type") == Some("text/plain; charset=x")
    ),
    Case {
        row: "slice/slice",
        place: Place::Locations,
        before: "location /{app} { slice 10; set $walked $slice_range; return 200 $walked; }",
        after: "location /{app} { slice 20; set $walked $slice_range; return 200 $walked; }",
        look: |walk| {
            let is = |text: &'static str| move |response: &Response| response.text() == text;
            changes_with(walk, "f.txt", "Range: bytes=45-\r\n", is("bytes=40-49"), is("bytes=40-59"))
        },
    },
    Case {
        row: "charset/charset_map",
        place: Place::Http,
        before: "charset_map walked other { 74 41; } server { listen 127.0.0.1:{web}; root {dir}/html; charset other; source_charset walked; }",
        after: "charset_map walked other { 74 42; } server { listen 127.0.0.1:{web}; root {dir}/html; charset other; source_charset walked; }",
        look: |walk| {
            assert_eq!(http::get(walk.own_web, "/f.txt").text(), "AexA");
            Box::new(move || assert_eq!(http::get(walk.own_web, "/f.txt").text(), "BexB"))
        },
    },
    Case {
        row: "charset/source_charset",
        place: Place::Http,
        before: "charset_map from to { 74 41; } server { listen 127.0.0.1:{web}; root {dir}/html; charset to; source_charset to; }",
        after: "charset_map from to { 74 41; } server { listen 127.0.0.1:{web}; root {dir}/html; charset to; source_charset from; }",
        look: |walk| {
            assert_eq!(http::get(walk.own_web, "/f.txt").text(), "text");
            Box::new(move || assert_eq!(http::get(walk.own_web, "/f.txt").text(), "AexA"))
        },
    },
];

#[test]
fn filters() {
    walk_with(CASES, |prefix| {
        let long: String = (0..20_000).map(|n| format!("{n} ")).collect();
        prefix.write("html/f.txt", "text");
        prefix.write("html/long.txt", long);
        // `packed`, compressed.
        let packed: [u8; 26] = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x2b, 0x48, 0x4c, 0xce, 0x4e, 0x4d,
            0x01, 0x00, 0x10, 0xb4, 0xf6, 0x21, 0x06, 0x00, 0x00, 0x00,
        ];
        prefix.write("html/f.txt.gz", packed);
    });
}
