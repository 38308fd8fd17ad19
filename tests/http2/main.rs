//! HTTP/2: requests that share a connection, windows, live streams, and the end of connections.

mod client;
mod frames;
mod hostile;
mod priorities;
mod requests;
mod rests;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::time::Duration;

use client::Client;
use frames::{DATA, END_STREAM, HEADERS, PING, RESET, Raw, frame};
use http::Method;
use nix::sys::signal::Signal;
use support::http::get;
use support::server::free_port;
use support::tool::run;
use support::wait::PATIENCE;
use support::{Conf, Publisher, Server};

const SAYS: &str = "location /says { return 200 \"$server_protocol $http2 $connection_requests $request_length $bytes_sent $scheme\n\"; }";

fn start(http_server: &str) -> Server {
    Server::start(
        &Conf::live("cache_time 1s; idle_streams off;")
            .http_server(&format!("http2 on; {SAYS} {http_server}")),
    )
}

/// Directives with a certificate and its key.
fn certificate() -> String {
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    format!("ssl_certificate {}; ssl_certificate_key {};", file("origin.crt"), file("origin.key"))
}

#[test]
fn requests_share_a_connection() {
    let server = start("");
    let client = Client::open(server.http);
    let answers: Vec<_> = (0..3).map(|_| client.ask(Method::GET, "/says", None)).collect();
    for (number, answer) in answers.into_iter().enumerate() {
        let (parts, mut body) = client.head(answer).unwrap().into_parts();
        let text = String::from_utf8(client.body(&mut body).unwrap()).unwrap();
        assert!(text.starts_with(&format!("HTTP/2.0 h2c {} ", number + 1)), "{text}");
        assert_eq!(parts.version, http::Version::HTTP_2);
        assert!(parts.headers.get("connection").is_none());
    }
    // Other clients of the same port speak HTTP/1.
    assert!(get(server.http, "/says").text().starts_with("HTTP/1.1  1 "));
    assert_eq!(get(server.http, "/missing").status(), 404);
}

#[test]
fn curl_speaks_it_with_and_without_tls() {
    let (tls, only) = (free_port(), free_port());
    let certificate = certificate();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{tls} ssl http2; {certificate} {SAYS} }}
         server {{ listen 127.0.0.1:{only} http2; {SAYS} }}"
    )));
    let curl = |args: &[&str], url: &str| {
        let args = [&["-sk", "-m", "20", "-w", "%{http_version}"], args, &[url]].concat();
        String::from_utf8_lossy(&run("curl", &args).stdout).into_owned()
    };
    let https = format!("https://127.0.0.1:{tls}/says");
    assert!(curl(&["--http2"], &https).starts_with("HTTP/2.0 h2 1 "));
    assert!(curl(&["--http1.1"], &https).starts_with("HTTP/1.1  1 "));
    let http = format!("http://127.0.0.1:{only}/says");
    assert!(curl(&["--http2-prior-knowledge"], &http).starts_with("HTTP/2.0 h2c 1 "));
    // As in nginx 1.22, such a port speaks nothing else.
    assert!(curl(&["--http1.1"], &http).ends_with('0'));
    drop(server);
}

/// curl 7.88 finds no response where it comes in one record of TLS with the reset of its stream.
#[test]
fn curl_reads_a_response_that_comes_before_its_request_is_sent() {
    let (tls, certificate) = (free_port(), certificate());
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{tls} ssl http2; {certificate} client_max_body_size 1m;
         location /refused {{ return 403; }} location /large {{ root html; client_max_body_size 1k; }} }}"
    )));
    let body = server.prefix().path().join("body");
    std::fs::write(&body, vec![0; 200_000]).unwrap();
    let body = format!("@{}", body.display());
    for (path, status) in [("refused", "403"), ("large", "413")] {
        for _ in 0..3 {
            let url = format!("https://127.0.0.1:{tls}/{path}");
            let args =
                ["-sk", "--http2", "-m", "20", "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}"];
            let output = run("curl", &[&args[..], &["--data-binary", &body, &url]].concat());
            assert_eq!(String::from_utf8_lossy(&output.stdout), status, "{output:?}");
        }
    }
}

