//! Attacks on TLS: garbage, renegotiation, large chains, and handshakes that do not end.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use support::certificates::Certificates;
use support::server::free_port;
use support::tls::{client_config, connect, file};
use support::tool::tool;
use support::{Conf, Server};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn conf(port: u16, more: &str) -> Conf {
    Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {more} return 200 text; }}",
        file("origin.crt"),
        file("origin.key"),
    ))
}

#[track_caller]
fn is_served(port: u16) {
    let mut client = connect(port, "origin", &[&TLS13], &[]).unwrap();
    client.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    assert!(answer.ends_with(b"text"), "{}", String::from_utf8_lossy(&answer));
}

/// A client's first flight.
fn hello() -> Vec<u8> {
    let config = client_config("origin", &[&TLS13]);
    let mut client = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut sent = Vec::new();
    client.write_tls(&mut sent).unwrap();
    sent
}

#[test]
fn garbage_at_every_place_of_a_handshake_ends_the_connection_only() {
    let port = free_port();
    let server = Server::start(&conf(port, "ssl_early_data on;"));
    let hello = hello();
    let mut attacks: Vec<Vec<u8>> = vec![
        vec![0x16; 70_000],
        vec![0x16, 3, 1, 0xFF, 0xFF],
        // A message that claims to be longer than any.
        [&[0x16, 3, 1, 0x40, 0, 1, 0xFF, 0xFF, 0xFF][..], &[0; 0x4000]].concat(),
        // Records without content.
        [0x16, 3, 1, 0, 0].repeat(20_000),
        // An alert, and data, before the handshake.
        vec![0x15, 3, 3, 0, 2, 2, 40],
        [&[0x80][..], &[0xFF; 200]].concat(),
        [&hello[..], &[0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5]].concat(),
        [&hello[..], &hello[..]].concat(),
        [&hello[..], &[0x14, 3, 3, 0, 1, 1].repeat(50_000)].concat(),
    ];
    for at in (0..hello.len()).step_by(7) {
        let mut changed = hello.clone();
        changed[at] ^= 0xFF;
        attacks.push(changed);
        attacks.push(hello[..at].to_vec());
    }
    for attack in attacks {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // The server may close in the middle of it.
        let _ = socket.write_all(&attack);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    is_served(port);
    assert!(!server.log().contains("panicked"));
}

#[test]
fn renegotiation_is_refused() {
    let port = free_port();
    let _server = Server::start(&conf(port, ""));
    let target = format!("127.0.0.1:{port}");
    let mut child = tool("openssl", ["s_client", "-connect", &target, "-tls1_2", "-legacy_renegotiation"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The letter at the beginning of a line is a command of s_client.
    for _ in 0..20 {
        if input.write_all(b"R\n").is_err() {
            break;
        }
    }
    let _ = input.write_all(REQUEST);
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let count = said.matches("verify return").count();
    assert!(count <= 2, "the server shows its certificate again: {said}");
    is_served(port);
}

#[test]
fn a_chain_without_measure_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let all = Certificates::write(dir.path());
    let port = free_port();
    let server = Server::start(&conf(
        port,
        &format!("ssl_verify_client optional; ssl_client_certificate {}/ca.crt;", file("clients")),
    ));
    let text = std::fs::read_to_string(all.path("client.crt")).unwrap();
    for count in [90, 150, 2000] {
        std::fs::write(all.path("huge.crt"), text.repeat(count)).unwrap();
        let (chain, key, target) =
            (all.path("huge.crt"), all.path("client.key"), format!("127.0.0.1:{port}"));
        let args = ["s_client", "-connect", &target, "-cert", &chain, "-cert_chain", &chain, "-key", &key];
        let mut child = tool("openssl", args).stdin(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
        let output = child.wait_with_output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("200 OK"), "{count} certificates");
    }
    is_served(port);
    assert!(!server.log().contains("panicked"));
}

/// Half of a handshake, for each client.
#[test]
fn ten_thousand_half_open_handshakes_do_not_keep_others_out_and_end() {
    const WANTED: u64 = 10_000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let count = WANTED.min(most.saturating_sub(500));
    let port = free_port();
    let server = Server::start(
        &conf(port, "").main(&format!("worker_rlimit_nofile {most};")).events("worker_connections 20000;"),
    );
    is_served(port);
    let before = server.resident();
    let hello = hello();
    let mut open: Vec<TcpStream> = (0..count)
        .map(|number| {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let part = match number % 3 {
                0 => &hello[..1],
                1 => &hello[..hello.len() / 2],
                _ => &hello[..],
            };
            let _ = socket.write_all(part);
            socket
        })
        .collect();
    is_served(port);
    let each = server.resident().saturating_sub(before) / count.max(1);
    assert!(each < 256, "{each} KiB for each");
    // Each is closed when its time is over, whatever it has sent.
    for socket in &mut open {
        let _ = socket.read_to_end(&mut Vec::new());
    }
    is_served(port);
    assert!(!server.log().contains("panicked"));
}
