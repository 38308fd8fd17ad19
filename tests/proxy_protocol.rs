//! The PROXY protocol: connections through a load balancer that declares the client's address.

#[path = "../fuzz/fuzz_targets/check_proxy.rs"]
mod check_proxy;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use pingosd::limits;
use pingosd::wire::rtmp::client_session::ClientPurpose;
use rustls::version::{TLS12, TLS13};
use support::frame::{GOP, Tracks};
use support::http::Head;
use support::raw::{Random, Raw, Script};
use support::rtmp::settings;
use support::server::{Signal, free_port};
use support::wait::PATIENCE;
use support::{Conf, NotifyServer, Player, Publisher, RtmpClient, Server, tls};

const CLIENT: &str = "PROXY TCP4 192.0.2.1 198.51.100.2 5678 443\r\n";

/// Header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length.to_be_bytes(), body].concat()
}

/// Header of version 2 with the client 2001:db8::7 and additional data.
fn v6() -> Vec<u8> {
    let mut body = [0; 36];
    (body[0], body[1], body[2], body[3], body[15], body[31]) = (0x20, 0x01, 0x0D, 0xB8, 7, 1);
    v2(1, 0x21, &[&body[..], &[1, 0, 2], b"h2"].concat())
}

/// The headers of both versions.
fn headers() -> [Vec<u8>; 2] {
    [CLIENT.into(), v6()]
}

/// A server whose further sockets stand behind a load balancer.
struct Behind {
    rtmp: u16,
    http: u16,
    rtmps: u16,
    https: u16,
    server: Server,
}

impl Behind {
    fn start(rtmp: &str, application: &str, http: &str) -> Self {
        let [rtmp_port, http_port, rtmps, https] = std::array::from_fn(|_| free_port());
        let shows = format!(
            "ssl_certificate {}; ssl_certificate_key {};",
            tls::file("origin.crt"),
            tls::file("origin.key")
        );
        let conf = Conf::new(&format!(
            "listen {rtmp_port} proxy_protocol; listen {rtmps} ssl proxy_protocol; {shows} {rtmp} \
             application live {{ live on; {application} }}"
        ))
        .http_server(&format!(
            "listen {http_port} proxy_protocol; listen {https} proxy_protocol ssl; {shows} {http} \
             location /addr {{ return 200 \"$remote_addr $scheme\"; }} \
             location /flv {{ flv_live {{rtmp_port}} app=live; }}"
        ));
        let server = Server::start(&conf);
        Behind { rtmp: rtmp_port, http: http_port, rtmps, https, server }
    }
}

/// A connection whose first bytes are these.
fn open(port: u16, first: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(first).unwrap();
    socket
}

/// The body of the answer to a request that ends the connection.
fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET /addr HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    body(stream)
}

fn body(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    // With TLS the connection may end without its last message.
    let _ = stream.read_to_end(&mut answer);
    let (head, length) = Head::parse(&answer).unwrap_or_else(|| panic!("{}", answer.escape_ascii()));
    assert_eq!(head.status, 200);
    String::from_utf8(answer.split_off(length)).unwrap()
}

fn publish(port: u16, header: &[u8], name: &'static str) -> Publisher {
    let purpose = ClientPurpose::Publish { name: Bytes::from_static(name.as_bytes()) };
    Publisher::with(RtmpClient::over(open(port, header), settings(port, "live", purpose)), Tracks::Both)
}

fn play(port: u16, header: &[u8], name: &'static str) -> Player {
    let purpose = ClientPurpose::Play { name: Bytes::from_static(name.as_bytes()) };
    Player::rtmp(RtmpClient::over(open(port, header), settings(port, "live", purpose)))
}

#[test]
fn the_declared_address_is_that_of_an_rtmp_session() {
    let notify = NotifyServer::start();
    let behind = Behind::start(
        "",
        &format!(
            "allow publish 192.0.2.0/24; deny publish all; deny play 203.0.113.7; allow play all; \
             on_publish {} args=from=$remote_addr; on_play {} args=from=$remote_addr;",
            notify.url("/pub"),
            notify.url("/play")
        ),
        "",
    );
    let mut publisher = publish(behind.rtmp, CLIENT.as_bytes(), "s");
    assert_eq!(notify.wait("act=start").value("from"), "192.0.2.1");
    let player = play(behind.rtmp, &v6(), "s");
    player.wait("play was accepted", |got| got.started.then_some(()));
    assert!(notify.requests().iter().any(|request| request.value("from") == "2001:db8::7"));
    let last = publisher.send(2 * GOP);
    player.assert_whole(Tracks::Both, last);
    behind.server.wait_log("client connected '192.0.2.1'");
    // Rules decide by the declared address, in either direction.
    let denied = play(behind.rtmp, b"PROXY TCP4 203.0.113.7 198.51.100.2 1 1\r\n", "s");
    denied.wait_end();
    assert!(!denied.got().started);
    behind.server.wait_log("access forbidden by rule");
    // LOCAL and UNKNOWN declare none: the address is the load balancer's.
    for header in [&b"PROXY UNKNOWN\r\n"[..], &v2(0, 0, &[])] {
        let player = play(behind.rtmp, header, "s");
        player.wait("play was accepted", |got| got.started.then_some(()));
    }
    behind.server.wait_log("client connected '127.0.0.1'");
}

