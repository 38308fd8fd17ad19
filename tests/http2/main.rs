//! HTTP/2: requests that share a connection, bodies, live streams, the end of connections, and clients that do not keep to the
//! rules.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use nix::sys::signal::Signal;
use pingosd::limits::HTTP2_PARKED_AFTER;
use pingosd::net::http2::PREFACE;
use support::http::get;
use support::server::free_port;
use support::tool::run;
use support::wait::{PATIENCE, until_true};
use support::{Conf, Publisher, Server};
use tokio::runtime::Runtime;

const SAYS: &str = "location /says { return 200 \"$server_protocol $http2 $connection_requests $request_length $bytes_sent $scheme\n\"; }";

fn start(http_server: &str) -> Server {
    Server::start(
        &Conf::live("cache_time 1s; idle_streams off;")
            .http_server(&format!("http2 on; {SAYS} {http_server}")),
    )
}

/// A connection of HTTP/2 without TLS.
struct Client {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    driver: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    fn open(port: u16) -> Client {
        Client::with(port, &h2::client::Builder::new())
    }

    fn with(port: u16, builder: &h2::client::Builder) -> Client {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (send, driver) = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (send, connection) = builder.handshake(socket).await.unwrap();
            (send, tokio::spawn(connection))
        });
        Client { runtime, send, driver }
    }

    /// Sends a request; its body is ended only if there is one.
    fn ask(&self, method: Method, target: &str, body: Option<Bytes>) -> h2::client::ResponseFuture {
        let request = Request::builder().method(method).uri(format!("http://localhost{target}"));
        let mut send = self.runtime.block_on(self.send.clone().ready()).unwrap();
        let (response, mut stream) = send.send_request(request.body(()).unwrap(), body.is_none()).unwrap();
        if let Some(body) = body {
            stream.send_data(body, true).unwrap();
        }
        response
    }

    fn head(&self, response: h2::client::ResponseFuture) -> Result<Response<RecvStream>, h2::Error> {
        let waits = async { tokio::time::timeout(PATIENCE, response).await };
        self.runtime.block_on(waits).expect("there is a response in time")
    }

    fn body(&self, body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
        self.runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(data) = tokio::time::timeout(PATIENCE, body.data()).await.expect("it goes on") {
                let data = data?;
                let _ = body.flow_control().release_capacity(data.len());
                all.extend_from_slice(&data);
            }
            Ok(all)
        })
    }

    fn get(&self, target: &str) -> (u16, String) {
        let (parts, mut body) = self.head(self.ask(Method::GET, target, None)).unwrap().into_parts();
        (parts.status.as_u16(), String::from_utf8_lossy(&self.body(&mut body).unwrap()).into_owned())
    }

    fn ended(self) -> Result<(), h2::Error> {
        let Client { runtime, send, driver } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, driver).await });
        drop(send);
        ended.expect("the connection ends").unwrap()
    }
}

/// A frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:method` with the index of GET (2) or POST (3), `:scheme http`, `:path /says`, `:authority a`.
fn head(method: u8) -> Vec<u8> {
    [&[0x80 | method, 0x86, 0x04, 5], &b"/says"[..], &[0x01, 1, b'a']].concat()
}

/// A client that sends any frames.
struct Raw(TcpStream);

