//! What holds for any bytes that a client sends on an HTTP connection. Shared by the fuzz target and the replay of its corpus.
//!
//! The bytes go through a server in this process, with its real parser, phases, handlers and writer, over a Unix socket.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use pingosd::config::{LoadOptions, load};
use pingosd::modules::LANGUAGE;
use pingosd::server;

/// More input is cut: it would only repeat.
const INPUT: usize = 64 * 1024;

/// The least that a request takes, and the most that one is answered with.
const SHORTEST_REQUEST: usize = "GET /\n".len();
const LONGEST_RESPONSE: usize = 256 * 1024;

/// A server that is silent for so long waits for more of a request; then it is told that nothing follows.
const PAUSE: Duration = Duration::from_millis(4);

/// A server that has not closed after so long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// `X-Method` tells of each response whether its body is left out.
const CONF: &str = r#"
daemon off; user root; worker_processes 1; error_log logs/error.log crit;
events { }
http {
    charset_map windows-1251 utf-8 { C0 D090; C1 D091; E0 D0B0; }
    log_format all escape=json '$request $status $body_bytes_sent $bytes_sent $uri $args $http_x $cookie_a $request_length '
                               '$sent_http_content_type $mapped $remote_user $request_completion $host $gzip_ratio';
    access_log /dev/null all;
    map $arg_x $mapped { default d$arg_x; ~^(?<digits>\d+)$ n$digits$1; volatile; }
    geo $http_x_forwarded_for $far { default near; 10.0.0.0/8 far; }
    split_clients $request_uri $half { 50% a; * b; }
    limit_conn_zone $arg_zone zone=conns:1m;
    types { text/html html; text/plain txt; video/mp4 mp4; video/x-flv flv; }
    server {
        listen unix:socket; server_name localhost ~^(?<sub>\w+)\.example$;
        root html; add_header X-Method $request_method always;
        keepalive_timeout 5s; client_header_timeout 5s; client_body_timeout 5s; lingering_timeout 1s;
        client_header_buffer_size 256; large_client_header_buffers 3 1k; client_max_body_size 2k;
        error_page 404 /pages/404.html; error_page 405 =200 @named; error_page 497 =302 https://$host/;
        set_real_ip_from unix:; real_ip_header X-Forwarded-For; real_ip_recursive on;
        location @named { return 200 "[named $status]"; }
        location /show { return 200 "[$request_method $uri $args $arg_a $http_host $cookie_a $mapped $far $half $sub]"; }
        location /files/ { alias html/; etag on; max_ranges 4; }
        location /list/ { alias html/; autoindex on; }
        location /json/ { alias html/; autoindex on; autoindex_format json; }
        location /gzip/ { alias html/; gzip on; gzip_min_length 1; gzip_types *; gzip_vary on; }
        location /sub/ { alias html/; sub_filter a "[$arg_a]"; sub_filter_once off; sub_filter_types *; }
        location /charset/ { alias html/; charset utf-8; source_charset windows-1251; charset_types *; }
        location /around/ { alias html/; addition_types *; add_before_body /show; add_after_body /missing; }
        location /trailer/ { alias html/; add_trailer X-T $uri; }
        location /expires/ { alias html/; expires $arg_e; add_header X-A $arg_a; add_header_inherit merge; }
        location /try/ { try_files $arg_f $uri $uri/ /show?tried =404; }
        location /index/ { alias html/; index $arg_i a.txt; }
        location /rewrite/ { rewrite ^/rewrite/(.*)$ /$1; }
        location /rewrite-args/ { rewrite ^/rewrite-args/(.*)$ /show?path=$1 last; }
        location /redirect/ { rewrite ^/redirect/(.*)$ http://$host/$1 redirect; }
        location /return/ { return 302 $scheme://$host$uri; }
        location /if/ { if ($arg_a ~ ^(.)(.)) { return 200 "[$2$1]"; } if (-f $request_filename) { return 403; } alias html/; }
        location /auth/ { alias html/; auth_basic realm; auth_basic_user_file users; }
        location /request/ { alias html/; auth_request /check; }
        location = /check { internal; if ($arg_deny) { return 403; } return 204; }
        location /mirror/ { alias html/; mirror /show; }
        location /limit/ { alias html/; limit_conn conns 1; limit_except GET { deny all; } }
        location /secure/ { alias html/; secure_link $arg_md5,$arg_e; secure_link_md5 "$uri x"; if ($secure_link = "") { return 403; } }
        location /referer/ { alias html/; valid_referers none blocked server_names *.example; if ($invalid_referer) { return 403; } }
        location /uid/ { alias html/; userid on; }
        location /mp4/ { alias html/; mp4; }
        location /flv/ { alias html/; flv; }
        location /gif { empty_gif; }
        location /status { stub_status; }
        location /444 { return 444; }
        location /slow { limit_rate 1m; alias html/; }
        location ~ \.cgi(?<rest>/.*)?$ { return 200 "[$rest]"; }
        location ^~ /internal/ { internal; }
    }
}
"#;

/// The first panic of any thread.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Sends the bytes, of an odd number in two packets, and checks the responses.
pub fn connection(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(INPUT)];
    let mut socket = connect();
    socket.set_read_timeout(Some(PAUSE)).expect("a timeout can be set");
    socket.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut received = Vec::new();
    let begin = Instant::now();
    let sending = {
        let (mut socket, sent) = (socket.try_clone().expect("a descriptor is left"), bytes.to_vec());
        // What the server answers meanwhile is read here, or both would wait.
        let mut send = move || {
            let (first, second) = sent.split_at(if sent.len() % 2 == 1 { sent.len() / 2 } else { 0 });
            // The server may close before it has read all.
            let _ = socket.write_all(first);
            if !first.is_empty() {
                thread::sleep(PAUSE);
            }
            socket.write_all(second)
        };
        if bytes.len() > 4096 {
            Some(thread::spawn(send))
        } else {
            drop(send());
            None
        }
    };
    let mut buffer = [0; 64 * 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if sending.as_ref().is_none_or(thread::JoinHandle::is_finished) {
                    let _ = socket.shutdown(Shutdown::Write);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "the server neither answers nor closes: {}",
            received.escape_ascii()
        );
        let most = (bytes.len() / SHORTEST_REQUEST + 1) * LONGEST_RESPONSE;
        assert!(received.len() <= most, "{} bytes answer {}", received.len(), bytes.len());
    }
    drop(socket);
    if let Some(sending) = sending {
        let _ = sending.join();
    }
    if let Some(text) = &*PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        panic!("the server has panicked: {text}");
    }
    let mut rest = &received[..];
    while !rest.is_empty() {
        rest = response(rest);
    }
}

