//! What changes a body or makes one: gzip, `sub_filter`, additions, slices, media seeking, cookies, the status page.

use std::sync::OnceLock;

use crate::backend::sends;
use crate::entry::{Entry, entry};
use crate::fixture::{digits, text};
use crate::support::tool;

/// Bytes in the gzip format.
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new("gzip")
        .args(["-nc"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip can be run");
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let feed = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    output.stdout
}

/// Six seconds of video and sound in MP4; `faststart`: the index stands first.
fn mp4(is_fast: bool) -> Vec<u8> {
    static CLIPS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let clips = CLIPS.get_or_init(|| {
        [false, true].map(|is_fast| {
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("against-{}-{is_fast}.mp4", std::process::id()));
            let name = path.to_str().unwrap();
            #[rustfmt::skip]
            let mut args = vec![
                "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=22050",
                "-t", "6", "-c:v", "mpeg4", "-g", "10", "-c:a", "aac", "-b:a", "16k", "-fflags", "+bitexact", "-threads", "1",
            ];
            if is_fast {
                args.extend(["-movflags", "+faststart"]);
            }
            args.push(name);
            let output = tool::run("ffmpeg", &args);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bytes = std::fs::read(&path).unwrap();
            let _ = std::fs::remove_file(&path);
            bytes
        })
    });
    clips[usize::from(is_fast)].clone()
}

