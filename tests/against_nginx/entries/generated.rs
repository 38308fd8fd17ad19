//! Values put together at random, always the same ones.

use crate::entry::{Entry, entry};
use crate::fixture::MTIME;
use crate::support::raw::Random;

/// Some of the parts, put together.
fn join(random: &mut Random, parts: &[&str], most: usize) -> String {
    (0..1 + random.below(most)).map(|_| parts[random.below(parts.len())]).collect()
}

pub fn entries() -> Vec<Entry> {
    vec![
        conditions(),
        hosts(),
        values(
            "args",
            0x5eed_0011,
            "return 200 \"[$arg_a][$arg_b][$arg_ab][$args][$is_args][$uri]\";",
            |random| {
                let parts = [
                    "a", "b", "ab", "A", "=", "&", "=1", "&a=", "%20", "%41", "+", ";", "?", "&&", "=b", "x",
                    "/", "%", "#",
                ];
                format!("/p?{}", join(random, &parts, 8))
            },
        ),
        values("cookies", 0x5eed_0012, "return 200 \"[$cookie_a][$cookie_b][$cookie_ab]\";", |random| {
            let parts = [
                "a", "b", "ab", "A", "=", ";", "; ", "=1", "a=2", "b=3", ",", " ", "\"", "==", "x=", ";;",
                "ab=4",
            ];
            format!("/\nCookie: {}", join(random, &parts, 8))
        }),
        values(
            "accept-encoding",
            0x5eed_0013,
            "gzip on; gzip_min_length 1; gzip_types *; return 200 'text text text text text';",
            |random| {
                let parts = [
                    "gzip", "deflate", "*", "x-gzip", ",", ", ", ";", ";q=0", ";q=1", ";q=0.5", ";q=0.000",
                    "; q=0", " ", "q", "identity", "GZip", ";q=", ".0",
                ];
                format!("/\nAccept-Encoding: {}", join(random, &parts, 6))
            },
        ),
        values(
            "forwarded-for",
            0x5eed_0014,
            "set_real_ip_from 127.0.0.0/8; set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on; return 200 \"[$remote_addr][$proxy_add_x_forwarded_for]\";",
            |random| {
                let parts = [
                    "1.2.3.4",
                    "10.0.0.1",
                    "10.9.9.9",
                    ", ",
                    ",",
                    " ",
                    "::1",
                    "2001:db8::5",
                    "junk",
                    "127.0.0.1",
                    ":80",
                    "[::1]:8",
                    "256.0.0.1",
                    "1.2.3",
                    "unix:",
                ];
                format!("/\nX-Forwarded-For: {}", join(random, &parts, 6))
            },
        ).own_for(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For:  :80::1 \r\n",
            "an IPv6 address does not begin with one colon",
            "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 30\nContent-Type: text/plain\nDate: DATE\nServer: PRODUCT\n\n[127.0.0.1][:80::1, 127.0.0.1](no line end)\n=== closed\n",
        ),
        values(
            "referers",
            0x5eed_0015,
            "server_name own.example; valid_referers none blocked server_names example.com *.wild.org tail.* path.com/dir ~re[0-9]; return 200 \"[$invalid_referer]\";",
            |random| {
                let parts = [
                    "http://",
                    "https://",
                    "HTTP://",
                    "example.com",
                    "www.",
                    "wild.org",
                    "x.wild.org",
                    "tail.",
                    "tail.net",
                    "path.com",
                    "/dir",
                    "/",
                    ":80",
                    "re7",
                    "own.example",
                    "?x",
                    "@",
                    ".",
                ];
                format!("/\nReferer: {}", join(random, &parts, 5))
            },
        ),
        values("rewritten", 0x5eed_0016, REWRITES, |random| {
            let parts = ["/a", "/b", "/c", "/x", "/y", "/", "?q=1", "%20", "1", "2", "//", ".txt", "/../"];
            format!("/{}", join(random, &parts, 6).trim_start_matches('/'))
        }),
        values(
            "types",
            0x5eed_0017,
            "root {DIR}; try_files /none =404; error_page 404 = @t; types { text/a a; text/b b tar.gz; text/c C; } location @t { return 200 x; }",
            |random| {
                let parts = [
                    "/", ".", "a", "b", "c", "C", "A", "tar", "gz", ".a", ".b", ".c", "%2e", "x", "?", ".a/",
                    "+",
                ];
                format!("/{}", join(random, &parts, 6))
            },
        ),
        values("connection", 0x5eed_0018, "return 200 \"[$http_connection][$http_keep_alive]\";", |random| {
            let parts =
                ["close", "keep-alive", "Close", "Keep-Alive", ", ", ",", " ", "x", "upgrade", "TE", ";"];
            let version = if random.below(2) == 0 { "1.0" } else { "1.1" };
            format!("GET / HTTP/{version}\nConnection: {}", join(random, &parts, 3))
        }),
    ]
}

