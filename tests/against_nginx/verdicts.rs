//! What `-t` says about lines of `http { }`: both programs must say the same.

use std::fs;
use std::process::Command;

use crate::run::Settings;
use crate::side::NGINX;
use crate::support::server::PROGRAM;

/// The lines.
const LINES: &[&str] = &[
    "upstream a { server 127.0.0.1; } server { location / { proxy_pass http://a:80; } }",
    "upstream a { server 127.0.0.1; } server { location / { proxy_pass http://A:81/; } }",
    "server { location / { proxy_pass http://127.0.0.1:81; } } upstream a { server 127.0.0.1; }",
    "proxy_ssl_certificate c.crt; server { location / { proxy_pass http://127.0.0.1; } }",
    "secure_link_secret a;",
    "server { secure_link_secret a; }",
    "server { location / { secure_link_secret a; secure_link a; } }",
    "server { location / { secure_link_secret a; secure_link_md5 a; location /b { secure_link_secret b; } } }",
    "server { location / { secure_link_secret a; location /b { secure_link a;} } }",
    "server { secure_link a; location / { secure_link_secret a; location /b { secure_link a;} } }",
    "server { location / { internal; internal; } }",
    "upstream a { ip_hash; ip_hash; server 127.0.0.1; }",
    "server{ location ~ z {} location ~ z {} }",
    "types { a/b c; } types { a/d c; a/b x; }",
    "gzip_types a/b a/b; gzip_types text/html *; gzip_types a/b c/d;",
    "gzip_types * a/b text/html;",
    "gzip_types text/html;",
    "charset_types text/html text/xml text/xml;",
    "gzip_disable msie6; gzip_disable \"a\"; sub_filter_types a/b; sub_filter_types a/b; addition_types a/b; addition_types x/y;",
    "index a; index b;",
    "index /a b;",
    "index b /a;",
    "index a$uri /b;",
    "limit_req_status 399;",
    "limit_conn_status 600;",
    "limit_conn_status x;",
    "limit_conn_status 400;",
    "source_charset koi8-r; charset utf-8;",
    "source_charset koi8-r; server { charset koi8-r; }",
    "source_charset koi8-r; server { charset $x; set $x a; }",
    "charset_map koi8-r utf-8 { } source_charset utf-8; server { charset koi8-r; }",
    "override_charset on; source_charset koi8-r; charset utf-8;",
    "resolver 127.0.0.1 escape=json;",
    "resolver 127.0.0.1 ipv6=x;",
    "resolver 127.0.0.1:0;",
    "resolver 127.0.0.1 valid=x;",
    "open_log_file_cache max=1 min_uses=0;",
    "open_file_cache max=1 inactive=0;",
    "disable_symlinks on from=;",
    "disable_symlinks off from=/x;",
    "disable_symlinks from=/x;",
    "disable_symlinks on from=x;",
    "disable_symlinks on from=/x;",
    "error_page =404 /x;",
    "error_page 404 =200;",
    "error_page 299 /x;",
    "error_page 404 = /x;",
    "error_page 404 =abc /x;",
    "error_page 404 =0 /x;",
    "error_page 499 /x;",
    "expires on $uri;",
    "expires foo $uri;",
    "expires modified $uri;",
    "expires modified +1h;",
    "expires @1h;",
    "expires modified @1h;",
    "expires modified max;",
    "expires foo;",
    "expires -1x;",
    "send_lowat 1;",
    "proxy_send_lowat 1;",
    "gzip_window 3k;",
    "gzip_window 4k;",
    "gzip_window 64k;",
    "gzip_hash 3k;",
    "request_pool_size 1;",
    "request_pool_size 64;",
    "connection_pool_size 0;",
    "connection_pool_size 17;",
    "connection_pool_size 256;",
    "large_client_header_buffers 1 2;",
    "large_client_header_buffers 4 8k;",
    "client_header_buffer_size 1;",
    "error_log memory:1;",
    "error_log memory:1k;",
    "connection_pool_size 120;",
    "connection_pool_size 100;",
    "request_pool_size 120;",
    "http2_pool_size 100;",
    "gzip_window 0;",
    "gzip_window x;",
    "gzip_window 500;",
    "gzip_window 33k;",
    "index \"\";",
    "index a/ /b/;",
    "gzip_hash 256;",
    "gzip_hash 512k;",
    "server { secure_link a; secure_link_md5 b; location / { secure_link_secret c; } }",
    "secure_link_secret c; secure_link a; server { location / { } }",
    "gzip_types a/b; server { gzip_types a/b; location / { gzip_types c/d; gzip_types e/f e/f;} }",
    "types { a/b c; } server { types { a/b d; } location / { types { a/b c; } types { } } }",
    "types { a/b c c; }",
    "resolver localhost;",
    "resolver localhost:53 127.0.0.1;",
];