impl Raw {
    fn open(port: u16) -> Raw {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).unwrap();
        Raw(socket)
    }

    /// Sends frames until the server closes; how many were sent.
    fn flood(&mut self, most: usize, mut next: impl FnMut(usize) -> Vec<u8>) -> usize {
        // The server may close while what it has said is not read.
        let mut reading = self.0.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut last = Vec::new();
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = reading.read(&mut buffer) {
                last.extend_from_slice(&buffer[..length]);
                last.drain(..last.len().saturating_sub(4096));
            }
        });
        let mut sent = 0;
        while sent < most && self.0.write_all(&next(sent)).is_ok() {
            sent += 1;
        }
        reader.join().unwrap();
        sent
    }

    /// First byte of the head on a stream, which is the status, and the body.
    fn answer(&mut self, stream: u32) -> (u8, Vec<u8>) {
        let (mut status, mut body) = (None, Vec::new());
        loop {
            let mut start = [0; 9];
            self.0.read_exact(&mut start).unwrap();
            let [a, b, c, kind, flags, of @ ..] = start;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).unwrap();
            if u32::from_be_bytes(of) != stream {
                continue;
            }
            match kind {
                HEADERS => status = status.or(payload.first().copied()),
                DATA => body.extend_from_slice(&payload),
                RESET => panic!("the stream was reset: {payload:?}"),
                _ => continue,
            }
            if let Some(status) = status.filter(|_| flags & END_STREAM != 0) {
                return (status, body);
            }
        }
    }

    /// Status on a stream, as HPACK's table numbers it.
    fn status(&mut self, stream: u32) -> u8 {
        self.answer(stream).0
    }

    /// Waits until the server closes; returns what it has said.
    fn closed(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let read = self.0.read_to_end(&mut all);
        assert!(read.is_ok() || read.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        all
    }
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
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate =
        format!("ssl_certificate {}; ssl_certificate_key {};", file("origin.crt"), file("origin.key"));
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
        if idle.starts_with("keepalive_time ") {
            assert_eq!(client.get("/says").0, 200);
        }
        client.ended().unwrap();
    }
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

/// After what one client has done, the server serves others, and has logged it once.
fn serves_on(server: &Server, log: &str) {
    assert_eq!(Client::open(server.http).get("/says").0, 200);
    if !log.is_empty() {
        server.wait_log(log);
        assert_eq!(server.log_lines(log).len(), 1, "{}", server.log());
    }
}

#[test]
fn floods_end_the_connection() {
    /// More than any bound.
    const MANY: usize = 2_000_000;
    let server = start("location /flv { flv_live {rtmp_port} app=live; }");
    let get = head(2);
    // Requests that are reset at once (CVE-2023-44487).
    let mut raw = Raw::open(server.http);
    let sent = raw.flood(MANY / 10, |number| {
        let stream = u32::try_from(number * 2 + 1).unwrap();
        [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &get),
            frame(RESET, 0, stream, &8_u32.to_be_bytes()),
        ]
        .concat()
    });
    assert!(sent < MANY / 10, "{sent} resets");
    serves_on(&server, "");
    for (what, next) in [
        ("settings", frame(SETTINGS, 0, 0, b"")),
        ("pings", frame(PING, 0, 0, &[0; 8])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
    ] {
        let many = next.repeat(500);
        let sent = Raw::open(server.http).flood(MANY / 500, |_| many.clone());
        assert!(sent < MANY / 500, "{sent} of {what}");
        serves_on(&server, "");
    }
    // Frames of a body that are empty.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &head(3))).unwrap();
    let many = frame(DATA, 0, 1, b"").repeat(500);
    let sent = raw.flood(MANY / 500, |_| many.clone());
    assert!(sent < MANY / 500, "{sent} of empty data");
    serves_on(&server, "");
}

#[test]
fn heads_are_bounded() {
    let server = start("");
    // A head that goes on in more and more frames.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, 0, 1, &head(2))).unwrap();
    let more = frame(CONTINUATION, 0, 1, &[&[0, 1, b'x', 100][..], &[b'y'; 100]].concat().repeat(10));
    let sent = raw.flood(100_000, |_| more.clone());
    assert!(sent < 100_000, "{sent} frames of a head");
    serves_on(&server, "");
    // A few bytes that stand for a long head: one field in the table (62), and many references to it.
    let mut raw = Raw::open(server.http);
    let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000]].concat();
    let bomb = [&head(2)[..], &field, &[0xbe; 8000]].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).unwrap();
    let before = server.resident();
    serves_on(&server, "");
    assert!(server.resident() < before + 20_000, "{} KiB", server.resident());
}

