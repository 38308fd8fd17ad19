//! TLS with certificates of clients, resumption over reloads, encrypted keys, and certificates that are chosen for clients.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use support::certificates::Certificates;
use support::server::{Prefix, free_port};
use support::tls::{client_config, handshake};
use support::tool::{run, tool};
use support::wait::until_true;
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

#[test]
fn an_rtmp_server_that_verifies_is_not_reached_by_the_name_of_another() {
    let made = Made::new();
    let port = free_port();
    let server = |name: &str, more: &str| {
        format!(
            "server {{ listen {port} ssl; server_name {name}; {} {more} application live {{ live on; }} }}",
            made.shows("server")
        )
    };
    let verifies = format!("ssl_verify_client on; ssl_client_certificate {};", made.path("ca.crt"));
    let server =
        Server::start(&Conf::live("").rtmp(&(server("localhost", "") + &server("b.test", &verifies))));
    let publish = |host: &str| {
        let url = format!("rtmps://127.0.0.1:{port}/live/s");
        let tc_url = format!("rtmps://{host}/live");
        let args = [
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc=s=64x64:d=2",
            "-c:v",
            "flv1",
            "-f",
            "flv",
            "-rtmp_tcurl",
            &tc_url,
            &url,
        ];
        run("ffmpeg", &args).status.success()
    };
    assert!(publish("localhost"));
    assert!(!publish("b.test"));
    server.wait_log("client attempted to request the server name different from the one that was negotiated");
}

/// A client that asks for `/` and says whether its session was resumed.
fn resumes(config: &Arc<ClientConfig>, port: u16) -> bool {
    let mut client = handshake(TcpStream::connect(("127.0.0.1", port)).unwrap(), config).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
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

#[test]
fn a_certificate_is_chosen_by_what_a_client_can_verify_and_by_its_name() {
    let made = Made::new();
    made.all.openssl(&[
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days",
        "3650", "-subj", "/CN=rsa",
    ]);
    for name in ["a.test", "b.test"] {
        let (certificate, key) = if name == "a.test" { ("server", "server") } else { ("server2", "server2") };
        std::fs::copy(made.path(&format!("{certificate}.crt")), made.path(&format!("{name}.crt"))).unwrap();
        std::fs::copy(made.path(&format!("{key}.key")), made.path(&format!("{name}.key"))).unwrap();
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (both, named, inline) = (free_port(), free_port(), free_port());
    let variable = made.path("$ssl_server_name");
    let text = |name: &str| std::fs::read_to_string(made.path(name)).unwrap();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{both} ssl; {} {} return 200 $ssl_cipher; }}
         server {{ listen 127.0.0.1:{named} ssl; ssl_certificate {variable}.crt; ssl_certificate_key {variable}.key; return 200 x; }}
         server {{ listen 127.0.0.1:{inline} ssl; ssl_certificate 'data:{}'; ssl_certificate_key 'data:{}'; return 200 x; }}",
        made.shows("server"),
        made.shows("rsa"),
        text("server.crt"),
        text("server.key"),
    )));
    let subject = |port: u16, more: &[&str]| {
        let said = s_client(port, more, GET);
        let line = said.lines().find(|line| line.starts_with("subject=")).unwrap_or("none").to_owned();
        line.rsplit("CN = ").next().unwrap().to_owned()
    };
    assert_eq!(subject(both, &["-sigalgs", "RSA-PSS+SHA256"]), "rsa");
    assert_eq!(subject(both, &["-sigalgs", "ECDSA+SHA256"]), "server");
    assert_eq!(subject(both, &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]), "rsa");
    assert_eq!(subject(named, &["-servername", "a.test"]), "server");
    assert_eq!(subject(named, &["-servername", "b.test"]), "server2");
    assert_eq!(subject(named, &["-servername", "missing.test"]), "none");
    server.wait_log("missing.test.crt\": 2: No such file or directory");
    assert_eq!(subject(inline, &[]), "server");
}