#[test]
fn bodies_are_received_as_fast_as_they_are_read() {
    let server = start(
        "client_max_body_size 3m; client_body_buffer_size 16k; http2_body_preread_size 1k;
         location /echo { proxy_pass http://127.0.0.1:{http_port}/length; }
         location /length { return 200 $content_length; }",
    );
    let client = Client::open(server.http);
    let (parts, mut body) = client
        .head(client.ask(Method::POST, "/echo", Some(vec![b'x'; 2_000_000].into())))
        .unwrap()
        .into_parts();
    assert_eq!((parts.status.as_u16(), client.body(&mut body).unwrap()), (200, b"2000000".to_vec()));
    // Without a length it is refused once it is too long.
    let response = client.ask(Method::POST, "/echo", Some(vec![b'x'; 4_000_000].into()));
    assert_eq!(client.head(response).unwrap().status(), 413);
    assert_eq!(client.get("/length").0, 200);
}

#[test]
fn a_response_is_sent_as_fast_as_its_window_opens() {
    let server = start("send_timeout 20s;");
    let big: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_be_bytes).take(3_000_000).collect();
    server.prefix().write("html/big.bin", &big);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1000);
    let client = Client::with(server.http, &builder);
    let (_, mut slow) = client.head(client.ask(Method::GET, "/big.bin", None)).unwrap().into_parts();
    // One that stands still holds up no other.
    assert_eq!(client.get("/says").0, 200);
    assert!(client.body(&mut slow).unwrap() == big);
}