/// Checks the response at the beginning of what was received; the rest is returned.
fn response(received: &[u8]) -> &[u8] {
    let Some(line) = received.strip_prefix(b"HTTP/1.1 ") else {
        // HTTP/0.9: a body until the end.
        return b"";
    };
    let fault =
        |what: &str| -> ! { panic!("{what}: {}", received[..received.len().min(2000)].escape_ascii()) };
    let Some(end) = line.windows(4).position(|part| part == b"\r\n\r\n") else { fault("an unfinished head") };
    let (head, body) = (&line[..end], &line[end + 4..]);
    let mut lines = Lines(head);
    let status = lines.next().unwrap_or_default();
    let digits = status
        .get(..3)
        .filter(|digits| digits.iter().all(u8::is_ascii_digit) && status.get(3) == Some(&b' '));
    let Some(digits) = digits else { fault("no status") };
    let (mut length, mut is_chunked, mut is_head, mut is_last) = (None, false, false, false);
    for line in lines {
        let Some(colon) = line.windows(2).position(|part| part == b": ") else {
            fault("a header without a colon")
        };
        let (name, value) = (&line[..colon], &line[colon + 2..]);
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty() || !name.iter().all(is_token) {
            fault("a header with an invalid name");
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            fault("a header with a line end");
        }
        match &name.to_ascii_lowercase()[..] {
            b"content-length" => {
                let text = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
                if length.is_some() || text.is_none() {
                    fault("a wrong Content-Length");
                }
                length = text;
            }
            b"transfer-encoding" if value == b"chunked" && !is_chunked => is_chunked = true,
            b"transfer-encoding" => fault("a wrong Transfer-Encoding"),
            b"x-method" => is_head = value == b"HEAD",
            b"connection" => is_last = value == b"close",
            _ => {}
        }
    }
    if is_chunked && length.is_some() {
        fault("Content-Length and chunks");
    }
    let rest = match (digits, length) {
        ([b'1', ..] | b"204" | b"304", _) => body,
        _ if is_head => body,
        (_, Some(length)) => body.get(length..).unwrap_or_else(|| fault("a body that is cut")),
        (_, None) if is_chunked => after_chunks(body).unwrap_or_else(|| fault("wrong chunks")),
        (_, None) if is_last => b"",
        (_, None) => fault("a body without an end"),
    };
    if is_last && !rest.is_empty() {
        fault("more after Connection: close");
    }
    rest
}

