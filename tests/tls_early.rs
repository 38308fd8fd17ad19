//! Early data of TLS 1.3, and what resumed sessions keep.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind};
use support::certificates::Certificates;
use support::server::free_port;
use support::tls::{client_config, file, handshake};
use support::tool::tool;
use support::wait::until_true;
use support::{Conf, Server};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn server(port: u16, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {}; ssl_certificate_key {}; {more} \
         location / {{ return 200 '<$ssl_early_data,$ssl_session_reused>'; }} }}",
        file("origin.crt"),
        file("origin.key"),
    )
}

/// A client that accepts early data, with a session that it has from the server.
fn prepared(port: u16) -> Arc<ClientConfig> {
    prepared_for(port, &[], REQUEST, |answer| answer.ends_with(b"<,.>"))
}

/// As [`prepared`], by a first request of another protocol, whose response is there when `is_whole` says so.
fn prepared_for(port: u16, alpn: &[&[u8]], request: &[u8], is_whole: fn(&[u8]) -> bool) -> Arc<ClientConfig> {
    let mut config = (*client_config("origin", &[&TLS13])).clone();
    config.enable_early_data = true;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let config = Arc::new(config);
    let mut client = handshake(TcpStream::connect(("127.0.0.1", port)).unwrap(), &config).unwrap();
    client.write_all(request).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&answer) {
        match client.read(&mut buffer) {
            Ok(read @ 1..) => answer.extend_from_slice(&buffer[..read]),
            ended => panic!("{ended:?} after {}", String::from_utf8_lossy(&answer)),
        }
    }
    config
}

/// Sends a request as early data, and withholds the end of the handshake until the response is there.
#[track_caller]
fn answered_early(port: u16, config: &Arc<ClientConfig>, request: &[u8], is_whole: fn(&[u8]) -> bool) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(config.clone(), name).unwrap();
    client.early_data().expect("the session allows early data").write_all(request).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(support::wait::PATIENCE)).unwrap();
    while client.wants_write() {
        client.write_tls(&mut socket).unwrap();
    }
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        assert!(
            client.read_tls(&mut socket).unwrap() > 0,
            "closed after {}",
            String::from_utf8_lossy(&answer)
        );
        client.process_new_packets().unwrap();
        let _ = client.reader().read_to_end(&mut answer);
    }
    assert!(client.is_early_data_accepted());
}

/// A request over HTTP/2: the preface, settings, and a head.
fn request_of_http2() -> Vec<u8> {
    let head = [&[0x82, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat();
    let length = u8::try_from(head.len()).unwrap();
    let frame = [&[0, 0, length, 1, 5, 0, 0, 0, 1][..], &head].concat();
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0], &frame].concat()
}

fn has(answer: &[u8], part: &[u8]) -> bool {
    answer.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_request_over_http2_in_early_data_is_answered_before_the_end_of_the_handshake() {
    let port = free_port();
    let _server = Server::start(&Conf::live("").http(&server(port, "ssl_early_data on;")));
    let request = request_of_http2();
    let config = prepared_for(port, &[b"h2"], &request, |answer| has(answer, b"<,.>"));
    answered_early(port, &config, &request, |answer| has(answer, b"<1,r>"));
}

#[test]
fn the_handshake_of_rtmp_may_begin_in_early_data() {
    let port = free_port();
    let conf = Conf::live("").rtmp(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; ssl_early_data on; \
         application secure {{ live on; }} }}",
        file("origin.crt"),
        file("origin.key"),
    ));
    let _server = Server::start(&conf);
    // Version, time, zero, and what is random; the answer has both parts of the server.
    const SIZE: usize = 1536;
    let request = [&[3, 0, 0, 0, 0, 0, 0, 0, 0][..], &[7; SIZE - 8]].concat();
    let is_whole: fn(&[u8]) -> bool = |answer| {
        let ends = answer.len() > 2 * SIZE;
        assert!(!ends || answer[0] == 3 && answer[1 + SIZE + 8..1 + 2 * SIZE].iter().all(|byte| *byte == 7));
        ends
    };
    let config = prepared_for(port, &[], &request, is_whole);
    answered_early(port, &config, &request, is_whole);
}