#[test]
fn what_is_too_slow_is_closed() {
    let server = Server::start(&Conf::live("").http_server(&format!(
        "http2 on; client_header_timeout 300ms; client_body_timeout 300ms; send_timeout 300ms; keepalive_timeout 5s;
         {SAYS} location /body {{ proxy_pass http://127.0.0.1:{{http_port}}; }}"
    )));
    // No end of a head, or of a frame of one: as in nginx, the stream is reset and its connection goes on.
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2));
    let open = frame(HEADERS, END_STREAM, 1, &head(2));
    let end = frame(CONTINUATION, END_HEADERS, 1, &[0x40, 1, b'a', 1, b'b']);
    for (beginning, rest) in [(&open[..], &end[..]), whole.split_at(12), whole.split_at(10)] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(beginning).unwrap();
        let (stream, payload) = loop {
            let (kind, _, stream, payload) = raw.next();
            if kind == RESET {
                break (stream, payload);
            }
        };
        assert_eq!((stream, payload), (1, vec![0, 0, 0, 1]));
        raw.0.write_all(&[rest, &frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))].concat()).unwrap();
        assert_eq!(raw.status(3), 0x88);
    }
    server.wait_log("client timed out");
    // Half of another frame.
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(PING, 0, 0, &[0; 8])[..12]).unwrap();
    raw.closed();
    // Nothing at all, and half of a preface.
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(&PREFACE[..10]).unwrap();
    let _ = socket.read(&mut [0; 10]);
    // A window that stays closed: the stream is reset, its connection goes on.
    server.prefix().write("html/big.bin", vec![0; 100_000]);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(10);
    let client = Client::with(server.http, &builder);
    let (_, mut body) = client.head(client.ask(Method::GET, "/big.bin", None)).unwrap().into_parts();
    let reset = client.runtime.block_on(async {
        loop {
            match tokio::time::timeout(PATIENCE, body.data()).await.unwrap() {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("the body has ended"),
            }
        }
    });
    assert_eq!(reset.reason(), Some(Reason::INTERNAL_ERROR));
    server.wait_log("client timed out (110: Connection timed out) while sending response to client");
    // A body that does not come.
    let request = Request::post("http://localhost/body/says").body(()).unwrap();
    let mut send = client.runtime.block_on(client.send.clone().ready()).unwrap();
    let (response, _stream) = send.send_request(request, false).unwrap();
    assert!(client.head(response).unwrap_err().is_reset());
    assert_eq!(client.get("/says").0, 200);
}

/// As in nginx since 1.31, on their streams: their connections go on.
#[test]
fn malformed_heads_are_answered() {
    let format = "log_format heads '$request $status $request_length $connection_requests';";
    let server = Server::start(
        &Conf::live("")
            .http(format)
            .http_server(&format!("http2 on; {SAYS} access_log logs/heads.log heads;")),
    );
    let value = |byte: u8| [&head(2)[..], &[0, 1, b'x', 2, b'a', byte]].concat();
    for (what, bad, line) in [
        ("no path", vec![0x82, 0x86, 0x01, 1, b'a'], "-"),
        ("no method", vec![0x86, 0x84, 0x01, 1, b'a'], "-"),
        ("no host", vec![0x82, 0x86, 0x84], "GET / HTTP/2.0"),
        ("a status", vec![0x82, 0x86, 0x84, 0x88], "-"),
        ("two paths", vec![0x82, 0x86, 0x84, 0x84], "-"),
        ("a header before the path", [&[0, 1, b'x', 0], &head(2)[..]].concat(), "-"),
        ("a name with a colon", [&head(2)[..], &[0, 3, b'x', b':', b'y', 0]].concat(), "-"),
        ("a line end", value(b'\n'), "-"),
        ("a carriage return", value(b'\r'), "-"),
        ("a zero", value(0), "-"),
        ("a length without a body", [&head(2)[..], &[0x0f, 13, 1, b'3']].concat(), "GET /says HTTP/2.0"),
    ] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bad)).unwrap();
        // Status 400 and status 200 of HPACK's table.
        assert_eq!(raw.status(1), 0x8c, "{what}");
        let line = format!("{line} 400 {} 1", bad.len());
        until_true(&format!("{what}: {line}"), || {
            server.prefix().read("logs/heads.log").lines().last() == Some(line.as_str())
        });
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))).unwrap();
        assert_eq!(raw.status(3), 0x88, "{what}");
    }
}

#[test]
fn what_surrounds_a_value_is_left_out_and_a_host_may_be_named_twice() {
    let server = start("location /shows { return 200 '[$http_x][$http_host]'; }");
    let mut raw = Raw::open(server.http);
    let path = [&[0x82, 0x86, 0x04, 6][..], b"/shows", &[0x01, 1, b'a']].concat();
    let fields = [&path[..], &[0, 1, b'x', 4, b'\t', b'y', b' ', b'\t'], &[0x0f, 23, 1, b'a']].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields)).unwrap();
    assert_eq!(raw.answer(1), (0x88, b"[y][a]".to_vec()));
    let other = [&path[..], &[0x0f, 23, 1, b'b']].concat();
    raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &other)).unwrap();
    assert_eq!(raw.status(3), 0x8c);
}