/// What follows a body in chunks, and its trailers.
fn after_chunks(mut body: &[u8]) -> Option<&[u8]> {
    loop {
        let end = body.windows(2).position(|part| part == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).ok()?, 16).ok()?;
        body = &body[end + 2..];
        if size == 0 {
            break;
        }
        body = body.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let end = body.windows(2).position(|part| part == b"\r\n")?;
        let line = &body[..end];
        body = &body[end + 2..];
        if line.is_empty() {
            return Some(body);
        }
        line.windows(2).position(|part| part == b": ")?;
    }
}

/// The lines of a head.
struct Lines<'h>(&'h [u8]);

impl<'h> Iterator for Lines<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.windows(2).position(|part| part == b"\r\n");
        let (line, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 2..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        Some(line)
    }
}

/// A connection to the server, which is started with the first one.
fn connect() -> UnixStream {
    static SOCKET: OnceLock<PathBuf> = OnceLock::new();
    let path = SOCKET.get_or_init(start);
    UnixStream::connect(path).expect("the server listens")
}

/// Starts the server; its socket is returned once it listens.
fn start() -> PathBuf {
    let prefix = std::env::temp_dir().join(format!("pingosd-fuzz-http-{}", std::process::id()));
    let _ = fs::remove_dir_all(&prefix);
    let write = |path: &str, contents: &[u8]| {
        let path = prefix.join(path);
        fs::create_dir_all(path.parent().expect("it is in the prefix")).expect("directories can be made");
        fs::write(path, contents).expect("files can be written");
    };
    write(
        "conf/nginx.conf",
        CONF.replace("unix:socket", &format!("unix:{}/socket", prefix.display())).as_bytes(),
    );
    write("conf/users", b"user:{PLAIN}pass\n");
    write("logs/error.log", b"");
    write("html/a.txt", b"text a\n");
    write("html/index.html", b"<html><body>a</body></html>\n");
    write("html/long.txt", "All work and no play. \u{e4}\n".repeat(400).as_bytes());
    write("html/dir/b.txt", b"b");
    write("html/pages/404.html", b"[no page]");
    write("html/a.flv", b"FLV\x01\x05\0\0\0\x09\0\0\0\0data");
    write("html/a.mp4", include_bytes!("../corpus/mp4/front-0"));
    let options = LoadOptions::choose(&LANGUAGE, Some(prefix.clone()), None, Vec::new(), None);
    let config = load(&options).unwrap_or_else(|report| {
        let style = pingosd::syntax::render::Style { colour: false, brief: false };
        panic!("{}", String::from_utf8_lossy(&report.render(style)))
    });
    let prepared = server::prepare(config, options).unwrap_or_else(|error| panic!("{error}"));
    thread::spawn(|| prepared.run());
    let socket = prefix.join("socket");
    let begin = Instant::now();
    while UnixStream::connect(&socket)
        .and_then(|mut socket| {
            socket.write_all(b"GET /444 HTTP/1.0\r\n\r\n")?;
            socket.read(&mut [0])
        })
        .is_err()
    {
        assert!(begin.elapsed() < PATIENCE, "the server does not listen");
        thread::sleep(PAUSE);
    }
    // The server has set its own hook.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string();
        PANIC.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(text);
        before(panic);
    }));
    socket
}
