//! Ranges, conditions, entity tags.

use crate::entry::{Entry, entry, page};
use crate::support::raw::Random;

/// The entity tag of a file of this length.
fn etag(length: usize) -> String {
    format!("\"{:x}-{length:x}\"", crate::fixture::MTIME)
}

const TIME: &str = "Wed, 03 Mar 2021 04:05:06 GMT";
const BEFORE: &str = "Wed, 03 Mar 2021 04:05:05 GMT";
const AFTER: &str = "Wed, 03 Mar 2021 04:05:07 GMT";

pub fn entries() -> Vec<Entry> {
    let shapes = [
        "bytes=0-0",
        "bytes=0-",
        "bytes=0-999",
        "bytes=0-1000",
        "bytes=0-9999999999999",
        "bytes=999-",
        "bytes=1000-",
        "bytes=1000-1001",
        "bytes=999-999",
        "bytes=500-600",
        "bytes=-1",
        "bytes=-0",
        "bytes=-1000",
        "bytes=-1001",
        "bytes=-99999",
        "bytes=",
        "bytes=-",
        "bytes",
        "bytes 0-1",
        "bytes=a-b",
        "bytes=0-a",
        "bytes=a-1",
        "bytes=5-2",
        "bytes=5-5",
        "bytes=0-1,",
        "bytes=,0-1",
        "bytes=0-1,,2-3",
        "bytes= 0-1",
        "bytes=0 -1",
        "bytes=0- 1",
        "bytes=0-1 ",
        "bytes=0-1 , 2-3",
        "Bytes=0-1",
        "BYTES=0-1",
        "chars=0-1",
        "bytes=0-1;",
        "bytes=0--1",
        "bytes=--1",
        "bytes=0-1-2",
        "bytes=18446744073709551615-",
        "bytes=18446744073709551616-",
        "bytes=9223372036854775807-",
        "bytes=9223372036854775808-",
        "bytes=0-9223372036854775807",
        "bytes=0-18446744073709551616",
        "bytes=-9223372036854775808",
        "bytes=-99999999999999999999",
        "bytes=00-01",
        "bytes=0x0-0x1",
        "bytes=+0-1",
        "bytes=\t0-1",
        "",
    ];
    let many = [
        "bytes=0-1,4-5",
        "bytes=0-0,2-2,4-4,6-6",
        "bytes=0-499,500-999",
        "bytes=0-,0-",
        "bytes=0-999,0-0",
        "bytes=0-600,300-999",
        "bytes=0-1,2000-3000",
        "bytes=2000-3000,0-1",
        "bytes=2000-3000,4000-5000",
        "bytes=-1,0-0",
        "bytes=-5,-3",
        "bytes=0-1,a-b",
        "bytes=5-2,0-1",
        "bytes=0-1,5-2",
        "bytes=0-1,-0",
        "bytes=-0,0-1",
        "bytes=999-,0-0",
        "bytes=0-9,990-",
        "bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11",
        "bytes=0-, 1-, 2-",
        "bytes=0-1 ,3-4",
        "bytes=10-20,0-5",
        "bytes=0-400,0-400,0-400",
        "bytes=0-400,0-400,0-199",
        "bytes=0-1,0-1,0-1,0-1",
    ];
    let ranges = |entry: Entry, path: &str, all: &[&str]| {
        all.iter().fold(entry, |entry, range| entry.ask(format!("{path}\nRange: {range}")))
    };
    let mut random = Random::new(0x5eed_0002);
    let mut generated = entry("generated-ranges").server("");
    for _ in 0..150 {
        let count = 1 + random.below(4);
        let one = |random: &mut Random| {
            let mut number = |bound: usize| match random.below(8) {
                0 => String::new(),
                1 => "1000".to_owned(),
                _ => random.below(bound).to_string(),
            };
            format!("{}-{}", number(1100), number(1200))
        };
        let all: Vec<String> = (0..count).map(|_| one(&mut random)).collect();
        generated = generated.ask(format!("/digits.txt\nRange: bytes={}", all.join(",")));
    }
    vec![
        ranges(entry("single-ranges").server(""), "/digits.txt", &shapes),
        ranges(entry("many-ranges").server(""), "/digits.txt", &many),
        generated,
        ranges(entry("ranges-of-empty").server(""), "/empty.txt", &["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=0-0,-1", "bytes=1-"]),
        ranges(
            entry("max-ranges")
                .server("location /0/ { alias {ROOT}/html/; max_ranges 0; } location /1/ { alias {ROOT}/html/; max_ranges 1; } location /2/ { alias {ROOT}/html/; max_ranges 2; }")
                .asks(["/0/digits.txt", "/1/digits.txt", "/0/digits.txt\nRange: bytes=0-1", "/0/digits.txt\nRange: bytes=0-1,3-4", "/0/digits.txt\nRange: bytes=5000-"])
                .asks(["/1/digits.txt\nRange: bytes=0-1", "/1/digits.txt\nRange: bytes=0-1,3-4", "/1/digits.txt\nRange: bytes=5000-"]),
            "/2/digits.txt",
            &["bytes=0-1,3-4", "bytes=0-1,3-4,6-7", "bytes=0-1,5000-,6-7", "bytes=0-1"],
        ),
        entry("ranges-elsewhere")
            .server(
                "location /return { return 200 0123456789; }
                 location /list/ { alias {ROOT}/html/dir/; index none; autoindex on; }
                 location /err { error_page 404 /digits.txt; return 404; }
                 location /err200 { error_page 404 =200 /digits.txt; return 404; }
                 location /gzip/ { alias {ROOT}/html/; gzip on; gzip_types *; }
                 location /charset/ { alias {ROOT}/html/; charset utf-8; }
                 location /sub/ { alias {ROOT}/html/; sub_filter_types *; sub_filter 1 2; }
                 location /add { alias {ROOT}/html/digits.txt; add_after_body /a.txt; addition_types *; }
                 location /headers/ { alias {ROOT}/html/; add_header X-A b; expires 1h; }
                 location /try/ { try_files /digits.txt =404; }",
            )
            .asks(
                ["/return", "/list/", "/err", "/err200", "/gzip/digits.txt", "/charset/digits.txt", "/charset/a.html", "/sub/digits.txt", "/add", "/headers/digits.txt", "/try/x", "/none"]
                    .iter()
                    .flat_map(|path| [format!("{path}\nRange: bytes=1-3"), format!("{path}\nRange: bytes=1-3,5-6"), format!("{path}\nRange: bytes=9999-"), format!("{path}\nRange: bytes=1-3\nAccept-Encoding: gzip")])
                    .collect::<Vec<_>>(),
            ),
        entry("unsatisfiable-range-headers")
            .server(
                "root {ROOT}/html; add_header X-Plain p; expires 1h;
                 location /always/ { alias {ROOT}/html/; add_header X-Plain \"p $status\"; add_header X-Always \"a $status\" always; add_header X-Empty ''; }
                 location /off/ { alias {ROOT}/html/; expires off; }
                 location /epoch/ { alias {ROOT}/html/; expires epoch; add_header Cache-Control private always; }
                 location /tag/ { alias {ROOT}/html/; add_header ETag \"\\\"own\\\"\"; add_header Last-Modified own; }
                 location /trailers/ { alias {ROOT}/html/; add_trailer X-T \"t $status\"; add_trailer X-TA \"ta $status\" always; }
                 location /page/ { alias {ROOT}/html/; error_page 416 /said; add_header X-Always \"a $status\" always; }
                 location /named/ { alias {ROOT}/html/; error_page 416 @said; }
                 location /code/ { alias {ROOT}/html/; error_page 416 =404 @said; }
                 location /away/ { alias {ROOT}/html/; error_page 416 http://other/x; expires off; add_header X-Empty ''; }
                 location /charset/ { alias {ROOT}/html/; charset utf-8; add_header X-C \"[$sent_http_content_type]\"; }
                 location /gzip/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_vary on; }
                 location /location/ { alias {ROOT}/html/; add_header Location /elsewhere; add_header Content-Range own; add_header Accept-Ranges none; }
                 location /type/ { alias {ROOT}/html/; add_header Content-Type own/type; add_header Content-Length 5; }
                 location /said { return 200 \"said [$status][$sent_http_x_plain][$sent_http_expires]\"; } location @said { return 200 \"named [$status]\"; }",
            )
            .asks(
                ["", "always/", "off/", "epoch/", "tag/", "trailers/", "page/", "named/", "code/", "away/", "charset/", "gzip/", "location/", "type/"]
                    .iter()
                    .flat_map(|place| [format!("/{place}digits.txt\nRange: bytes=9999-"), format!("HEAD /{place}digits.txt\nRange: bytes=9999-"), format!("/{place}digits.txt\nIf-Match: \"x\"")])
                    .collect::<Vec<_>>(),
            )
            .mask("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT(?=\\])", "NOW")
            .keep(["/always/digits.txt\nRange: bytes=9999-", "/always/digits.txt"]),
        entry("if-range-and-added-dates")
            .server(
                "location / { add_header Last-Modified \"Mon, 28 Sep 1970 06:00:00 GMT\"; root {ROOT}/html; }
                 location /none/ { add_header Last-Modified \"\"; alias {ROOT}/html/; } location /odd/ { add_header Last-Modified odd; alias {ROOT}/html/; }",
            )
            .asks(
                ["", "none/", "odd/"]
                    .iter()
                    .flat_map(|place| {
                        ["Mon, 28 Sep 1970 06:00:00 GMT", "Mon, 28 Sep 1970 06:00:01 GMT", "odd"]
                            .map(|date| format!("/{place}digits.txt\nRange: bytes=0-3\nIf-Range: {date}"))
                    })
                    .collect::<Vec<_>>(),
            ),
        entry("ranges-and-a-content-range-of-another-server")
            .http("server { listen {ADDR}:{PORT2}; location / { add_header Content-Range stub; return 200 SEE-THIS; } }")
            .server("location / { proxy_pass http://{ADDR}:{PORT2}; proxy_force_ranges on; }")
            .ask("/x\nRange: bytes=0-4")
            .own(
                "nginx 1.22 sends both",
                "HTTP/1.1 206 Partial Content\nConnection: close\nContent-Length: 5\nContent-Range: bytes 0-4/8\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\nSEE-T(no line end)\n=== closed\n",
            ),
        entry("ranges-and-methods")
            .server("")
            .asks([
                "HEAD /digits.txt\nRange: bytes=0-1", "HEAD /digits.txt\nRange: bytes=0-1,3-4", "HEAD /digits.txt\nRange: bytes=5000-", "POST /digits.txt\nRange: bytes=0-1\n\nx",
                "/digits.txt\nRange: bytes=0-1\nRange: bytes=3-4", "/big.txt\nRange: bytes=100000-199999", "/big.txt\nRange: bytes=0-99,100000-100099,-100", "/style.css\nRange: bytes=0-1,3-4",
                "/noext\nRange: bytes=0-1,3-4", "/dir/\nRange: bytes=0-4", "/dir\nRange: bytes=0-4",
            ])
            .raws([
                "GET /digits.txt HTTP/1.0\r\nRange: bytes=0-1\r\n\r\n",
                "GET /digits.txt HTTP/1.0\r\nRange: bytes=0-1,3-4\r\n\r\n",
                "GET /digits.txt HTTP/1.0\r\nRange: bytes=0-1,3-4\r\nConnection: keep-alive\r\n\r\n",
            ])
            .keep(["/digits.txt\nRange: bytes=0-1", "/digits.txt\nRange: bytes=0-1,3-4", "/digits.txt\nRange: bytes=2000-", "/digits.txt"]),
        if_range(),
        conditions("conditions", ""),
        conditions("conditions-before", "if_modified_since before;"),
        conditions("conditions-off", "if_modified_since off;"),
        conditions("conditions-etag-off", "etag off;"),
        entry("conditions-elsewhere")
            .server(
                "location /return { return 200 x; add_header Last-Modified \"Wed, 03 Mar 2021 04:05:06 GMT\"; add_header ETag '\"x\"'; }
                 location /err { error_page 404 /a.txt; return 404; }
                 location /gzip/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_min_length 1; }
                 location /ssi/ { alias {ROOT}/html/; sub_filter a b; sub_filter_types *; }
                 location /ssi2/ { alias {ROOT}/html/; sub_filter a b; sub_filter_types *; sub_filter_last_modified on; }
                 location /headers/ { alias {ROOT}/html/; add_header X y; expires 1h; charset utf-8; }
                 location /own-lm/ { alias {ROOT}/html/; add_header Last-Modified \"\"; }
                 location /own-lm2/ { alias {ROOT}/html/; add_header Last-Modified \"Wed, 01 Jan 2020 00:00:00 GMT\"; }
                 location /dir/ { }",
            )
            .asks(
                ["/return", "/err", "/gzip/long.html", "/ssi/a.txt", "/ssi2/a.txt", "/headers/a.html", "/own-lm/a.txt", "/own-lm2/a.txt", "/dir/", "/dir"]
                    .iter()
                    .flat_map(|path| {
                        [
                            (*path).to_owned(),
                            format!("{path}\nIf-Modified-Since: {TIME}"),
                            format!("{path}\nIf-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT"),
                            format!("{path}\nIf-None-Match: {}", etag(7)),
                            format!("{path}\nIf-None-Match: \"x\""),
                            format!("{path}\nIf-None-Match: W/{}", etag(5000)),
                            format!("{path}\nIf-None-Match: {}\nAccept-Encoding: gzip", etag(5000)),
                            format!("{path}\nAccept-Encoding: gzip"),
                            format!("{path}\nIf-Unmodified-Since: {BEFORE}"),
                            format!("{path}\nIf-Match: \"no\""),
                        ]
                    })
                    .collect::<Vec<_>>(),
            ),
    ]
}

fn if_range() -> Entry {
    let own = etag(1000);
    let mut entry = entry("if-range").server("location /off/ { alias {ROOT}/html/; etag off; } location /before/ { alias {ROOT}/html/; if_modified_since before; }");
    for value in [
        own.clone(),
        format!("W/{own}"),
        "\"other\"".to_owned(),
        "\"".to_owned(),
        "\"\"".to_owned(),
        own.replace('"', ""),
        format!("{own}x"),
        format!("{own}, \"b\""),
        "*".to_owned(),
        TIME.to_owned(),
        BEFORE.to_owned(),
        AFTER.to_owned(),
        "junk".to_owned(),
        String::new(),
        "Wednesday, 03-Mar-21 04:05:06 GMT".to_owned(),
        "Wed Mar  3 04:05:06 2021".to_owned(),
    ] {
        for path in ["", "off/", "before/"] {
            entry = entry.ask(format!("/{path}digits.txt\nRange: bytes=0-3\nIf-Range: {value}"));
        }
        entry = entry.ask(format!("/digits.txt\nRange: bytes=0-3,5-6\nIf-Range: {value}"));
        entry = entry.ask(format!("/digits.txt\nRange: bytes=9999-\nIf-Range: {value}"));
    }
    entry.ask(format!("/digits.txt\nIf-Range: {own}"))
}

fn conditions(name: &'static str, server: &str) -> Entry {
    let own = etag(7);
    let tags = [
        own.clone(),
        format!("W/{own}"),
        "\"other\"".to_owned(),
        format!("\"other\", {own}"),
        format!("\"other\",{own}"),
        format!("{own}, \"other\""),
        format!("\"o\" , W/{own} , \"p\""),
        "*".to_owned(),
        "* ".to_owned(),
        own.replace('"', ""),
        format!("w/{own}"),
        "\"".to_owned(),
        String::new(),
        ",".to_owned(),
        format!(", {own}"),
        format!("{own}x"),
        format!("x{own}"),
        format!("\"other\" {own}"),
        format!("\"a,b\", {own}"),
        format!("W/ {own}"),
        "W/".to_owned(),
    ];
    let times = [
        TIME,
        BEFORE,
        AFTER,
        "Wednesday, 03-Mar-21 04:05:06 GMT",
        "Wed Mar  3 04:05:06 2021",
        "Wed, 03 Mar 2021 04:05:06",
        "Wed, 03 Mar 2021 04:05:06 GMT+1",
        "Thu, 03 Mar 2021 04:05:06 GMT",
        "wed, 03 mar 2021 04:05:06 gmt",
        "Wed, 3 Mar 2021 04:05:06 GMT",
        "Wed, 03 Mar 2021 04:05:60 GMT",
        "junk",
        "",
        "0",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 01 Jan 2999 00:00:00 GMT",
        "Wed, 03 Mar 2021 04:05:06 GMT; length=7",
        "Wed, 31 Feb 2021 04:05:06 GMT",
    ];
    let mut entry = entry(name).server(server);
    for tag in &tags {
        entry = entry.ask(format!("/a.txt\nIf-None-Match: {tag}")).ask(format!("/a.txt\nIf-Match: {tag}"));
    }
    for time in times {
        entry = entry
            .ask(format!("/a.txt\nIf-Modified-Since: {time}"))
            .ask(format!("/a.txt\nIf-Unmodified-Since: {time}"));
    }
    for (tag, time) in
        [(own.as_str(), TIME), (own.as_str(), BEFORE), ("\"no\"", TIME), ("\"no\"", BEFORE), ("*", AFTER)]
    {
        for (first, second) in [
            ("If-None-Match", "If-Modified-Since"),
            ("If-Match", "If-Unmodified-Since"),
            ("If-None-Match", "If-Unmodified-Since"),
            ("If-Match", "If-Modified-Since"),
        ] {
            entry = entry.ask(format!("/a.txt\n{first}: {tag}\n{second}: {time}"));
        }
    }
    entry
        .ask(format!("HEAD /a.txt\nIf-None-Match: {own}"))
        .ask(format!("POST /a.txt\nIf-None-Match: {own}\n\nx"))
        .ask(format!("/none\nIf-None-Match: {own}"))
        .ask("/none\nIf-Match: *")
        .ask(format!("/a.txt\nIf-None-Match: {own}\nRange: bytes=0-1"))
        .ask(format!("/a.txt\nIf-Match: {own}\nRange: bytes=0-1"))
        .ask("/a.txt\nIf-Match: \"no\"\nRange: bytes=0-1")
        .ask(format!("/a.txt\nIf-None-Match: \"a\"\nIf-None-Match: {own}"))
        .ask(format!("/a.txt\nIf-Match: \"a\"\nIf-None-Match: {own}"))
        .raw(format!("GET /a.txt HTTP/1.0\r\nIf-None-Match: {own}\r\n\r\n"))
        .keep([
            format!("/a.txt\nIf-None-Match: {own}"),
            "/a.txt\nIf-Match: \"no\"".to_owned(),
            "/a.txt".to_owned(),
        ])
        .own("nginx says keep-alive with 412 and closes the connection", kept_after_412(name))
}

/// The results of a request whose tag is known, of one whose precondition fails, and of one without conditions.
fn kept_after_412(name: &str) -> String {
    let (tag, time) = (format!("ETag: {}\n", etag(7)), format!("Last-Modified: {TIME}\n"));
    let whole = |tag: &str| {
        format!(
            "HTTP/1.1 200 OK\nAccept-Ranges: bytes\nConnection: keep-alive\nContent-Length: 7\nContent-Type: text/plain\n\
             Date: DATE\n{tag}{time}Server: PRODUCT\n\ntext a\n"
        )
    };
    let (first, last) = match name {
        "conditions-etag-off" => (whole(""), whole("")),
        _ => {
            let unchanged = format!(
                "HTTP/1.1 304 Not Modified\nConnection: keep-alive\nDate: DATE\n{tag}{time}Server: PRODUCT\n\n"
            );
            (unchanged, whole(&tag))
        }
    };
    let failed = page("412 Precondition Failed", &["Connection: keep-alive"]);
    let probe = page("404 Not Found", &["Connection: close"]);
    format!("{first}{failed}{last}=== kept\n{probe}=== then closed\n")
}
