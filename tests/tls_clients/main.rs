//! TLS with certificates of clients, resumption over reloads, encrypted keys, and certificates that are chosen for clients.

mod backends;
mod certificates;

#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind};
use support::certificates::Certificates;
use support::server::free_port;
use support::tls::{client_config, handshake};
use support::tool::{run, tool};
use support::{Conf, Publisher, Server};

/// Certificates in a directory that ends with them.
struct Made {
    _dir: tempfile::TempDir,
    all: Certificates,
}

impl Made {
    fn new() -> Made {
        let dir = tempfile::tempdir().unwrap();
        let all = Certificates::write(dir.path());
        // The server may run as another user.
        run("chmod", &["-R", "a+rX", dir.path().to_str().unwrap()]);
        Made { _dir: dir, all }
    }

    fn path(&self, name: &str) -> String {
        self.all.path(name)
    }

    /// Directives that show this certificate.
    fn shows(&self, name: &str) -> String {
        let (certificate, key) = (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")));
        format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
    }
}

/// A body and a status, as `status body`.
fn curl(url: &str, more: &[&str]) -> String {
    let output = run("curl", &[&["-sk", "-w", " %{http_code}"], more, &[url]].concat());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What openssl says of a handshake; `input` is sent.
fn s_client(port: u16, more: &[&str], input: &str) -> String {
    let target = format!("127.0.0.1:{port}");
    let args = [&["s_client", "-connect", &target, "-ign_eof"][..], more].concat();
    let mut child = tool("openssl", args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const GET: &str = "GET / HTTP/1.0\r\n\r\n";

#[test]
fn an_rtmp_client_without_a_trusted_certificate_is_closed() {
    let made = Made::new();
    let port = free_port();
    let conf = |verify: &str| {
        Conf::live("").rtmp(&format!(
            "server {{ listen {port} ssl; {} ssl_verify_client {verify}; ssl_client_certificate {}; \
             application live {{ live on; }} }}",
            made.shows("server"),
            made.path("ca.crt")
        ))
    };
    let server = Server::start(&conf("on"));
    // S0 of the handshake tells that the connection is served.
    let is_served = |identity: Option<&str>| {
        let mut more = vec!["-quiet"];
        let (certificate, key) = (
            identity.map(|name| made.path(&format!("{name}.crt"))),
            identity.map(|name| made.path(&format!("{name}.key"))),
        );
        if let Some((certificate, key)) = certificate.as_ref().zip(key.as_ref()) {
            more.extend(["-cert", certificate, "-key", key]);
        }
        let target = format!("127.0.0.1:{port}");
        let args = [&["s_client", "-connect", &target, "-ign_eof"][..], &more].concat();
        let mut child = tool("openssl", args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut c0c1 = vec![0; 1537];
        c0c1[0] = 3;
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(&c0c1);
        let mut first = [0];
        let count = child.stdout.take().unwrap().read(&mut first).unwrap_or(0);
        let _ = child.kill();
        let _ = child.wait();
        count == 1 && first[0] == 3
    };
    assert!(!is_served(None));
    server.wait_log("client sent no required SSL certificate, client: 127.0.0.1");
    assert!(!is_served(Some("stranger")));
    server.wait_log("client SSL certificate verify error: (21:unable to verify the first certificate)");
    assert!(is_served(Some("client")));
    server.reload(&conf("optional"));
    assert!(is_served(None) && !is_served(Some("stranger")));
    // The plain socket beside it is served.
    Publisher::start(server.rtmp, "s").leave();
}

/// A client that asks for `/` and says whether its session was resumed.
fn resumes(config: &Arc<ClientConfig>, port: u16) -> bool {
    let mut client = handshake(TcpStream::connect(("127.0.0.1", port)).unwrap(), config).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Fails without close_notify.
    client.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let is_resumed = client.conn.handshake_kind() == Some(HandshakeKind::Resumed);
    assert!(text.ends_with(if is_resumed { "<r>" } else { "<.>" }), "{text}");
    is_resumed
}

#[test]
fn sessions_are_resumed_over_reloads_with_tickets_and_with_a_shared_cache() {
    let (tickets, shared, none) = (free_port(), free_port(), free_port());
    let origin = support::tls::file("origin.crt");
    let key = support::tls::file("origin.key");
    let conf = |text: &str| {
        let server = |port: u16, more: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {origin}; ssl_certificate_key {key}; {more} \
                 add_header X-Generation {text}; return 200 '<$ssl_session_reused>'; }}"
            )
        };
        Conf::live("").http(&format!(
            "{} {} {}",
            server(tickets, ""),
            server(shared, "ssl_session_cache shared:one:1m; ssl_session_tickets off;"),
            server(none, "ssl_session_cache off; ssl_session_tickets off;"),
        ))
    };
    let server = Server::start(&conf("one"));
    for versions in [&[&TLS12], &[&TLS13]] {
        let known: Vec<_> = [tickets, shared, none]
            .into_iter()
            .map(|port| (port, client_config("origin", versions)))
            .collect();
        for (port, config) in &known {
            assert!(!resumes(config, *port));
            assert_eq!(resumes(config, *port), *port != none);
        }
        server.reload(&conf(&format!("g{}", known.len())));
        for (port, config) in &known {
            assert_eq!(resumes(config, *port), *port != none, "after a reload");
        }
        server.reload(&conf("one"));
    }
    // A session of another server, with the same name, is not resumed.
    let config = client_config("origin", &[&TLS13]);
    assert!(!resumes(&config, tickets) && !resumes(&config, shared));
}

#[test]
fn a_request_behind_the_end_of_the_handshake_is_answered_with_tickets_and_close_notify() {
    let port = free_port();
    let _server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; return 200 '<$ssl_session_reused>'; }}",
        support::tls::file("origin.crt"),
        support::tls::file("origin.key")
    )));
    let config = client_config("origin", &[&TLS13]);
    for expected in ["<.>", "<r>", "<r>"] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(support::wait::PATIENCE)).unwrap();
        let mut client = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
        // Up to the client's last message, which is then sent together with the request.
        while client.is_handshaking() {
            while client.wants_write() {
                client.write_tls(&mut socket).unwrap();
            }
            assert!(client.read_tls(&mut socket).unwrap() > 0);
            client.process_new_packets().unwrap();
        }
        client.writer().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut last = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut last).unwrap();
        }
        socket.write_all(&last).unwrap();
        while client.read_tls(&mut socket).unwrap() > 0 {
            client.process_new_packets().unwrap();
        }
        let mut answer = Vec::new();
        client.reader().read_to_end(&mut answer).unwrap();
        assert!(answer.ends_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn servers_with_the_same_ticket_key_resume_each_others_sessions() {
    let ports = [free_port(), free_port()];
    let conf = |port: u16, keys: &[&str]| {
        let keys: String = keys
            .iter()
            .map(|name| format!("ssl_session_ticket_key {};", support::tls::file(&format!("{name}.key"))))
            .collect();
        Conf::live("").http(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; {keys} \
             return 200 '<$ssl_session_reused>'; }}",
            support::tls::file("origin.crt"),
            support::tls::file("origin.key")
        ))
    };
    let _one = Server::start(&conf(ports[0], &["ticket-1"]));
    let other = Server::start(&conf(ports[1], &["ticket-2"]));
    let config = client_config("origin", &[&TLS13]);
    assert!(!resumes(&config, ports[0]));
    assert!(!resumes(&config, ports[1]), "its key is another one");
    other.reload(&conf(ports[1], &["ticket-2", "ticket-1"]));
    let config = client_config("origin", &[&TLS13]);
    assert!(!resumes(&config, ports[0]));
    assert!(resumes(&config, ports[1]), "the second key is read");
}