const REWRITES: &str = "
    rewrite ^/a/(.*)$ /b/$1;
    rewrite ^/b/(.+)/(.+)$ /c/$2/$1 last;
    rewrite ^/x(.*)y$ /y$1x? break;
    if ($uri ~ ^/c/(?<rest>.*)1$) { set $v $rest; rewrite ^ /y/$rest; }
    location / { return 200 \"root [$uri][$args][$v]\"; }
    location /c { rewrite ^/c/(.*)/(.*) /$2?from=$1 last; return 200 \"c [$uri][$args][$v]\"; }
    location /y { rewrite ^/y/(.)(.*)$ /z/$2$1 last; return 200 \"y [$uri][$args][$v]\"; }
    location ~ \\.txt$ { return 200 \"txt [$uri][$args][$v]\"; }
    location ~ ^/z/(.*)(\\d) { return 200 \"z [$1][$2][$uri][$args][$v]\"; }
    location = /b { return 302 /elsewhere$is_args$args; }";

/// Number of entries of each kind.
const COUNT: usize = 150;

fn values(name: &'static str, seed: u64, server: &str, value: impl Fn(&mut Random) -> String) -> Entry {
    let mut random = Random::new(seed);
    (0..COUNT).fold(entry(name).server(server), |entry, _| {
        let short = value(&mut random);
        entry.ask(short)
    })
}

fn conditions() -> Entry {
    let own = format!("\"{MTIME:x}-7\"");
    let tags = [
        own.clone(),
        format!("W/{own}"),
        "\"x\"".to_owned(),
        "*".to_owned(),
        format!("\"x\", {own}"),
        "junk".to_owned(),
    ];
    let times = [
        "Wed, 03 Mar 2021 04:05:05 GMT",
        "Wed, 03 Mar 2021 04:05:06 GMT",
        "Wed, 03 Mar 2021 04:05:07 GMT",
        "junk",
    ];
    let ranges = ["bytes=0-1", "bytes=9-", "bytes=0-1,3-4", "bytes=x"];
    let mut random = Random::new(0x5eed_0010);
    let mut entry = entry("conditions").server("location /before/ { alias {ROOT}/html/; if_modified_since before; } location /noetag/ { alias {ROOT}/html/; etag off; }");
    for _ in 0..2 * COUNT {
        let mut request =
            ["/a.txt", "/before/a.txt", "/noetag/a.txt", "HEAD /a.txt"][random.below(4)].to_owned();
        for header in ["If-Match", "If-None-Match"] {
            if random.below(2) == 0 {
                request.push_str(&format!("\n{header}: {}", tags[random.below(tags.len())]));
            }
        }
        for header in ["If-Modified-Since", "If-Unmodified-Since"] {
            if random.below(2) == 0 {
                request.push_str(&format!("\n{header}: {}", times[random.below(times.len())]));
            }
        }
        if random.below(2) == 0 {
            request.push_str(&format!("\nRange: {}", ranges[random.below(ranges.len())]));
            match random.below(3) {
                0 => request.push_str(&format!("\nIf-Range: {}", tags[random.below(tags.len())])),
                1 => request.push_str(&format!("\nIf-Range: {}", times[random.below(times.len())])),
                _ => {}
            }
        }
        entry = entry.ask(request);
    }
    entry
}

fn hosts() -> Entry {
    let mut random = Random::new(0x5eed_0019);
    let names = [
        "a.com",
        "*.a.com",
        ".b.com",
        "c.*",
        "www.c.*",
        "*.x.a.com",
        "~^r(?<n>\\d+)\\.",
        "b.com.net",
        "\"\"",
        "*.com",
    ];
    let mut entry = entry("hosts")
        .bare()
        .http("server { listen {ADDR}:{PORT}; server_name -; return 200 \"default [$host]\"; }");
    for name in names {
        let text = name.replace(['\\', '$', '"', '<', '>'], "");
        entry = entry.http(format!(
            "server {{ listen {{ADDR}}:{{PORT}}; server_name {name}; return 200 \"{text} [$host]\"; }}"
        ));
    }
    let parts = [
        "a", "b", "c", "x", ".", ".", "com", "net", "www", "a.com", "b.com", "c.org", "r12", "A", ":80", "-",
        "_", "..", "/", "@", "[::1]",
    ];
    for _ in 0..2 * COUNT {
        entry = entry.ask(format!("/\nHost: {}", join(&mut random, &parts, 6)));
    }
    entry
}