/// Sends a request as early data, and withholds the end of the handshake until the response is there. `None` if there is no early data.
fn ask_early(port: u16, config: &Arc<ClientConfig>) -> Option<String> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(config.clone(), name).unwrap();
    client.early_data()?.write_all(REQUEST).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    while client.wants_write() {
        client.write_tls(&mut socket).unwrap();
    }
    let mut answer = Vec::new();
    while let Ok(1..) = client.read_tls(&mut socket) {
        client.process_new_packets().unwrap();
        let _ = client.reader().read_to_end(&mut answer);
        if answer.ends_with(b">") {
            break;
        }
        // An end of the handshake that the server waits for is sent.
        if !client.is_early_data_accepted() {
            while client.wants_write() {
                client.write_tls(&mut socket).unwrap();
            }
            if !client.is_handshaking() && answer.is_empty() {
                client.writer().write_all(REQUEST).unwrap();
                while client.wants_write() {
                    client.write_tls(&mut socket).unwrap();
                }
                let mut left = rustls::Stream::new(&mut client, &mut socket);
                let _ = left.read_to_end(&mut answer);
                break;
            }
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    Some(text.rsplit("\r\n").next().unwrap().to_owned())
}

#[test]
fn a_request_in_early_data_is_answered_before_the_end_of_the_handshake() {
    let [on, shared, off, none] = std::array::from_fn(|_| free_port());
    let _server = Server::start(&Conf::live("").http(&format!(
        "{} {} {} {}",
        server(on, "ssl_early_data on;"),
        server(shared, "ssl_early_data on; ssl_session_tickets off; ssl_session_cache shared:early:1m;"),
        server(off, ""),
        server(none, "ssl_early_data on; ssl_session_tickets off;"),
    )));
    for port in [on, shared] {
        let config = prepared(port);
        assert_eq!(ask_early(port, &config).as_deref(), Some("<1,r>"));
    }
    for port in [off, none] {
        assert_eq!(ask_early(port, &prepared(port)), None, "the server's sessions allow it");
    }
}

#[test]
fn early_data_that_is_sent_again_is_not_read() {
    let port = free_port();
    let server = Server::start(
        &Conf::live("").http(&server(port, "ssl_early_data on; access_log logs/early.log combined;")),
    );
    let config = prepared(port);
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    client.early_data().unwrap().write_all(REQUEST).unwrap();
    let mut sent = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut sent).unwrap();
    }
    let requests = || server.prefix().read("logs/early.log").lines().count();
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    first.write_all(&sent).unwrap();
    until_true("the request is answered", || requests() == 2);
    let mut copy = TcpStream::connect(("127.0.0.1", port)).unwrap();
    copy.write_all(&sent).unwrap();
    // The copy begins a new handshake, which ends with its time.
    let _ = copy.read_to_end(&mut Vec::new());
    assert_eq!(requests(), 2);
}

#[test]
fn a_resumed_session_of_tls12_keeps_its_curve() {
    let port = free_port();
    let _server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         location / {{ return 200 '<$ssl_curve>'; }} }}",
        file("origin.crt"),
        file("origin.key"),
    )));
    let config = client_config("origin", &[&TLS12]);
    let ask = || {
        let mut client = handshake(TcpStream::connect(("127.0.0.1", port)).unwrap(), &config).unwrap();
        client.write_all(REQUEST).unwrap();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        let is_resumed = client.conn.handshake_kind() == Some(HandshakeKind::Resumed);
        let text = String::from_utf8_lossy(&answer).into_owned();
        (is_resumed, text.rsplit("\r\n").next().unwrap().to_owned())
    };
    let (is_resumed, first) = ask();
    assert!(!is_resumed && first.len() > 2, "{first}");
    for _ in 0..3 {
        assert_eq!(ask(), (true, first.clone()));
    }
}

#[test]
fn a_resumed_session_keeps_the_verdict_about_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let all = Certificates::write(dir.path());
    support::tool::run("chmod", &["-R", "a+rX", dir.path().to_str().unwrap()]);
    let [tickets, shared] = std::array::from_fn(|_| free_port());
    let conf = |list: &str| {
        let verifies = |port: u16, more: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {more} \
                 ssl_verify_client on; ssl_client_certificate {}; ssl_crl {}; \
                 location / {{ return 200 '<$ssl_client_verify,$ssl_session_reused>'; }} }}",
                all.path("server.crt"),
                all.path("server.key"),
                all.path("ca.crt"),
                all.path(list),
            )
        };
        Conf::live("").http(&format!(
            "{} {}",
            verifies(tickets, ""),
            verifies(shared, "ssl_session_tickets off; ssl_session_cache shared:verdicts:1m;")
        ))
    };
    let server = Server::start(&conf("empty.crl"));
    let ask = |port: u16, version: &str, session: &str, which: &str| {
        let target = format!("127.0.0.1:{port}");
        let (certificate, key, file) = (all.path("revoked.crt"), all.path("revoked.key"), all.path(session));
        let mut child = tool(
            "openssl",
            [
                "s_client",
                "-connect",
                &target,
                version,
                "-ign_eof",
                "-cert",
                &certificate,
                "-key",
                &key,
                which,
                &file,
            ],
        )
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
        child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let cases = [(tickets, "-tls1_2"), (tickets, "-tls1_3"), (shared, "-tls1_2"), (shared, "-tls1_3")];
    let session = |number: usize| format!("session-{number}");
    for (number, (port, version)) in cases.into_iter().enumerate() {
        let said = ask(port, version, &session(number), "-sess_out");
        assert!(said.contains("<SUCCESS,.>"), "{said}");
    }
    server.reload(&conf("ca.crl"));
    for (number, (port, version)) in cases.into_iter().enumerate() {
        // As in nginx, what was found in the first handshake counts; a new one is refused.
        let said = ask(port, version, &session(number), "-sess_in");
        assert!(said.contains("<SUCCESS,r>"), "{said}");
        let said = ask(port, version, "unused", "-sess_out");
        assert!(said.contains("400 The SSL certificate error"), "{said}");
    }
}