/// Lines about which ours says something else, and why.
const UNLIKE: &[(&str, &str)] = &[
    ("client_body_buffer_size 0;", "refused, as in later versions"),
    ("resolver nowhere.invalid;", "a name is resolved when it is needed"),
    ("resolver unix:/x;", "refused, because nginx never asks it"),
    ("server { server_name *.a.*; }", "refused, because nginx matches it with no name"),
    ("server { location / { flv; mp4; flv; } }", "warned of what does not answer"),
    ("server { location @z { } location @z { } }", "warned of what is not used"),
    ("aio on;", "taken, and not needed"),
    ("aio threads=x;", "taken, and not needed"),
    ("add_header a ${1}x;", "a group in braces is a group"),
    ("index $uri \"\";", "nginx names the first word"),
    (
        "proxy_ssl_certificate c.crt; server { location / { proxy_pass https://127.0.0.1; } }",
        "nginx names no line",
    ),
    ("server { source_charset koi8-r; charset utf-8; }", "nginx names no line"),
    ("server { listen 8080; return 200 $1; }", "warned of what is empty"),
];

#[test]
fn both_say_the_same_about_a_configuration() {
    if Settings::read().is_none() {
        return;
    }
    let base = std::env::temp_dir().join(format!("against-{}-verdicts", std::process::id()));
    fs::create_dir_all(base.join("logs")).unwrap();
    let said = |line: &str| [NGINX, PROGRAM].map(|program| verdict(program, &base, line));
    let mut wrong = Vec::new();
    for line in LINES {
        let [nginx, ours] = said(line);
        if nginx != ours {
            wrong.push(format!("{line}\n  nginx:   {nginx:?}\n  pingosd: {ours:?}"));
        }
    }
    for (line, why) in UNLIKE {
        let [nginx, ours] = said(line);
        if nginx == ours {
            wrong.push(format!("{line}\n  both, although listed as {why:?}: {ours:?}"));
        }
    }
    fs::remove_dir_all(&base).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Errors and warnings of a program, and whether it takes the lines.
fn verdict(program: &str, base: &std::path::Path, line: &str) -> (bool, Vec<String>) {
    let conf = base.join("nginx.conf");
    fs::write(&conf, format!("events {{ }}\nhttp {{ access_log off; {line} }}\n")).unwrap();
    let mut command = Command::new(program);
    command.arg("-t").arg("-p").arg(base).arg("-c").arg(&conf);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_said = |line: &&str| ["[warn]", "[emerg]"].iter().any(|level| line.contains(level));
    // Either the name of the program precedes, or the time and, behind the level, the process.
    let process = pcre2::bytes::Regex::new("^.*?(\\[[a-z]+\\] )(?:[0-9]+#[0-9]+: )?").unwrap();
    let sentence = |line: &str| {
        let found = process.captures(line.as_bytes()).unwrap().expect("the line has a level");
        let level = String::from_utf8_lossy(&found[1]).into_owned();
        level + &line[found[0].len()..]
    };
    // Debian's nginx tells of its log, which only root may open.
    let is_own = |line: &String| !line.contains("/var/log/nginx");
    (output.status.success(), text.lines().filter(is_said).map(sentence).filter(is_own).collect())
}