#[test]
fn certificates_are_chosen_by_maps_and_kept() {
    let made = Made::new();
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (port, kept) = (free_port(), free_port());
    for suffix in ["crt", "key"] {
        std::fs::copy(made.path(&format!("server.{suffix}")), made.path(&format!("kept.{suffix}"))).unwrap();
    }
    let server = Server::start(&Conf::live("").http(&format!(
        "geo $near {{ default far; 127.0.0.0/8 near; }}
         map $ssl_server_name:$near $name {{ default none; a.test:near {}; ~^(?:.+\\.)?b\\.test:near$ {}; }}
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate $name.crt; ssl_certificate_key $name.key; return 200 x; }}
         server {{ listen 127.0.0.1:{kept} ssl; ssl_certificate_cache max=10 inactive=1h valid=1h;
             ssl_certificate {}/$ssl_server_name.crt; ssl_certificate_key {}/$ssl_server_name.key; return 200 x; }}",
        made.path("server"),
        made.path("server2"),
        made.path(""),
        made.path(""),
    )));
    let subject = |port: u16, name: &str| {
        let said = s_client(port, &["-servername", name], GET);
        let line = said.lines().find(|line| line.starts_with("subject=")).unwrap_or("none").to_owned();
        line.rsplit("CN = ").next().unwrap().to_owned()
    };
    assert_eq!(subject(port, "a.test"), "server");
    assert_eq!(subject(port, "x.b.test"), "server2");
    assert_eq!(subject(port, "c.test"), "none");
    server.wait_log("none.crt\": 2: No such file or directory");
    assert_eq!(subject(kept, "kept"), "server");
    for suffix in ["crt", "key"] {
        std::fs::copy(made.path(&format!("server2.{suffix}")), made.path(&format!("kept.{suffix}"))).unwrap();
    }
    assert_eq!(subject(kept, "kept"), "server", "it is not read again");
    assert_eq!(subject(kept, "server2"), "server2");
}