#[test]
fn a_body_has_its_declared_length() {
    let server = start(
        "error_page 400 /error; location /error { proxy_pass http://127.0.0.1:{http_port}/says; }
         location /body { proxy_pass http://127.0.0.1:{http_port}/says; }",
    );
    let declared = [&[0x83, 0x86, 0x04, 10][..], b"/body/says", &[0x01, 1, b'a', 0x0f, 13, 1, b'3']].concat();
    for (sent, status) in [("ab", 0x8c), ("abcd", 0x8c), ("abc", 0x88)] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &declared)).unwrap();
        raw.0.write_all(&frame(DATA, END_STREAM, 1, sent.as_bytes())).unwrap();
        let (answered, body) = raw.answer(1);
        assert_eq!(answered, status, "{sent}");
        // The page of the error comes from another server, which waits for no body.
        assert!(body.starts_with(b"HTTP/1.0 "), "{sent}");
    }
    // Frames larger than the least that a server has to accept, with padding.
    let large = [&[0x83, 0x86, 0x04, 5][..], b"/says", &[0x01, 1, b'a']].concat();
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &large)).unwrap();
    raw.0
        .write_all(&frame(DATA, END_STREAM | 8, 1, &[&[99][..], &[b'x'; 50_000], &[0; 99]].concat()))
        .unwrap();
    assert_eq!(raw.status(1), 0x88);
}

/// Its bytes would be the next request otherwise.
#[test]
fn a_body_that_is_passed_on_as_it_comes_is_sent_in_chunks() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = backend.local_addr().unwrap().port();
    let server = start(&format!(
        "location /says/more {{ proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:{port}; }}"
    ));
    let head = [&[0x83, 0x86, 0x04, 10][..], b"/says/more", &[0x01, 1, b'a']].concat();
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(HEADERS, END_HEADERS, 1, &head)).unwrap();
    let (mut socket, _) = backend.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    let mut until = |end: &[u8]| {
        while !received.ends_with(end) {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        received.clone()
    };
    let began = until(b"\r\n\r\n");
    let began = String::from_utf8_lossy(&began);
    assert!(
        began.contains("\r\nTransfer-Encoding: chunked\r\n") && !began.contains("Content-Length"),
        "{began}"
    );
    // Frames that come together are one chunk, as in nginx.
    raw.0.write_all(&[frame(DATA, 0, 1, b"ab"), frame(DATA, 0, 1, b"c")].concat()).unwrap();
    until(b"3\r\nabc\r\n");
    raw.0.write_all(&frame(DATA, END_STREAM, 1, b"")).unwrap();
    until(b"0\r\n\r\n");
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(raw.status(1), 0x88);
}

#[test]
fn faults_of_frames_have_nginxs_reasons() {
    const GOAWAY: u8 = 7;
    let server = start("");
    let large = [&head(2)[..], &[0, 1, b'x', 0x7f, 0x82, 0x3f], &[b'y'; 8193]].concat();
    for (what, sent, reason) in [
        (
            "a table index",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0x10]),
            Reason::COMPRESSION_ERROR,
        ),
        ("half a head", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82, 0x41]), Reason::FRAME_SIZE_ERROR),
        ("a long value", frame(HEADERS, END_HEADERS | END_STREAM, 1, &large), Reason::ENHANCE_YOUR_CALM),
        ("a short priority", frame(PRIORITY, 0, 1, &[0; 4]), Reason::FRAME_SIZE_ERROR),
        ("a priority of no stream", update(0, "u=0"), Reason::PROTOCOL_ERROR),
        ("a priority of an even stream", update(2, "u=0"), Reason::PROTOCOL_ERROR),
        (
            "a priority on a stream",
            frame(0x10, 0, 1, &[0, 0, 0, 1, b'u', b'=', b'0']),
            Reason::PROTOCOL_ERROR,
        ),
        ("half of a stream's number", frame(0x10, 0, 0, &[0, 0, 0]), Reason::FRAME_SIZE_ERROR),
        ("an unknown way of priorities", frame(SETTINGS, 0, 0, &[0, 9, 0, 0, 0, 2]), Reason::PROTOCOL_ERROR),
        ("a loop of priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), Reason::PROTOCOL_ERROR),
    ] {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&sent).unwrap();
        let said = raw.closed();
        let (mut rest, mut reasons) = (&said[..], Vec::new());
        while let [a, b, c, kind, _, _, _, _, _, frame @ ..] = rest {
            let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
            if *kind == GOAWAY {
                reasons.push(u32::from_be_bytes(frame[4..8].try_into().unwrap()));
            }
            rest = &frame[length..];
        }
        assert_eq!(reasons, [u32::from(reason)], "{what}");
        serves_on(&server, "");
    }
}