#[test]
fn a_rejected_handshake_ends_with_its_alert() {
    let made = Made::new();
    let port = free_port();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:{port} ssl; server_name a.test; {} return 200 served; }}",
        made.shows("server")
    )));
    assert!(s_client(port, &["-noservername"], GET).contains("alert number 112"));
    assert!(s_client(port, &["-servername", "b.test", "-tls1_2"], GET).contains("alert number 112"));
    assert!(
        s_client(port, &["-servername", "a.test"], "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
            .contains("served")
    );
    server.wait_log("the handshake is rejected");
}

#[test]
fn clients_of_http2_are_verified_too() {
    let made = Made::new();
    let port = free_port();
    let server = |name: &str, more: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl http2; server_name {name}; {} {more} \
             location / {{ return 200 '{name} $http2 $ssl_client_verify $ssl_client_serial $ssl_alpn_protocol'; }} }}",
            made.shows("server")
        )
    };
    let verifies = format!("ssl_verify_client on; ssl_client_certificate {};", made.path("ca.crt"));
    let _server = Server::start(&Conf::live("").http(&(server("a.test", "") + &server("b.test", &verifies))));
    let (certificate, key) = (made.path("old.crt"), made.path("old.key"));
    let shown = ["--cert", &certificate, "--key", &key];
    let ask = |name: &str, host: &str, more: &[&str]| {
        let (resolve, host) = (format!("{name}:{port}:127.0.0.1"), format!("Host: {host}"));
        let more = [&["--http2", "--resolve", &resolve, "-H", &host][..], more].concat();
        curl(&format!("https://{name}:{port}/"), &more)
    };
    assert_eq!(ask("a.test", "a.test", &[]), "a.test h2 NONE  h2 200");
    assert_eq!(ask("b.test", "b.test", &shown), "b.test h2 SUCCESS 4D h2 200");
    assert_eq!(ask("b.test", "a.test", &shown), "a.test h2 SUCCESS 4D h2 200");
    for (name, host, more, status) in [
        ("b.test", "b.test", &[][..], "400"),
        ("a.test", "b.test", &shown, "421"),
        ("a.test", "b.test", &[], "421"),
    ] {
        let said = ask(name, host, more);
        assert!(said.ends_with(status) && said.contains("<html>"), "{name} {host}: {said}");
    }
}