#[test]
fn the_address_of_http_stays_that_of_the_load_balancer() {
    let behind = Behind::start("", "cache_time 1s;", "allow 127.0.0.1; deny all;");
    for header in headers() {
        assert_eq!(ask(open(behind.http, &header)), "127.0.0.1 http");
    }
    // A live response takes over the socket.
    let mut publisher = publish(behind.rtmp, CLIENT.as_bytes(), "s");
    publisher.send(GOP);
    let request = format!("GET /flv/s HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", behind.http);
    let player = Player::http_over(open(behind.http, &v6()), &request);
    player.wait_key();
    let last = publisher.send(GOP);
    player.assert_whole(Tracks::Both, last);
}

#[test]
fn the_header_precedes_tls() {
    let behind = Behind::start("", "", "");
    for (header, version) in headers().into_iter().zip([&TLS12, &TLS13]) {
        let stream = tls::over(open(behind.https, &header), "origin", &[version], &[]).unwrap();
        assert_eq!(ask(stream), "127.0.0.1 https");
        let mut stream = tls::over(open(behind.rtmps, &header), "origin", &[version], &[]).unwrap();
        let name = if version.version == TLS12.version { "first" } else { "second" };
        stream.write_all(&Script::publishing(name).finish()).unwrap();
        behind.server.wait_log(&format!("publishing '{name}'"));
    }
    behind.server.wait_log("client connected '2001:db8::7'");
}

#[test]
fn a_header_may_come_in_pieces_and_with_what_follows() {
    let behind = Behind::start("", "", "");
    let request =
        b"GET /addr HTTP/1.1\r\nHost: h\r\n\r\nGET /addr HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for header in headers() {
        for port in [behind.http, behind.rtmp] {
            let mut socket = open(port, &[]);
            for byte in &header {
                socket.write_all(&[*byte]).unwrap();
                std::thread::yield_now();
            }
            if port == behind.http {
                assert_eq!(ask(socket), "127.0.0.1 http");
                // Two requests in the packet of the header.
                assert_eq!(body(open(port, &[&header[..], request].concat())).matches("200 OK").count(), 1);
            } else {
                socket.write_all(&Script::handshake().finish()).unwrap();
                let mut answer = vec![0; 2 * 1536 + 1];
                socket.read_exact(&mut answer).unwrap();
            }
        }
    }
    // The handshake and all commands in the packet of the header.
    let whole = [&v6()[..], &Script::publishing("whole").finish()].concat();
    let _publisher = open(behind.rtmp, &whole);
    behind.server.wait_log("publishing 'whole'");
}

#[test]
fn a_header_that_does_not_come_ends_the_connection() {
    let behind = Behind::start("timeout 200ms;", "", "client_header_timeout 200ms;");
    for port in [behind.rtmp, behind.http, behind.rtmps, behind.https] {
        for beginning in [&b""[..], &CLIENT.as_bytes()[..20], &v6()[..20]] {
            let mut raw = Raw(open(port, beginning));
            raw.wait_closed();
        }
        behind.server.wait_log(&format!(
            "client timed out (110: Connection timed out) while reading PROXY protocol, client: 127.0.0.1, \
             server: 0.0.0.0:{port}"
        ));
        // One that closes in the meantime is told apart.
        drop(open(port, b""));
        behind.server.wait_log(&format!(
            "client closed connection while reading PROXY protocol, client: 127.0.0.1, server: 0.0.0.0:{port}"
        ));
    }
}

#[test]
fn a_connection_without_its_header_does_not_delay_the_end() {
    let mut behind = Behind::start("", "", "");
    let sockets = [behind.rtmp, behind.http, behind.https].map(|port| open(port, b"PROXY "));
    // They are accepted in turn.
    assert_eq!(ask(open(behind.http, CLIENT.as_bytes())), "127.0.0.1 http");
    behind.server.signal(Signal::SIGQUIT);
    assert!(behind.server.wait_exit().success());
    for socket in sockets {
        Raw(socket).wait_closed();
    }
}