/// A head for `GET` of a path, with lines of a `priority` field.
fn asked(path: &str, lines: &[&str]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut block = [&[0x82, 0x86, 0x04][..], &text(path), &[0x01, 1, b'a']].concat();
    for line in lines {
        block.extend_from_slice(&[&[0x00][..], &text("priority"), &text(line)].concat());
    }
    block
}

/// A frame with the priority of a stream.
fn update(stream: u32, value: &str) -> Vec<u8> {
    frame(0x10, 0, 0, &[&stream.to_be_bytes()[..], value.as_bytes()].concat())
}

impl Raw {
    /// The next frame: its kind, its flags, its stream and its payload.
    fn next(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut start = [0; 9];
        self.0.read_exact(&mut start).unwrap();
        let [a, b, c, kind, flags, of @ ..] = start;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).unwrap();
        (kind, flags, u32::from_be_bytes(of), payload)
    }

    /// Waits for a head on a stream.
    fn wait_for_head(&mut self, stream: u32) {
        loop {
            let (kind, _, of, _) = self.next();
            if (kind, of) == (HEADERS, stream) {
                return;
            }
        }
    }

    fn open_window(&mut self, stream: u32, bytes: u32) {
        self.0.write_all(&frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())).unwrap();
    }

    fn ask(&mut self, stream: u32, path: &str, lines: &[&str]) {
        self.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &asked(path, lines))).unwrap();
    }

    /// Uses the window of the connection up with stream 1, which has 100 bytes more.
    fn stall(&mut self, lines: &[&str]) {
        self.ask(1, "/long.bin", lines);
        let mut length = 0;
        while length < 65_535 {
            let (kind, _, stream, payload) = self.next();
            if kind == DATA {
                assert_eq!(stream, 1);
                length += payload.len();
            }
        }
        assert_eq!(length, 65_535);
    }

    /// Opens the windows; the streams of the DATA frames up to the end of this number of them.
    fn order(&mut self, streams: &[u32]) -> Vec<u32> {
        for stream in streams.iter().chain(&[0]) {
            self.open_window(*stream, 200_000);
        }
        let (mut sent, mut ended) = (Vec::new(), 0);
        while ended < streams.len() {
            let (kind, flags, stream, _) = self.next();
            if kind == DATA {
                sent.push(stream);
                ended += usize::from(flags & END_STREAM != 0);
            }
        }
        sent
    }
}