#[test]
fn a_chain_is_completed_from_the_trusted_certificates() {
    let made = Made::new();
    let (short, long, alone) = (free_port(), free_port(), free_port());
    let server = |port: u16, name: &str, more: &str| {
        format!("server {{ listen 127.0.0.1:{port} ssl; {} {more} return 200 x; }}", made.shows(name))
    };
    let trusted = format!("ssl_trusted_certificate {};", made.path("ca-and-between.crt"));
    let _server = Server::start(&Conf::live("").http(
        &(server(short, "far-alone", &trusted)
            + &server(long, "far", &trusted)
            + &server(alone, "far-alone", "")),
    ));
    let shown = |port: u16| {
        let said = s_client(port, &["-showcerts"], GET);
        said.lines()
            .filter_map(|line| line.split_once(" s:"))
            .map(|(_, name)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let name = |name: &str| format!("C = XX, O = \"Tests, Inc.\", CN = {name}");
    assert_eq!(shown(short), [name("far"), name("between"), name("ca")]);
    assert_eq!(shown(long), [name("far"), name("between")], "a chain that is given stays as it is");
    assert_eq!(shown(alone), [name("far")]);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_name() {
    let made = Made::new();
    made.all.openssl(&[
        "ec",
        "-in",
        "server.key",
        "-aria128",
        "-passout",
        "pass:secret",
        "-out",
        "legacy.key",
    ]);
    std::fs::write(made.path("passwords"), "secret\n").unwrap();
    std::fs::write(made.path("wrong"), "no\n").unwrap();
    let good = made.shows("server");
    let ca = format!("ssl_client_certificate {};", made.path("ca.crt"));
    let path = |name: &str| made.path(name);
    let certificate = format!("ssl_certificate {};", path("server.crt"));
    let cases = [
        (
            format!("{good} ssl_verify_client on;"),
            "no ssl_client_certificate for ssl_verify_client".to_owned(),
        ),
        (
            format!("{good} ssl_client_certificate {};", path("missing")),
            format!("SSL_CTX_load_verify_locations(\"{}\") failed", path("missing")),
        ),
        (
            format!("{good} {ca} ssl_crl {};", path("ca.crt")),
            format!(
                "SSL_CTX_load_verify_locations(\"{}\") failed (it holds no revocation list)",
                path("ca.crt")
            ),
        ),
        (
            format!("{good} ssl_session_ticket_key {};", path("ca.crt")),
            format!("\"{}\" must be 48 or 80 bytes", path("ca.crt")),
        ),
        (
            format!("{certificate} ssl_certificate_key {};", path("locked.key")),
            format!(
                "cannot load certificate key \"{}\": it is encrypted, and no password",
                path("locked.key")
            ),
        ),
        (
            format!(
                "{certificate} ssl_certificate_key {}; ssl_password_file {};",
                path("locked.key"),
                path("wrong")
            ),
            "it is encrypted, and no password".to_owned(),
        ),
        (
            format!(
                "{certificate} ssl_certificate_key {}; ssl_password_file {};",
                path("legacy.key"),
                path("passwords")
            ),
            "it is encrypted with a cipher that is not supported".to_owned(),
        ),
        (certificate.clone(), "no \"ssl_certificate_key\" is defined for certificate".to_owned()),
        (
            String::new(),
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in ".to_owned(),
        ),
        (format!("{good} ssl_conf_command Foo bar;"), "SSL_CONF_cmd(\"Foo\", \"bar\") failed".to_owned()),
        (
            format!("{good} ssl_session_cache shared:a:1;"),
            "session cache \"shared:a:1\" is too small".to_owned(),
        ),
        (
            format!("{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_verify on; }}"),
            "no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned(),
        ),
        (
            format!(
                "{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_certificate {0}; proxy_ssl_certificate_key {0}; }}",
                path("missing")
            ),
            format!("cannot load \"{}\": 2: No such file", path("missing")),
        ),
    ];
    let said = |directives: &str| {
        let conf = format!("events {{ }}\nhttp {{ server {{ listen 127.0.0.1:1 ssl; {directives} }} }}\n");
        let prefix = Prefix::new();
        std::fs::create_dir_all(prefix.path().join("conf")).unwrap();
        std::fs::create_dir_all(prefix.path().join("logs")).unwrap();
        std::fs::write(prefix.path().join("conf/pingosd.conf"), conf).unwrap();
        let output = prefix.command().arg("-t").stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (directives, wanted) in cases {
        let (is_good, text) = said(&directives);
        assert!(!is_good && text.contains(&wanted), "{directives}\nlacks {wanted}\n{text}");
    }
    for directives in [
        format!("{good} {ca} ssl_verify_client on;"),
        format!("{good} ssl_verify_client optional_no_ca;"),
        format!("{good} ssl_trusted_certificate {}; ssl_verify_client on;", path("ca.crt")),
        "ssl_reject_handshake on;".to_owned(),
        format!(
            "{good} location / {{ proxy_pass https://127.0.0.1:9; proxy_ssl_trusted_certificate {0}; proxy_ssl_crl {0}; }}",
            path("missing")
        ),
        format!(
            "{good} location / {{ proxy_pass http://127.0.0.1:9; proxy_ssl_certificate {0}; proxy_ssl_certificate_key {0}; }}",
            path("missing")
        ),
    ] {
        let (is_good, text) = said(&directives);
        assert!(is_good, "{directives}\n{text}");
    }
}

#[test]
fn encrypted_keys_of_all_usual_forms_are_decrypted() {
    let made = Made::new();
    let rsa = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days",
        "3650", "-subj", "/CN=rsa",
    ];
    made.all.openssl(&rsa);
    std::fs::write(made.path("passwords"), "wrong\n\nsecret\r\n").unwrap();
    let (mut servers, mut ports) = (String::new(), Vec::new());
    for (kind, form) in [
        ("server", ["ec", "-aes128"]),
        ("server", ["ec", "-des3"]),
        ("rsa", ["rsa", "-aes192"]),
        ("rsa", ["rsa", "-aes256"]),
        ("rsa", ["pkcs8", "-v2=aes-256-cbc"]),
        ("server", ["pkcs8", "-v2=des3"]),
    ] {
        let [command, cipher] = form;
        let (source, target) = (format!("{kind}.key"), format!("{kind}{cipher}.key"));
        let mut args = vec![command, "-in", &source, "-out", &target, "-passout", "pass:secret"];
        match cipher.split_once('=') {
            Some((option, value)) => args.extend(["-topk8", option, value]),
            None if command == "rsa" => args.extend([cipher, "-traditional"]),
            None => args.push(cipher),
        }
        made.all.openssl(&args);
        let port = free_port();
        servers.push_str(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; \
             ssl_password_file {}; return 200 '{kind} {cipher}'; }}\n",
            made.path(&format!("{kind}.crt")),
            made.path(&target),
            made.path("passwords")
        ));
        ports.push((port, format!("{kind} {cipher} 200")));
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let _server = Server::start(&Conf::live("").http(&servers));
    for (port, wanted) in ports {
        assert_eq!(curl(&format!("https://127.0.0.1:{port}/"), &[]), wanted);
    }
}

#[test]
fn the_certificate_for_a_backend_may_depend_on_the_request() {
    let made = Made::new();
    let (front, backend) = (free_port(), free_port());
    let dir = made.all.0.to_str().unwrap();
    let server = Server::start(&Conf::live("").http(&format!(
        "server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass https://127.0.0.1:{backend}; \
         proxy_ssl_certificate {dir}/$arg_cert.crt; proxy_ssl_certificate_key {dir}/$arg_cert.key; }} \
         location /none {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_certificate $arg_none; proxy_ssl_certificate_key $arg_none; }} }}
         server {{ listen 127.0.0.1:{backend} ssl; {} ssl_verify_client optional; ssl_client_certificate {}; return 200 $ssl_client_s_dn; }}",
        made.shows("server"),
        made.path("both-cas.crt")
    )));
    let ask = |path: &str| curl(&format!("http://127.0.0.1:{front}{path}"), &[]);
    assert_eq!(ask("/?cert=client"), "CN=client,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/?cert=stranger"), "CN=stranger,O=Tests\\, Inc.,C=XX 200");
    assert_eq!(ask("/none"), " 200");
    assert!(ask("/?cert=missing").ends_with(" 500"));
    server.wait_log("missing.crt\": 2: No such file or directory");
}