#[test]
fn broken_headers_are_refused_and_logged() {
    let behind = Behind::start("", "", "");
    let unix = v2(1, 0x31, &[b'u'; 216]);
    assert_eq!(unix.len(), 232);
    assert_eq!(ask(open(behind.http, &unix)), "127.0.0.1 http");
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(limits::PROXY_HEADER_V1 - 16));
    assert_eq!(ask(open(behind.http, longest.as_bytes())), "127.0.0.1 http");
    let data = v2(0, 0, &vec![0; limits::PROXY_HEADER_V2 - 16]);
    assert_eq!(ask(open(behind.http, &data)), "127.0.0.1 http");

    let cut = "PROXY UNKNOWN ".to_owned() + &"f".repeat(limits::PROXY_HEADER_V1 - 14);
    let cases: Vec<(Vec<u8>, String)> = vec![
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), "broken header: \"GET / HTTP/1.1\"".into()),
        (
            b"PROXY TCP4 1.2.3.4 \"\\\x1B\xFF".into(),
            r#"broken header: "PROXY TCP4 1.2.3.4 \x22\x5C\x1B\xFF""#.into(),
        ),
        (
            b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n".into(),
            "broken header: \"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\"".into(),
        ),
        (cut.clone().into_bytes(), format!("broken header: \"{cut}\"")),
        (v2(1, 0x11, &[1; 11]), "broken header: \"\"".into()),
        (v2(0x31 ^ 0x20, 0x11, &[1; 12]), "unknown PROXY protocol version: 3".into()),
        (v2(0, 0, &vec![0; limits::PROXY_HEADER_V2 - 15]), "header is too large".into()),
    ];
    for port in [behind.http, behind.rtmp, behind.https, behind.rtmps] {
        for (bytes, expected) in &cases {
            let mut raw = Raw(open(port, &[]));
            raw.send(bytes);
            raw.wait_closed();
            let line =
                format!("{expected} while reading PROXY protocol, client: 127.0.0.1, server: 0.0.0.0:{port}");
            behind.server.wait_log(&line);
            let level = behind.server.log_lines(&line).remove(0);
            assert!(level.contains(" [error] "), "{level}");
        }
        // A handshake without a header.
        let mut raw = Raw(open(port, &[0x16, 3, 1, 0, 200, 1]));
        raw.wait_closed();
    }
    // nginx shows a text that is no address; an RTMP session needs one.
    let odd = b"PROXY TCP4 1.2.3.4.5 1.2.3.4 1 1\r\n";
    assert_eq!(ask(open(behind.http, odd)), "127.0.0.1 http");
    Raw(open(behind.rtmp, odd)).wait_closed();
}

#[test]
fn the_corpus_holds() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/proxy_protocol");
    let mut count = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        check_proxy::beginning(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 15, "{count} files");
}

#[test]
fn random_bytes_harm_nobody() {
    let behind = Behind::start("timeout 1s;", "", "client_header_timeout 1s;");
    let mut random = Random::new(7);
    for round in 0..200 {
        let mut bytes = if round % 2 == 0 { CLIENT.as_bytes().to_vec() } else { v6() };
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.bytes(1)[0];
        }
        bytes.truncate(bytes.len() - random.below(4));
        let extra = random.below(50);
        bytes.extend(random.bytes(extra));
        let ports = [behind.http, behind.rtmp, behind.https, behind.rtmps];
        let mut raw = Raw(open(ports[random.below(4)], &[]));
        raw.send(&bytes);
    }
    let _publisher = publish(behind.rtmp, CLIENT.as_bytes(), "s");
    assert_eq!(ask(open(behind.http, &v6())), "127.0.0.1 http");
}

#[test]
fn an_address_on_a_wildcards_socket_has_its_own_header_and_tls() {
    let port = free_port();
    let (certificate, key) = (tls::file("origin.crt"), tls::file("origin.key"));
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen {port}; return 200 plain; }}
         server {{ listen 127.0.0.2:{port} proxy_protocol; return 200 behind; }}
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
             return 200 encrypted; }}"
    )));
    let to = |ip: &str| {
        let socket = TcpStream::connect((ip, port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    assert_eq!(ask(to("127.0.0.3")), "plain");
    let mut behind = to("127.0.0.2");
    behind.write_all(CLIENT.as_bytes()).unwrap();
    assert_eq!(ask(behind), "behind");
    assert_eq!(ask(tls::connect(port, "origin", &[&TLS13], &[]).unwrap()), "encrypted");
    Raw(to("127.0.0.2")).send(b"GET / HTTP/1.1\r\n\r\n");
    server.wait_log("broken header: \"GET / HTTP/1.1\"");
}

#[test]
fn a_reload_turns_the_header_on_and_off() {
    let port = free_port();
    let conf = |options: &str| {
        Conf::live("").http_server(&format!(
            "listen 127.0.0.1:{port} {options}; location /addr {{ return 200 $remote_addr; }}"
        ))
    };
    let server = Server::start(&conf(""));
    let request = b"GET /addr HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut before = open(port, request);
    server.reload(&conf("proxy_protocol"));
    assert_eq!(ask(open(port, CLIENT.as_bytes())), "127.0.0.1");
    Raw(open(port, request)).wait_closed();
    // A connection from before goes on.
    let mut answer = [0; 12];
    before.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    server.reload(&conf(""));
    assert_eq!(ask(open(port, b"")), "127.0.0.1");
}