fn start_with_priorities(more: &str) -> Server {
    let server = start(&format!(
        "location /backend {{ add_header Priority $arg_p; return 200 backend; }}
         location /proxied {{ proxy_pass http://127.0.0.1:{{http_port}}/backend; }}
         location /mirrored/ {{ mirror /mirror; }}
         location /mirror {{ internal; proxy_pass http://127.0.0.1:{{http_port}}/backend?p=u=0; }} {more}"
    ));
    server.prefix().write("html/long.bin", vec![b'l'; 65_535 + 100]);
    server.prefix().write("html/short.txt", "short");
    server.prefix().write("html/mirrored/short.txt", "short");
    server
}

#[test]
fn the_most_urgent_response_is_sent_first() {
    let server = start_with_priorities("");
    type Frames = Vec<Vec<u8>>;
    /// What it is, lines of the first request, path and lines of the second, frames before and behind them, and the order.
    type Case = (
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static [&'static str],
        Frames,
        Frames,
        [u32; 2],
    );
    let none = Frames::new;
    let cases: [Case; 17] = [
        ("as usual", &[], "/short.txt", &[], none(), none(), [1, 3]),
        ("more urgent", &["u=3"], "/short.txt", &["u=0"], none(), none(), [3, 1]),
        ("less urgent", &["u=0"], "/short.txt", &["u=3"], none(), none(), [1, 3]),
        ("whole before in parts", &["u=3, i"], "/short.txt", &["u=3"], none(), none(), [3, 1]),
        ("two lines", &[], "/short.txt", &["u=0", "x"], none(), none(), [3, 1]),
        ("malformed", &[], "/short.txt", &["u=0, @"], none(), none(), [1, 3]),
        ("updated", &[], "/short.txt", &[], none(), vec![update(3, "u=0")], [3, 1]),
        ("updated in full", &[], "/short.txt", &["u=0"], none(), vec![update(3, "x")], [1, 3]),
        ("a malformed update", &["u=7"], "/short.txt", &[], none(), vec![update(1, "U=0")], [3, 1]),
        ("an early update", &[], "/short.txt", &[], vec![update(1, "u=7")], none(), [3, 1]),
        (
            "an update counts for more",
            &["u=3"],
            "/short.txt",
            &["u=0"],
            vec![update(3, "u=7")],
            none(),
            [1, 3],
        ),
        (
            "frames of other priorities",
            &[],
            "/short.txt",
            &[],
            none(),
            vec![frame(PRIORITY, 0, 1, &[0; 5]), frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 255])],
            [1, 3],
        ),
        ("the backend's urgency", &["u=3"], "/proxied?p=u=0", &["u=7"], none(), none(), [3, 1]),
        ("the client's urgency", &["u=3"], "/proxied?p=i", &["u=0"], none(), none(), [3, 1]),
        ("the backend's less", &["u=3"], "/proxied?p=u=5", &["u=0"], none(), none(), [1, 3]),
        ("a malformed one of the backend", &["u=3"], "/proxied?p=u=0,", &["u=7"], none(), none(), [1, 3]),
        ("that of a subrequest", &[], "/mirrored/short.txt", &[], none(), none(), [1, 3]),
    ];
    for (what, first, path, second, before, behind, expected) in cases {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&before.concat()).unwrap();
        raw.stall(first);
        raw.ask(3, path, second);
        raw.wait_for_head(3);
        raw.0.write_all(&behind.concat()).unwrap();
        // The rest of the file comes as one frame.
        assert_eq!(raw.order(&[1, 3]), expected, "{what}");
    }
    // What the backend has sent is passed on as it is.
    let client = Client::open(server.http);
    let head = client.head(client.ask(Method::GET, "/proxied?p=u=1", None)).unwrap();
    assert_eq!(head.headers()["priority"], "u=1");
}

#[test]
fn responses_take_turns_or_follow_each_other() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 100_000]);
    let sent = |line: &str| {
        let mut raw = Raw::open(server.http);
        raw.stall(&["u=0"]);
        for stream in [3, 5, 7] {
            raw.ask(stream, "/big.bin", &[line]);
            raw.wait_for_head(stream);
        }
        // The window of 5 closes before its end: it holds up no other.
        for (stream, bytes) in [(1, 200), (3, 100_000), (5, 0), (7, 100_000), (0, 1_000_000)] {
            if bytes > 0 {
                raw.open_window(stream, bytes);
            }
        }
        let (mut sent, mut ended) = (Vec::new(), 0);
        while ended < 3 {
            let (kind, flags, stream, _) = raw.next();
            if kind == DATA {
                sent.push(stream);
                ended += usize::from(flags & END_STREAM != 0);
            }
        }
        raw.open_window(5, 100_000);
        while raw.next().1 & END_STREAM == 0 {}
        sent.dedup();
        sent
    };
    assert_eq!(sent("u=3"), [1, 3, 5, 7]);
    let in_turn = sent("u=3, i");
    assert!(in_turn.len() > 8, "{in_turn:?}");
}