pub fn entries() -> Vec<Entry> {
    vec![
        gzip(),
        entry("added-headers-and-filters")
            .server(
                "location /sub/ { alias {ROOT}/html/; add_header Last-Modified 'Mon, 01 Jan 2024 00:00:00 GMT'; add_header ETag '\"own\"'; sub_filter a b; sub_filter_types *; }
                 location /subkeeps/ { alias {ROOT}/html/; add_header Last-Modified 'Mon, 01 Jan 2024 00:00:00 GMT'; sub_filter a b; sub_filter_types *; sub_filter_last_modified on; }
                 location /add/ { alias {ROOT}/html/; add_header Last-Modified 'Mon, 01 Jan 2024 00:00:00 GMT'; add_after_body /text; addition_types *; }
                 location /both/ { alias {ROOT}/html/; sub_filter a b; sub_filter_types *; add_after_body /text; addition_types *; } location /text { return 200 text; }
                 location /gzipsub/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_min_length 1; sub_filter a b; sub_filter_types *; add_header ETag '\"own\"'; }
                 location /to { add_header X-L \"$sent_http_location\" always; return 301 /q; } location /dir { alias {ROOT}/html/dir; add_header X-L \"$sent_http_location\" always; }",
            )
            .asks(["sub", "subkeeps", "add", "both", "gzipsub"].iter().flat_map(|place| {
                ["a.txt", "empty", "empty.txt", "index.html", "a.txt\nAccept-Encoding: gzip", "a.txt\nRange: bytes=1-2", "a.txt\nIf-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT", "a.txt\nIf-None-Match: \"own\""].map(|rest| format!("/{place}/{rest}"))
            }))
            .asks(["/to", "/dir", "/to\nHost: other"]),
        entry("seeking-with-expectations")
            .server("location /flv/ { alias {ROOT}/html/; flv; } location /mp4/ { alias {ROOT}/html/; mp4; } location /gif { empty_gif; } location /file/ { alias {ROOT}/html/; }")
            .asks(["flv/a.txt", "mp4/a.txt", "flv/none", "mp4/none", "gif", "file/a.txt", "file/none"].iter().flat_map(|place| {
                ["", "\nContent-Length: 0", "\nContent-Length: 4"].iter().flat_map(move |length| ["GET", "HEAD", "POST"].map(|method| format!("{method} /{place}\nExpect: 100-continue{length}")))
            }))
            .mask("body=[0-9]+ sent=[0-9]+", "LENGTHS"),
        entry("tried-and-forwarded")
            .http("server { listen {ADDR}:{PORT2}; return 200 \"$request_uri\"; }")
            .server("location / { root {ROOT}/html; try_files $uri =404; proxy_pass http://{ADDR}:{PORT2}; } location /else/ { root {ROOT}/html; try_files /none /a.txt =404; proxy_pass http://{ADDR}:{PORT2}; } location /uri/ { root {ROOT}/html; try_files /none /a.txt =404; proxy_pass http://{ADDR}:{PORT2}/x/; }")
            .asks(["/a.txt", "/a%2etxt", "/a%2Etxt?q=%20", "//a.txt", "/dir/../a.txt", "/else/x%20y?q", "/uri/x%2fy", "/none"]),
        entry("gzip-min-length")
            .server("gzip on; gzip_types *; location /20/ { alias {DIR}/; } location /0/ { alias {DIR}/; gzip_min_length 0; } location /100/ { alias {DIR}/; gzip_min_length 100; } location /return { return 200 short; } location /return2 { return 200 'a text that is longer than twenty bytes'; } location /big { gzip_min_length 1m; alias {ROOT}/html/big.txt; }")
            .file("0", "").file("1", "x").file("19", text(19)).file("20", text(20)).file("21", text(21)).file("99", text(99)).file("100", text(100)).file("101", text(101))
            .asks(
                ["20", "0", "100"]
                    .iter()
                    .flat_map(|place| ["0", "1", "19", "20", "21", "99", "100", "101"].map(|name| format!("/{place}/{name}\nAccept-Encoding: gzip")))
                    .collect::<Vec<_>>(),
            )
            .asks(["/return", "/return2", "/big"].map(|path| format!("{path}\nAccept-Encoding: gzip"))),
        entry("gzip-proxied")
            .server(
                ["off", "any", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag", "auth", "expired no-cache no-store private auth"]
                    .iter()
                    .enumerate()
                    .map(|(number, words)| {
                        format!(
                            "location /{number}/ {{ gzip on; gzip_types *; gzip_proxied {words}; alias {{ROOT}}/html/; location /{number}/expired/ {{ expires -1; alias {{ROOT}}/html/; }} location /{number}/future/ {{ add_header Expires 'Tue, 01 Jan 2999 00:00:00 GMT'; alias {{ROOT}}/html/; }}
                              location /{number}/nocache/ {{ add_header Cache-Control no-cache; alias {{ROOT}}/html/; }} location /{number}/nostore/ {{ add_header Cache-Control 'max-age=1, no-store'; alias {{ROOT}}/html/; }} location /{number}/private/ {{ add_header Cache-Control private; alias {{ROOT}}/html/; }}
                              location /{number}/nolm/ {{ add_header Last-Modified ''; etag off; alias {{ROOT}}/html/; }} }}\n"
                        )
                    })
                    .collect::<String>(),
            )
            .asks(
                (0..10)
                    .flat_map(|number| ["", "expired/", "future/", "nocache/", "nostore/", "private/", "nolm/"].map(|place| format!("/{number}/{place}long.html\nAccept-Encoding: gzip\nVia: 1.1 p")))
                    .chain((0..10).map(|number| format!("/{number}/long.html\nAccept-Encoding: gzip\nVia: 1.1 p\nAuthorization: x")))
                    .collect::<Vec<_>>(),
            ),
        entry("gzip-static").unlike_errors("the numbers are those of the library", r#"inflate[(][)] failed"#)
            .server(
                "location /on/ { alias {DIR}/; gzip_static on; } location /always/ { alias {DIR}/; gzip_static always; } location /off/ { alias {DIR}/; gzip_static off; } location /vary/ { alias {DIR}/; gzip_static on; gzip_vary on; }
                 location /both/ { alias {DIR}/; gzip_static on; gzip on; gzip_types *; } location /proxied/ { alias {DIR}/; gzip_static on; gzip_proxied any; } location /http10/ { alias {DIR}/; gzip_static on; gzip_http_version 1.0; }
                 location /gunzip/ { alias {DIR}/; gzip_static always; gunzip on; } location /disable/ { alias {DIR}/; gzip_static on; gzip_disable bad; } location /index/ { alias {DIR}/; gzip_static on; index a.txt; }
                 location /try/ { alias {DIR}/; gzip_static always; try_files $uri =404; } location /gunzip-types/ { alias {DIR}/; gzip_static always; gunzip on; sub_filter work PLAY; sub_filter_types *; sub_filter_once off; }",
            )
            .file("a.txt", text(500)).file("a.txt.gz", gzipped(&text(500))).file("only.txt.gz", gzipped(&text(800))).file("plain.txt", text(300)).file("other.txt", "plain").file("other.txt.gz", gzipped(b"compressed, other")).file("empty.txt", "").file("empty.txt.gz", gzipped(b""))
            .file("broken.txt.gz", "not gzip at all").file("cut.txt.gz", gzipped(&digits(5000))[..500].to_vec()).file("dir.txt/x", "x").file("dir.txt.gz/x", "x").file("two.txt.gz", [gzipped(b"first "), gzipped(b"second")].concat()).file("big.txt.gz", gzipped(&digits(300_000)))
            .asks(
                ["on", "always", "off", "vary", "both", "proxied", "http10", "gunzip", "disable", "try", "gunzip-types"]
                    .iter()
                    .flat_map(|place| ["a.txt", "only.txt", "plain.txt", "other.txt", "empty.txt", "none.txt"].into_iter().flat_map(move |name| [format!("/{place}/{name}"), format!("/{place}/{name}\nAccept-Encoding: gzip")]))
                    .collect::<Vec<_>>(),
            )
            .asks([
                "/on/a.txt.gz", "/on/a.txt.gz\nAccept-Encoding: gzip", "/on/a.txt\nAccept-Encoding: gzip\nRange: bytes=0-9", "/on/a.txt\nAccept-Encoding: gzip\nVia: x", "/proxied/a.txt\nAccept-Encoding: gzip\nVia: x", "/on/a.txt\nAccept-Encoding: gzip;q=0", "/disable/a.txt\nAccept-Encoding: gzip\nUser-Agent: bad",
                "/index/\nAccept-Encoding: gzip", "/index/", "/on/dir.txt\nAccept-Encoding: gzip", "/always/dir.txt", "HEAD /on/a.txt\nAccept-Encoding: gzip", "HEAD /gunzip/only.txt", "/gunzip/only.txt\nRange: bytes=0-9", "/gunzip/broken.txt", "/gunzip/two.txt", "/gunzip/big.txt",
                "POST /on/a.txt\nAccept-Encoding: gzip\n\nx", "/on/a.txt\nAccept-Encoding: gzip\nIf-None-Match: *", "/on/a.txt\nAccept-Encoding: gzip\nIf-Modified-Since: Wed, 03 Mar 2021 04:05:06 GMT",
            ])
            .raw("GET /on/a.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
            .raw("GET /http10/a.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
            .raw("GET /gunzip/only.txt HTTP/1.0\r\n\r\n"),
        sub_filter(),
        entry("addition")
            .server(
                "root {ROOT}/html; location /before/ { alias {ROOT}/html/; add_before_body /a.txt; } location /after/ { alias {ROOT}/html/; add_after_body /b.txt; } location /both/ { alias {ROOT}/html/; add_before_body /a.txt; add_after_body /b.txt; }
                 location /types/ { alias {ROOT}/html/; add_after_body /b.txt; addition_types text/plain; } location /all/ { alias {ROOT}/html/; add_after_body /b.txt; addition_types *; } location /none/ { alias {ROOT}/html/; add_before_body /missing; add_after_body /missing; }
                 location /return { default_type text/html; add_before_body /a.txt; add_after_body /ret; return 200 '[body]'; } location /ret { return 200 '[ret]'; } location /off/ { alias {ROOT}/html/; add_before_body ''; add_after_body ''; }
                 location /nested/ { alias {ROOT}/html/; add_before_body /both/a.html; } location /error/ { alias {ROOT}/html/; error_page 404 =200 /both/a.html; add_after_body /b.txt; } location /redirect/ { alias {ROOT}/html/; add_after_body /moved; } location /moved { return 301 /x; }
                 location /big/ { alias {ROOT}/html/; add_before_body /long.html; add_after_body /big.txt; } location /dir/ { add_after_body /dir; } location /deny/ { alias {ROOT}/html/; add_after_body /denied; } location /denied { deny all; } location /vars/ { alias {ROOT}/html/; add_before_body /show?x=$uri; } location /show { return 200 \"[$uri $args]\"; }
                 location /gzip/ { alias {ROOT}/html/; gzip on; add_after_body /long.html; } location /empty/ { alias {ROOT}/html/; default_type text/html; add_before_body /empty.txt; add_after_body /empty.txt; addition_types *; }",
            )
            .asks(
                ["before", "after", "both", "types", "all", "none", "off", "nested", "error", "redirect", "big", "deny", "vars", "empty"]
                    .iter()
                    .flat_map(|place| ["a.html", "b.txt", "missing", "empty.txt"].map(|name| format!("/{place}/{name}")))
                    .collect::<Vec<_>>(),
            )
            .asks(["/return", "HEAD /both/a.html", "/both/a.html\nRange: bytes=0-3", "/both/a.html\nIf-None-Match: *", "/dir/", "/gzip/long.html\nAccept-Encoding: gzip", "POST /both/a.html\n\nx"])
            .raw("GET /both/a.html HTTP/1.0\r\n\r\n")
            .raw("GET /both/a.html\r\n")
            .keep(["/both/a.html", "/big/a.html", "/none/a.html"]),
        entry("addition-and-head")
            .server(
                "root {ROOT}/html; log_subrequest on; addition_types *; location /both/ { alias {ROOT}/html/; add_before_body /before; add_after_body /after; } location /return { add_after_body /after; return 200 x; }
                 location /before { return 200 before; } location /after { return 200 after; } location /gzip/ { alias {ROOT}/html/; gzip on; add_after_body /after; } location /list/ { alias {ROOT}/html/noindex/; autoindex on; add_after_body /after; }",
            )
            .asks(
                ["/both/a.html", "/both/none", "/both/empty.txt", "/return", "/gzip/long.html\nAccept-Encoding: gzip", "/list/", "/both/a.html\nIf-None-Match: *", "/both/a.html\nRange: bytes=0-1"]
                    .iter()
                    .flat_map(|line| [format!("HEAD {line}"), format!("GET {line}")])
                    .collect::<Vec<_>>(),
            )
            .raw("HEAD /both/a.html HTTP/1.0\r\n\r\n")
            .keep(["HEAD /both/a.html", "/both/a.html"])
            .mask("body=[0-9]+ sent=~?[0-9]+(?=.*uri=\"/(before|after))", "LENGTHS"),
        entry("sub-filter-chunks")
            .server(
                "root {DIR}; sub_filter_types *; chunked_transfer_encoding on; location /one/ { alias {DIR}/; sub_filter one 1; sub_filter_once off; } location /slow/ { alias {DIR}/; sub_filter one 1; sub_filter_once off; limit_rate 1000000; }",
            )
            .file("a.txt", "one two one two\n")
            .asks(["/one/a.txt", "/slow/a.txt"]),
        entry("chunked-transfer-encoding-off")
            .server(
                "chunked_transfer_encoding off; location /sub/ { alias {ROOT}/html/; sub_filter a b; sub_filter_types *; } location /gzip/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_min_length 1; } location /add/ { alias {ROOT}/html/; add_after_body /a.txt; addition_types *; }
                 location /list/ { alias {ROOT}/html/noindex/; autoindex on; } location / { root {ROOT}/html; }",
            )
            .keep(["/a.txt", "/sub/a.txt"])
            .keep(["/gzip/long.html\nAccept-Encoding: gzip", "/a.txt"])
            .keep(["/add/a.html", "/a.txt"])
            .keep(["/list/", "/a.txt"])
            .asks(["/sub/a.html", "/add/b.txt", "HEAD /sub/a.txt"]),
        entry("slice")
            .http("server { listen {ADDR}:{PORT2}; location / { add_header X-Range \"$http_range\"; alias {ROOT}/html/; } location /noetag/ { etag off; alias {ROOT}/html/; } location /norange/ { max_ranges 0; alias {ROOT}/html/; } }")
            .server("location / { slice 300; proxy_set_header Range $slice_range; proxy_http_version 1.1; proxy_pass http://{ADDR}:{PORT2}; } location /static/ { slice 100; alias {ROOT}/html/; } location /off/ { slice 0; alias {ROOT}/html/; }")
            .asks([
                "/digits.txt", "/a.txt", "/empty.txt", "/missing", "HEAD /digits.txt", "/digits.txt\nRange: bytes=0-10", "/digits.txt\nRange: bytes=299-301", "/digits.txt\nRange: bytes=500-", "/digits.txt\nRange: bytes=-10", "/digits.txt\nRange: bytes=1000-", "/digits.txt\nRange: bytes=0-1,500-501",
                "/noetag/digits.txt", "/norange/digits.txt", "/static/digits.txt", "/static/digits.txt\nRange: bytes=50-150", "/off/digits.txt", "/digits.txt\nRange: junk", "/digits.txt\nIf-Range: \"x\"\nRange: bytes=0-1", "/dir", "/dir/",
            ]),
        odd_slices(),
        entry("charset-of-another-server")
            .http("charset_map odd-b odd-a { 58 59; } server { listen {ADDR}:{PORT2}; charset odd-b; location / { add_header X-Accel-Charset odd-a; return 200 XYZ; } location /not/ { add_header X-Accel-Charset odd-c; return 200 XYZ; } }")
            .server("location / { proxy_pass http://{ADDR}:{PORT2}; }")
            .asks(["/", "/not/"]),
        entry("userid").unlike_errors("variables of the access log are read without a line of the error log", r#"GET /log/"#)
            .server(
                "location / { userid on; root {ROOT}/html; add_header X-Got \"$uid_got\"; add_header X-Set \"$uid_set\"; } location /v1/ { userid v1; alias {ROOT}/html/; } location /log/ { userid log; alias {ROOT}/html/; add_header X-Got \"$uid_got\"; } location /off/ { userid off; alias {ROOT}/html/; }
                 location /forms/ { userid on; userid_name odd; userid_domain .example.com; userid_path /p; userid_expires 365d; userid_p3p 'policyref=\"/x\"'; userid_mark z; userid_service 7; userid_flags secure samesite=lax; alias {ROOT}/html/; }
                 location /max/ { userid on; userid_expires max; userid_p3p none; alias {ROOT}/html/; } location /reset/ { userid on; set $uid_reset 1; alias {ROOT}/html/; } location /flags/ { userid on; userid_flags httponly samesite=none; alias {ROOT}/html/; } location /mark/ { userid on; userid_mark =; alias {ROOT}/html/; }",
            )
            .mask("(?<=uid=|odd=)[A-Za-z0-9+/]{10,}=*", "UID")
            .mask("(?<=expires=)[A-Z][a-z]{2}, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2} [0-9:]{8} GMT", "WHEN")
            .mask("uid=[0-9A-F]{32}", "uid=HEX")
            .asks(["/a.txt", "/v1/a.txt", "/log/a.txt", "/off/a.txt", "/forms/a.txt", "/max/a.txt", "/reset/a.txt", "/flags/a.txt", "/mark/a.txt", "/missing", "/dir"])
            .asks(
                ["", "log/", "reset/", "mark/", "v1/"]
                    .iter()
                    .flat_map(|place| {
                        ["uid=CrUKAFX1Mk0AAAABAwMDAg==", "uid=fwAAAWXxMk0AAAABAwMDAg==", "uid=short", "uid=", "uid=CrUKAFX1Mk0AAAABAwMDAg==; x=y", "x=y; uid=CrUKAFX1Mk0AAAABAwMDAg==", "uid=CrUKAFX1Mk0AAAABAwMDAg=z", "uid=***uKAFX1Mk0AAAABAwMDAg=="].map(|cookie| format!("/{place}a.txt\nCookie: {cookie}"))
                    })
                    .collect::<Vec<_>>(),
            ),
        entry("stub-status")
            .server("location /status { stub_status; } location /on { stub_status on; } location /vars { return 200 \"[$connections_active][$connections_reading][$connections_writing][$connections_waiting]\"; }")
            .mask("[0-9]+(?=[ \\n\\]])", "N")
            .mask("^[0-9]+$", "LENGTH")
            .mask("(?<=body=|sent=)~?[0-9]+", "N")
            .asks(["/status", "HEAD /status", "POST /status\n\nx", "PUT /status\n\nx", "/on", "/status/x?y", "/vars", "/status\nRange: bytes=0-1"]),
        entry("flv")
            .needs("--with-http_flv_module")
            .server("location / { flv; root {DIR}; } location /types/ { types { } default_type x/y; flv; alias {DIR}/; }")
            .file("a.flv", [b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00".to_vec(), digits(3000)].concat())
            .file("short.flv", "FLV")
            .file("empty.flv", "")
            .asks([
                "/a.flv", "/a.flv?start=0", "/a.flv?start=1", "/a.flv?start=13", "/a.flv?start=100", "/a.flv?start=3012", "/a.flv?start=3013", "/a.flv?start=3014", "/a.flv?start=99999", "/a.flv?start=-1", "/a.flv?start=x", "/a.flv?start=", "/a.flv?start=1.5", "/a.flv?x=1&start=100", "/a.flv?start=100&start=200",
                "/a.flv?START=100", "/short.flv?start=1", "/empty.flv?start=0", "/missing.flv", "/missing.flv?start=1", "HEAD /a.flv?start=100", "POST /a.flv?start=100\n\nx", "/a.flv\nRange: bytes=0-9", "/a.flv?start=100\nRange: bytes=0-20", "/a.flv?start=100\nIf-None-Match: *", "/types/a.flv?start=5", "/",
                "/a.flv/", "/a.flv?start=99999999999999999999",
            ]),
        media(),
    ]
}

fn gzip() -> Entry {
    let mut entry = entry("gzip").server(
        "gzip_min_length 1;
         location / { gzip on; } location /off/ { alias {ROOT}/html/; gzip off; } location /types/ { alias {ROOT}/html/; gzip on; gzip_types text/plain text/css; } location /all/ { alias {ROOT}/html/; gzip on; gzip_types *; } location /vary/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_vary on; }
         location /http10/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_http_version 1.0; } location /disable/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_disable msie6 'Bad.*Agent'; gzip_vary on; } location /level/ { alias {ROOT}/html/; gzip on; gzip_types *; gzip_comp_level 9; gzip_buffers 4 1k; }
         location /return { gzip on; gzip_types *; return 200 'text text text text text text'; } location /404 { gzip on; gzip_types *; return 404; } location /403 { gzip on; deny all; } location /500 { gzip on; return 500; } location /own404 { gzip on; error_page 404 /long.html; return 404; }
         location /list/ { alias {ROOT}/html/; index none; autoindex on; gzip on; } location /charset/ { alias {ROOT}/html/; gzip on; gzip_types *; charset utf-8; } location /headers/ { alias {ROOT}/html/; gzip on; gzip_types *; add_header Vary X; gzip_vary on; } location /encoded { gzip on; add_header Content-Encoding own; default_type text/html; return 200 'text text text text text text'; }
         location /ratio { gzip on; gzip_types *; add_trailer X-Ratio $gzip_ratio; return 200 'text text text text text text'; }"
            .replace("add_trailer X-Ratio $gzip_ratio; ", ""),
    );
    for accepts in [
        "gzip",
        "GZIP",
        "gzip, deflate",
        "deflate, gzip",
        "deflate",
        "gzip;q=0",
        "gzip;q=0.0",
        "gzip;q=0.000",
        "gzip;q=0.001",
        "gzip;q=1",
        "gzip;q=1.0",
        "gzip;q=1.001",
        "gzip; q=0.5",
        "gzip ;q=0.5",
        "gzip;q=",
        "gzip;q=x",
        "gzip;q=0.5, x",
        "x-gzip",
        "gzipx",
        "gzipped, gzip",
        "*",
        "identity",
        "identity, *;q=0",
        "",
        "br, gzip;q=0.1",
        "gzip,",
        ",gzip",
        "gzip;x=y",
        "xgzip, gzip",
        "gzip;q=2",
        "gzip\nAccept-Encoding: deflate",
        "deflate\nAccept-Encoding: gzip",
    ] {
        entry = entry.ask(format!("/long.html\nAccept-Encoding: {accepts}"));
    }
    for path in [
        "/long.html",
        "/a.txt",
        "/off/long.html",
        "/types/long.html",
        "/types/a.txt",
        "/types/style.css",
        "/types/script.js",
        "/all/a.txt",
        "/all/image.gif",
        "/all/empty.txt",
        "/all/big.txt",
        "/vary/a.txt",
        "/http10/a.txt",
        "/disable/a.txt",
        "/level/big.txt",
        "/return",
        "/404",
        "/403",
        "/500",
        "/own404",
        "/list/",
        "/charset/a.html",
        "/headers/a.txt",
        "/encoded",
        "/ratio",
        "/dir",
        "/missing",
        "/all/missing",
    ] {
        entry = entry
            .ask(path)
            .ask(format!("{path}\nAccept-Encoding: gzip"))
            .ask(format!("HEAD {path}\nAccept-Encoding: gzip"))
            .ask(format!("{path}\nAccept-Encoding: gzip\nVia: 1.0 p"))
            .raw(format!("GET {path} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"));
    }
    for agent in [
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT)",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
        "Mozilla/4.0 (compatible; MSIE 5.5)",
        "Mozilla/4.0 (compatible; MSIE 7.0)",
        "BadXAgent",
        "Badagent",
    ] {
        entry = entry.ask(format!("/disable/a.txt\nAccept-Encoding: gzip\nUser-Agent: {agent}"));
    }
    entry
        .ask("/long.html\nAccept-Encoding: gzip\nRange: bytes=0-9")
        .ask("/long.html\nAccept-Encoding: gzip\nIf-None-Match: *")
        .ask("POST /return\nAccept-Encoding: gzip\n\nbody")
        .keep([
            "/long.html\nAccept-Encoding: gzip",
            "/all/big.txt\nAccept-Encoding: gzip",
            "/return\nAccept-Encoding: gzip",
        ])
        .raw("GET /http10/a.txt HTTP/1.0\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n")
}

fn sub_filter() -> Entry {
    let mut entry = entry("sub-filter")
        .server(
            "root {DIR}; sub_filter_types *;
             location /one/ { alias {DIR}/; sub_filter one 1; } location /all/ { alias {DIR}/; sub_filter one 1; sub_filter_once off; } location /two/ { alias {DIR}/; sub_filter one 1; sub_filter two 2; sub_filter_once off; } location /two-once/ { alias {DIR}/; sub_filter one 1; sub_filter two 2; }
             location /case/ { alias {DIR}/; sub_filter ONE 1; sub_filter_once off; } location /var/ { alias {DIR}/; sub_filter $arg_a $arg_b; sub_filter_once off; } location /var2/ { alias {DIR}/; sub_filter two '[$uri]'; } location /empty/ { alias {DIR}/; sub_filter one ''; sub_filter_once off; }
             location /longer/ { alias {DIR}/; sub_filter one 'one one'; sub_filter_once off; } location /overlap/ { alias {DIR}/; sub_filter onet X; sub_filter etwo Y; sub_filter on Z; sub_filter_once off; } location /types/ { alias {DIR}/; sub_filter one 1; sub_filter_types text/css; }
             location /default/ { alias {DIR}/; sub_filter one 1; sub_filter_types text/html; } location /lm/ { alias {DIR}/; sub_filter one 1; sub_filter_last_modified on; } location /return { sub_filter one 1; return 200 'one two one'; } location /error { sub_filter Found Lost; return 404; }
             location /gzip/ { alias {DIR}/; sub_filter one 1; gzip on; gzip_types *; gzip_min_length 1; } location /across/ { alias {DIR}/; sub_filter 'e\\nt' '|'; output_buffers 1 16; sub_filter_once off; } location /aa/ { alias {DIR}/; sub_filter aab X; sub_filter_once off; }
             location /whole/ { alias {DIR}/; sub_filter 'one two one' all; } location /digits/ { alias {ROOT}/html/; sub_filter 0000100 HUNDRED; sub_filter 00 zz; sub_filter_once off; output_buffers 1 512; } location /nothing/ { alias {DIR}/; sub_filter absent X; }"
                .replace("'e\\nt'", "\"e\\nt\""),
        )
        .file("a.html", "one two one ONE One\n")
        .file("a.css", "one two one\n")
        .file("a.txt", "onetwo onetone twoone\none\ntwo\n")
        .file("aa.txt", "aaaaab aaab aab ab aaaa")
        .file("whole.txt", "one two one")
        .file("empty.txt", "")
        .file("end.txt", "the last is on")
        .file("bytes.txt", b"\x00one\xffone\xc3".to_vec());
    for place in [
        "one", "all", "two", "two-once", "case", "var2", "empty", "longer", "overlap", "types", "default",
        "lm", "gzip", "across", "aa", "whole", "nothing",
    ] {
        for name in ["a.html", "a.css", "a.txt", "aa.txt", "whole.txt", "empty.txt", "end.txt", "bytes.txt"] {
            entry = entry.ask(format!("/{place}/{name}"));
        }
        entry = entry.ask(format!("HEAD /{place}/a.html")).ask(format!("/{place}/a.html\nRange: bytes=0-5"));
    }
    entry
        .asks([
            "/var/a.html?a=one&b=1",
            "/var/a.html?a=two&b=$x",
            "/var/a.html?a=&b=1",
            "/var/a.html",
            "/return",
            "/error",
            "/gzip/a.html\nAccept-Encoding: gzip",
            "/digits/digits.txt",
            "/digits/big.txt",
            "/one/missing",
            "/one/a.html\nIf-None-Match: *",
        ])
        .raw("GET /one/a.html HTTP/1.0\r\n\r\n")
        .keep(["/one/a.html", "/lm/a.html"])
}

fn media() -> Entry {
    let mut entry = entry("mp4")
        .needs("--with-http_mp4_module")
        .server("location / { mp4; root {DIR}; } location /small/ { mp4; mp4_buffer_size 1k; mp4_max_buffer_size 2k; alias {DIR}/; } location /key/ { mp4; mp4_start_key_frame on; alias {DIR}/; }")
        .file("slow.mp4", mp4(false))
        .file("fast.mp4", mp4(true))
        .file("junk.mp4", "not mp4 at all, but long enough to be read as boxes")
        .file("short.mp4", "xx")
        .file("empty.mp4", "")
        .file("cut.mp4", mp4(true)[..2000].to_vec());
    for path in ["/slow.mp4", "/fast.mp4", "/key/fast.mp4"] {
        for args in [
            "",
            "?start=0",
            "?start=1",
            "?start=1.5",
            "?start=2.55",
            "?start=5.9",
            "?start=6",
            "?start=100",
            "?start=-1",
            "?start=x",
            "?start=",
            "?end=2",
            "?end=0",
            "?end=100",
            "?end=0.7",
            "?end=2.5",
            "?end=3.55",
            "?end=5.9",
            "?start=1&end=2.5",
            "?start=1&end=3",
            "?start=3&end=1",
            "?start=2&end=2",
            "?start=1&end=x",
            "?start=0.001",
            "?start=1.2345",
            "?x=y&start=4",
            "?start=00001",
        ] {
            entry = entry.ask(format!("{path}{args}"));
        }
    }
    entry.asks([
        "/junk.mp4",
        "/junk.mp4?start=1",
        "/short.mp4?start=1",
        "/empty.mp4?start=1",
        "/cut.mp4?start=1",
        "/missing.mp4?start=1",
        "/small/fast.mp4?start=1",
        "HEAD /fast.mp4?start=1",
        "POST /fast.mp4?start=1\n\nx",
        "/fast.mp4\nRange: bytes=0-9",
        "/fast.mp4?start=1\nRange: bytes=0-99",
        "/fast.mp4?start=1\nRange: bytes=4000-4100",
        "/fast.mp4?start=1\nIf-None-Match: *",
        "/",
        "/fast.mp4/?start=1",
    ])
}

/// Slices whose backend has a reason text of its own, or which are longer or shorter than their range.
fn odd_slices() -> Entry {
    let slice = |range: &str, body: &str| {
        let length = body.len();
        sends(&format!(
            "HTTP/1.1 206 Partly\r\nContent-Range: bytes {range}\r\nContent-Length: {length}\r\nETag: \"x\"\r\n\r\n{body}"
        ))
    };
    // The second slice is another response.
    let location = |name: &str, first: &str, second: &str| {
        format!(
            "location = /{name} {{ set $part {first}; if ($http_range = bytes=4-7) {{ set $part {second}; }} proxy_pass http://{{BACKEND}}$part; }}"
        )
    };
    let (first, second) = (slice("0-3/8", "0123"), slice("4-7/8", "4567"));
    let cut = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\nAccept-Ranges: bytes\nConnection: close\nContent-Length: 8\nDate: DATE\nETag: \"x\"\nServer: PRODUCT\n\n{body}\n=== closed\n"
        )
    };
    let whole = || cut("01234567(no line end)");
    entry("odd-slices")
        .unlike_errors("nginx does not notice it", r#"is shorter than its range"#)
        .needs("http_slice_module")
        .http(format!(
            "server {{ listen {{ADDR}}:{{PORT2}}; {} }}",
            [
                location("whole", &first, &second),
                location("long", &slice("0-3/8", "0123more"), &second),
                location("long2", &first, &slice("4-7/8", "4567more")),
                location("short", &slice("0-3/8", "01"), &second),
                location("short2", &first, &slice("4-7/8", "45")),
            ]
            .concat()
        ))
        .server(
            "location / { slice 4; proxy_set_header Range $slice_range; proxy_pass http://{ADDR}:{PORT2}; }",
        )
        .asks(["/whole", "/whole\nRange: bytes=2-5", "/whole\nRange: bytes=0-1"])
        .ask("/long")
        .own("bytes behind the range of a slice are not those of the next one", whole())
        .ask("/long2")
        .own("bytes behind the range of a slice are not sent behind the response", whole())
        .ask("/short")
        .own(
            "the next slice is not sent in place of missing bytes",
            cut("01(no line end)\n!!! body cut short"),
        )
        .ask("/short2")
}