#[test]
fn live_streams_are_streams_of_it() {
    let server = start(
        "location /flv { flv_live {rtmp_port} app=live; } location /ts { ts_live {rtmp_port} app=live; }",
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending();
    let client = Client::open(server.http);
    let take = |target: &str, least: usize| {
        let (parts, mut body) = client.head(client.ask(Method::GET, target, None)).unwrap().into_parts();
        assert_eq!(parts.status.as_u16(), 200);
        client.runtime.block_on(async {
            let mut all = Vec::new();
            while all.len() < least {
                let data = tokio::time::timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap();
                let _ = body.flow_control().release_capacity(data.len());
                all.extend_from_slice(&data);
            }
            (all, body)
        })
    };
    let (flv, mut body) = take("/flv/s", 20_000);
    assert!(flv.starts_with(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"));
    let (ts, _) = take("/ts/s", 1880);
    assert!(ts.chunks_exact(188).all(|packet| packet[0] == 0x47));
    // Another request finds its way beside them.
    assert_eq!(client.get("/says").0, 200);
    // As with HTTP/1, the end of a stream is no end of a file.
    feed.stop().leave();
    let ended = client.body(&mut body).unwrap_err();
    assert!(ended.is_reset(), "{ended}");
    assert_eq!(client.get("/says").0, 200);
}

#[test]
fn a_player_that_does_not_read_is_slow() {
    let server = Server::start(
        &Conf::live("cache_time 1s;")
            .http_server(&format!("http2 on; {SAYS} location /flv {{ flv_live {{rtmp_port}} app=live; }}")),
    );
    let feed = Publisher::start(server.rtmp, "s").keep_sending_every(Duration::from_millis(1));
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(2000);
    let client = Client::with(server.http, &builder);
    let (_, _body) = client.head(client.ask(Method::GET, "/flv/s", None)).unwrap().into_parts();
    server.wait_log("slow player of 's' skipped");
    assert_eq!(client.get("/says").0, 200);
    drop(feed);
}

#[test]
fn a_server_that_drains_answers_what_has_begun() {
    let mut server = start("limit_rate 20k; location /file { alias html/file; }");
    server.prefix().write("html/file", [b'x'; 60_000]);
    let client = Client::open(server.http);
    let (_, mut body) = client.head(client.ask(Method::GET, "/file", None)).unwrap().into_parts();
    server.signal(Signal::SIGQUIT);
    assert_eq!(client.body(&mut body).unwrap().len(), 60_000);
    client.ended().unwrap();
    server.wait_exit();
}

#[test]
fn a_connection_ends_as_the_configuration_says() {
    let server = start("keepalive_requests 3;");
    let client = Client::open(server.http);
    for _ in 0..3 {
        assert_eq!(client.get("/says").0, 200);
    }
    client.ended().unwrap();
    for idle in ["keepalive_timeout 100ms;", "keepalive_time 1ms;"] {
        server.reload(&Conf::live("").http_server(&format!("http2 on; {idle} {SAYS}")));
        let client = Client::open(server.http);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(client.get("/says").0, 200);
        client.ended().unwrap();
    }
    // As in nginx, a first request is waited for like its head.
    server
        .reload(&Conf::live("").http_server("http2 on; keepalive_timeout 60s; client_header_timeout 100ms;"));
    Client::open(server.http).ended().unwrap();
}

#[test]
fn streams_are_as_many_as_allowed() {
    let server = start("http2_max_concurrent_streams 2; location /flv { flv_live {rtmp_port} app=live; }");
    let mut raw = Raw::open(server.http);
    // The settings come first: 3 is the number of streams.
    let mut settings = [0; 64];
    raw.0.read_exact(&mut settings[..9]).unwrap();
    let length = usize::from(settings[2]);
    raw.0.read_exact(&mut settings[..length]).unwrap();
    let streams = settings[..length].chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(streams[2..], [0, 0, 0, 2]);
}

/// Waits until the response on a stream has begun.
fn wait_head(raw: &mut Raw, of: u32) {
    while !matches!(raw.next(), (HEADERS, _, stream, _) if stream == of) {}
}

/// The last streams that are named up to the end of a stream's response.
fn named_until_end(raw: &mut Raw, of: u32) -> Vec<u32> {
    const GOAWAY: u8 = 7;
    let mut last = Vec::new();
    loop {
        let (kind, flags, stream, payload) = raw.next();
        match kind {
            GOAWAY => last.push(u32::from_be_bytes(payload[..4].try_into().unwrap())),
            DATA if flags & END_STREAM != 0 && stream == of => return last,
            _ => {}
        }
    }
}

#[test]
fn the_last_stream_is_named_once_and_later_ones_are_left_out() {
    let mut server = start(
        "lingering_timeout 30s; keepalive_requests 2; location /slow { limit_rate 20; return 200 $arg_text; }",
    );
    let slow = format!("/slow?text={}", "x".repeat(50));
    let mut raw = Raw::open(server.http);
    raw.ask(1, "/says", &[]);
    assert_eq!(raw.status(1), 0x88);
    raw.ask(3, &slow, &[]);
    raw.ask(5, "/says", &[]);
    assert_eq!(named_until_end(&mut raw, 3), [3]);
    // Behind it the server has nothing more to say.
    assert!(raw.closed().is_empty());
    // When it drains, too, as nginx's old workers do.
    let (mut open, mut idle) = (Raw::open(server.http), Raw::open(server.http));
    idle.ask(1, "/says", &[]);
    assert_eq!(idle.status(1), 0x88);
    open.ask(1, &slow, &[]);
    wait_head(&mut open, 1);
    server.signal(Signal::SIGQUIT);
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert!(idle.closed().ends_with(&goaway));
    open.ask(3, "/says", &[]);
    assert_eq!(named_until_end(&mut open, 1), [1]);
    assert!(open.closed().is_empty());
    // It waits for what its clients still send.
    drop((raw, open, idle));
    server.wait_exit();
}

#[test]
fn what_ends_streams_and_connections_is_logged_with_nginxs_words() {
    const SLOW: &str =
        "location /slow { limit_rate 1; return 200 0123456789012345678901234567890123456789; }";
    let server = start(&format!("http2_max_concurrent_streams 2; {SLOW}"));
    let logs = |text: &str| server.wait_log(text);
    let mut raw = Raw::open(server.http);
    raw.ask(1, "/slow", &[]);
    wait_head(&mut raw, 1);
    raw.0.write_all(&frame(RESET, 0, 1, &[0, 0, 0, 8])).unwrap();
    logs("client canceled stream 1, client: 127.0.0.1, server: ");
    for stream in [3, 5, 7] {
        raw.ask(stream, "/slow", &[]);
    }
    logs("concurrent streams exceeded 2 while processing HTTP/2 connection");
    raw.0.write_all(&frame(RESET, 0, 3, &[0, 0, 0, 2])).unwrap();
    logs("client terminated stream 3 due to internal error, ");
    raw.0.write_all(&frame(PING, 0, 0, &[0; 7])).unwrap();
    logs(
        "client sent PING frame with incorrect length 7 while processing HTTP/2 connection, client: 127.0.0.1",
    );
    let mut raw = Raw::open(server.http);
    raw.ask(1, "/slow", &[]);
    wait_head(&mut raw, 1);
    drop(raw);
    logs("client prematurely closed connection while processing HTTP/2 connection");
}