#[test]
fn what_is_urgent_overtakes_what_the_socket_does_not_take() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 20_000_000]);
    server.prefix().write("html/urgent.bin", vec![b'u'; 1_000_000]);
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    raw.open_window(0, 100_000_000);
    raw.ask(1, "/big.bin", &[]);
    raw.wait_for_head(1);
    raw.ask(3, "/urgent.bin", &["u=0"]);
    let (mut of_first, mut before, mut between) = (0, None, 0);
    loop {
        let (kind, flags, stream, payload) = raw.next();
        match (kind, stream) {
            (DATA, 1) => of_first += payload.len(),
            (DATA, 3) if flags & END_STREAM != 0 => break,
            (DATA, 3) => {
                let before = *before.get_or_insert(of_first);
                between = of_first - before;
            }
            _ => {}
        }
    }
    // Much of the other response is still to come. What the crate had of it comes between parts of the urgent one.
    assert!(of_first < 20_000_000, "{of_first}");
    assert!(between <= 64 * 1024, "{between}");
}

#[test]
fn a_reset_stream_leaves_its_window_to_others() {
    let server = start_with_priorities("");
    server.prefix().write("html/big.bin", vec![b'b'; 20_000_000]);
    let mut raw = Raw::open(server.http);
    raw.0.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    // The window of the connection is larger than what the socket holds, which is not read: much of it waits to be written.
    raw.open_window(0, 16_000_000);
    raw.ask(1, "/big.bin", &[]);
    raw.wait_for_head(1);
    std::thread::sleep(Duration::from_millis(300));
    raw.ask(3, "/big.bin", &["u=0"]);
    std::thread::sleep(Duration::from_millis(100));
    raw.0.write_all(&frame(RESET, 0, 1, &[0, 0, 0, 8])).unwrap();
    // All of the window is used, by either stream.
    let mut length = 0;
    while length < 16_065_535 {
        let (kind, _, _, payload) = raw.next();
        length += if kind == DATA { payload.len() } else { 0 };
    }
    assert_eq!(length, 16_065_535);
    raw.open_window(0, 10_000_000);
    raw.ask(5, "/short.txt", &["u=1"]);
    assert_eq!(raw.answer(5), (0x88, b"short".to_vec()));
}

#[test]
fn settings_say_that_frames_of_priorities_change_nothing() {
    let server = start("");
    let mut raw = Raw::open(server.http);
    let (kind, flags, stream, payload) = raw.next();
    assert_eq!((kind, flags, stream), (SETTINGS, 0, 0));
    assert!(payload.chunks(6).any(|setting| setting == [0, 9, 0, 0, 0, 1]), "{payload:?}");
    assert_eq!(Client::open(server.http).get("/says").0, 200);
}

#[test]
fn a_client_that_acknowledges_nothing_delays_no_end() {
    let server = start(
        "lingering_timeout 30s; keepalive_requests 2; location /slow { limit_rate 20; return 200 $arg_text; }",
    );
    let mut raw = Raw::open(server.http);
    raw.ask(1, "/says", &[]);
    assert_eq!(raw.status(1), 0x88);
    raw.ask(3, &format!("/slow?text={}", "x".repeat(50)), &[]);
    // The last stream that is answered is named though the client does not say that it knows of the end, while the response goes on.
    let mut last = Vec::new();
    loop {
        let (kind, flags, stream, payload) = raw.next();
        match kind {
            7 => last.push(u32::from_be_bytes(payload[..4].try_into().unwrap())),
            DATA if flags & END_STREAM != 0 && stream == 3 => break,
            _ => {}
        }
    }
    assert_eq!(last, [0x7fff_ffff, 3]);
    // Behind it the server has nothing more to say.
    assert!(raw.closed().is_empty());
}

/// Longer than a connection without requests is left as it is.
fn rest() {
    std::thread::sleep(HTTP2_PARKED_AFTER + Duration::from_millis(200));
}

#[test]
fn idle_connections_need_little_memory() {
    const COUNT: u64 = 500;
    let server = start("keepalive_timeout 60s;");
    let open = || {
        let mut raw = Raw::open(server.http);
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(2))).unwrap();
        assert_eq!(raw.status(1), 0x88);
        raw
    };
    let _first: Vec<Raw> = (0..100).map(|_| open()).collect();
    rest();
    let before = server.resident();
    let mut more: Vec<Raw> = (0..COUNT).map(|_| open()).collect();
    let each = || server.resident().saturating_sub(before) / COUNT;
    // The crate h2 keeps 17 KiB of each connection that is not parked.
    until_true("it is parked", || each() < 16);
    for raw in &mut more {
        raw.0.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(2))).unwrap();
        assert_eq!(raw.status(3), 0x88);
    }
    until_true("it is parked again", || each() < 16);
}