#[test]
fn backends_are_verified_as_nginx_does_it() {
    let made = Made::new();
    // The usual ones that are made by hand: of a CA, without other names, and of version 1.
    for (name, subject) in [("hand", "/CN=hand.test"), ("other-hand", "/CN=127.0.0.1")] {
        made.all.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.crt"),
            "-days",
            "3650",
            "-subj",
            subject,
        ]);
    }
    run("chmod", &["-R", "a+rX", made.all.0.to_str().unwrap()]);
    let (front, backend) = (free_port(), free_port());
    let server_of = |name: &str| {
        format!(
            "server {{ listen 127.0.0.1:{backend} ssl; server_name {name}; {} return 200 x; }}",
            made.shows(name)
        )
    };
    let all =
        ["hand", "other-hand", "client", "expired", "far", "far-alone", "old", "revoked", "self", "server"];
    let location = |number: usize, name: &str, wanted: &str, more: &str| {
        format!(
            "location /{number} {{ proxy_pass https://127.0.0.1:{backend}; proxy_ssl_server_name on; proxy_ssl_verify on; \
             proxy_ssl_name {name}; set $wanted {wanted}; {more} }}"
        )
    };
    let ca = format!("proxy_ssl_trusted_certificate {};", made.path("ca.crt"));
    let own = |name: &str| format!("proxy_ssl_trusted_certificate {};", made.path(&format!("{name}.crt")));
    // SNI selects the certificate by the server's name, which is also the name that is verified.
    let cases: Vec<(&str, String, Result<(), &str>)> = vec![
        ("client.test", ca.clone(), Ok(())),
        ("hand.test", own("hand"), Ok(())),
        ("hand.test", ca.clone(), Err("upstream SSL certificate verify error: (18:self-signed certificate)")),
        ("wrong.test", own("hand"), Err("upstream SSL certificate does not match \"wrong.test\"")),
        ("old", ca.clone(), Ok(())),
        ("far", ca.clone(), Ok(())),
        (
            "far",
            format!("{ca} proxy_ssl_verify_depth 0;"),
            Err("upstream SSL certificate verify error: (22:certificate chain too long)"),
        ),
        ("expired", ca.clone(), Err("upstream SSL certificate verify error: (10:certificate has expired)")),
        (
            "revoked",
            format!("{ca} proxy_ssl_crl {};", made.path("ca.crl")),
            Err("upstream SSL certificate verify error: (23:certificate revoked)"),
        ),
        ("revoked", format!("{ca} proxy_ssl_crl {};", made.path("empty.crl")), Ok(())),
    ];
    let alias = |name: &str| match name {
        "hand" => "hand.test wrong.test".to_owned(),
        "client" => "client.test".to_owned(),
        name => name.to_owned(),
    };
    let servers: String = all
        .iter()
        .map(|name| {
            server_of(name).replace(&format!("server_name {name};"), &format!("server_name {};", alias(name)))
        })
        .collect();
    let locations: String =
        cases.iter().enumerate().map(|(number, (name, more, _))| location(number, name, "x", more)).collect();
    let server = Server::start(
        &Conf::live("").http(&format!("server {{ listen 127.0.0.1:{front}; {locations} }} {servers}")),
    );
    for (number, (name, more, wanted)) in cases.iter().enumerate() {
        let said = curl(&format!("http://127.0.0.1:{front}/{number}"), &[]);
        match wanted {
            Ok(()) => assert!(said.ends_with(" 200"), "{name} {more}: {said}\n{}", server.log()),
            Err(why) => {
                assert!(said.ends_with(" 502"), "{name} {more}: {said}");
                until_true(why, || {
                    server.log().contains(&format!("{why} while SSL handshaking to upstream"))
                });
            }
        }
    }
}