#[test]
fn a_connection_goes_on_after_rests() {
    let server = start(
        "client_max_body_size 3m; location /echo { proxy_pass http://127.0.0.1:{http_port}/length; }
         location /length { return 200 $content_length; }",
    );
    let big: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).take(300_000).collect();
    server.prefix().write("html/big.bin", &big);
    let mut small_table = h2::client::Builder::new();
    small_table.header_table_size(0);
    let mut wide = h2::client::Builder::new();
    wide.initial_window_size(1 << 20).initial_connection_window_size(1 << 21).max_frame_size(1 << 17);
    for builder in [h2::client::Builder::new(), small_table, wide] {
        let client = Client::with(server.http, &builder);
        for round in 0..4 {
            let (status, says) = client.get("/says");
            let number = 3 * round + 1;
            assert!(status == 200 && says.starts_with(&format!("HTTP/2.0 h2c {number} ")), "{says}");
            if round % 2 == 0 {
                rest();
            }
            let (_, mut body) = client.head(client.ask(Method::GET, "/big.bin", None)).unwrap().into_parts();
            assert!(client.body(&mut body).unwrap() == big);
            let sent = client.ask(Method::POST, "/echo", Some(vec![b'x'; 500_000].into()));
            let (_, mut body) = client.head(sent).unwrap().into_parts();
            assert_eq!(client.body(&mut body).unwrap(), b"500000");
            rest();
        }
    }
}

#[test]
fn late_frames_of_a_stream_do_not_end_a_connection_after_a_rest() {
    const GOAWAY: u8 = 7;
    let server = start("");
    let mut raw = Raw::open(server.http);
    let get = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(2));
    raw.0.write_all(&[get(1), get(3)].concat()).unwrap();
    assert_eq!((raw.status(1), raw.status(3)), (0x88, 0x88));
    let late = [
        frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 9]),
        frame(RESET, 0, 3, &[0, 0, 0, 8]),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 1]),
        frame(DATA, 0, 1, b"late"),
    ];
    for (number, bytes) in late.iter().enumerate() {
        rest();
        let stream = 2 * u32::try_from(number).unwrap() + 5;
        raw.0.write_all(&[&bytes[..], &get(stream)].concat()).unwrap();
        assert_eq!(raw.status(stream), 0x88);
        rest();
        raw.0.write_all(bytes).unwrap();
    }
    rest();
    // A stream cannot be used again, and the last one that was answered is known.
    raw.0.write_all(&get(3)).unwrap();
    let said = raw.closed();
    let goaway = frame(GOAWAY, 0, 0, &[0, 0, 0, 11, 0, 0, 0, 1]);
    assert!(said.windows(goaway.len()).any(|part| part == goaway), "{said:x?}");
}

#[test]
fn connections_that_rest_end_like_others() {
    let mut server = start("keepalive_requests 3;");
    let client = Client::open(server.http);
    for _ in 0..3 {
        rest();
        assert_eq!(client.get("/says").0, 200);
    }
    client.ended().unwrap();
    let conf = |rest: &str| Conf::live("").http_server(&format!("http2 on; {rest} {SAYS}"));
    server.reload(&conf("keepalive_timeout 1s;"));
    let client = Client::open(server.http);
    // Each request begins the time anew.
    for _ in 0..4 {
        assert_eq!(client.get("/says").0, 200);
        rest();
    }
    client.ended().unwrap();
    // What the client was told is in force as long as its connection.
    server.reload(&conf("http2_max_concurrent_streams 7;"));
    let client = Client::open(server.http);
    assert_eq!(client.get("/says").0, 200);
    rest();
    server.reload(&conf("http2_max_concurrent_streams 1;"));
    let answers: Vec<_> = (0..5).map(|_| client.ask(Method::GET, "/says", None)).collect();
    for answer in answers {
        assert_eq!(client.head(answer).unwrap().status(), 200);
    }
    rest();
    server.signal(Signal::SIGQUIT);
    client.ended().unwrap();
    server.wait_exit();
}
