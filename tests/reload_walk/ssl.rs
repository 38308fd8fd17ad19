//! TLS of listening sockets: connections continue, later handshakes use the new values.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::read::ZlibDecoder;
use rustls::client::Resumption;
use rustls::compress::{CertDecompressor, DecompressionFailed};
use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as AES_128, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 as AES_256,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 as CHACHA20,
};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateCompressionAlgorithm, CipherSuite, ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion,
    SupportedCipherSuite,
};

use crate::support::http;
use crate::support::tls::{Client, client_config, connect, file, handshake};
use crate::support::tool::{run, tool};
use crate::walk::{After, Case, Place, Walk, walk};

/// Certificates that came compressed.
static INFLATED: AtomicUsize = AtomicUsize::new(0);

/// Counts certificates that come compressed.
#[derive(Debug)]
struct Inflate;

impl CertDecompressor for Inflate {
    fn decompress(&self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressionFailed> {
        INFLATED.fetch_add(1, Ordering::Relaxed);
        ZlibDecoder::new(input).read_exact(output).map_err(|_| DecompressionFailed)
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        CertificateCompressionAlgorithm::Zlib
    }
}

/// A row of an encrypted server that shows `origin` unless the row says otherwise.
macro_rules! case {
    ($row:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("ssl/", $row),
            place: Place::HttpServer,
            before: concat!("listen 127.0.0.1:{web} ssl; return 200 text; ", $before),
            after: concat!("listen 127.0.0.1:{web} ssl; return 200 text; ", $after),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    Case {
        row: "ssl/ssl",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web}; return 200 text; ssl on; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key;",
        after: "listen 127.0.0.1:{web}; return 200 text; ssl off; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key;",
        look: |walk| {
            let mut old = open(walk, "origin", &[]);
            Box::new(move || {
                assert_eq!(http::get(walk.web, "/").text(), "text");
                goes_on(&mut old);
            })
        },
    },
    case!(
        "ssl_certificate",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key;",
        "ssl_certificate {tls}/other.crt; ssl_certificate_key {tls}/other.key;",
        other_certificate
    ),
    case!(
        "ssl_certificate_cache",
        "ssl_certificate_cache max=2 inactive=1h valid=1h; ssl_certificate {dir}/own/$ssl_server_name.crt; ssl_certificate_key {dir}/own/$ssl_server_name.key;",
        "ssl_certificate {dir}/own/$ssl_server_name.crt; ssl_certificate_key {dir}/own/$ssl_server_name.key;",
        |walk| {
            let own = walk.server.prefix().path().join("own");
            std::fs::create_dir_all(&own).unwrap();
            let shows = move |name: &str| {
                for suffix in ["crt", "key"] {
                    std::fs::copy(file(&format!("{name}.{suffix}")), own.join(format!("localhost.{suffix}")))
                        .unwrap();
                }
            };
            shows("origin");
            let mut old = open(walk, "origin", &[]);
            shows("other");
            // It was read before.
            open(walk, "origin", &[]);
            Box::new(move || {
                open(walk, "other", &[]);
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_certificate_compression",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_certificate_compression on;",
        |walk| {
            let mut config = ClientConfig::clone(&client_config("origin", &[&TLS13]));
            config.cert_decompressors = vec![&Inflate];
            // A resumed session shows no certificate.
            config.resumption = Resumption::disabled();
            let config = Arc::new(config);
            let number = move |walk: &Walk<'_>| {
                let before = INFLATED.load(Ordering::Relaxed);
                let socket = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
                goes_on(&mut handshake(socket, &config).unwrap());
                INFLATED.load(Ordering::Relaxed) - before
            };
            assert_eq!(number(walk), 0);
            Box::new(move || assert_eq!(number(walk), 1))
        }
    ),
    case!(
        "ssl_certificate_key",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key;",
        "ssl_certificate {tls}/other.crt; ssl_certificate_key {tls}/other.key;",
        other_certificate
    ),
    case!(
        "ssl_ciphers",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;",
        |walk| { suite_changes(walk, [AES_128, AES_256], AES_128, AES_256) }
    ),
    case!(
        "ssl_ecdh_curve",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_ecdh_curve secp384r1;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_ecdh_curve prime256v1;",
        |walk| {
            let curve = |client: &Client| Some(client.conn.negotiated_key_exchange_group()?.name());
            let mut old = open(walk, "origin", &[]);
            assert_eq!(curve(&old), Some(NamedGroup::secp384r1));
            Box::new(move || {
                assert_eq!(curve(&open(walk, "origin", &[])), Some(NamedGroup::secp256r1));
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_prefer_server_ciphers",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256; ssl_prefer_server_ciphers off;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256; ssl_prefer_server_ciphers on;",
        |walk| { suite_changes(walk, [AES_128, CHACHA20], AES_128, CHACHA20) }
    ),
    case!(
        "ssl_protocols",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.2;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_protocols TLSv1.3;",
        |walk| {
            let version = |client: &Client| client.conn.protocol_version();
            let mut old = open(walk, "origin", &[]);
            assert_eq!(version(&old), Some(ProtocolVersion::TLSv1_2));
            Box::new(move || {
                assert_eq!(version(&open(walk, "origin", &[])), Some(ProtocolVersion::TLSv1_3));
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_session_tickets",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_tickets on;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_tickets off;",
        |walk| {
            let mut old = open(walk, "origin", &[]);
            assert!(old.conn.tls13_tickets_received() > 0);
            Box::new(move || {
                assert_eq!(open(walk, "origin", &[]).conn.tls13_tickets_received(), 0);
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_verify_client",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client optional;",
        |walk| clients(walk, [None, Some("client"), Some("stranger")], [400, 200, 400], [200, 200, 400])
    ),
    case!(
        "ssl_verify_depth",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on; ssl_verify_depth 0;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on; ssl_verify_depth 1;",
        |walk| clients(walk, [None, Some("client"), Some("far")], [400, 200, 400], [400, 200, 200])
    ),
    case!(
        "ssl_client_certificate",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/other-ca.crt; ssl_verify_client on;",
        |walk| clients(walk, [None, Some("client"), Some("stranger")], [400, 200, 400], [400, 400, 200])
    ),
    case!(
        "ssl_trusted_certificate",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/between.crt; ssl_verify_client on; ssl_trusted_certificate {tls}/clients/ca.crt;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/between.crt; ssl_verify_client on; ssl_trusted_certificate {tls}/clients/other-ca.crt;",
        |walk| clients(walk, [None, Some("client"), Some("stranger")], [400, 200, 400], [400, 400, 200])
    ),
    case!(
        "ssl_crl",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on; ssl_crl {tls}/clients/ca.crl;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_client_certificate {tls}/clients/ca.crt; ssl_verify_client on; ssl_crl {tls}/clients/empty.crl;",
        |walk| clients(walk, [None, Some("client"), Some("revoked")], [400, 200, 400], [400, 200, 200])
    ),
    case!(
        "ssl_reject_handshake",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_reject_handshake off;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_reject_handshake on;",
        |walk| {
            let mut old = open(walk, "origin", &[]);
            Box::new(move || {
                let error = connect(walk.web, "origin", &[&TLS13], &[]).map(drop).unwrap_err();
                assert!(
                    error.to_string().contains("UnrecognizedName")
                        || error.to_string().contains("UnrecognisedName"),
                    "{error}"
                );
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_conf_command",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_conf_command Groups P-384;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_conf_command Groups P-256;",
        |walk| {
            let curve = |client: &Client| Some(client.conn.negotiated_key_exchange_group()?.name());
            let mut old = open(walk, "origin", &[]);
            assert_eq!(curve(&old), Some(NamedGroup::secp384r1));
            Box::new(move || {
                assert_eq!(curve(&open(walk, "origin", &[])), Some(NamedGroup::secp256r1));
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_password_file",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/locked.key; ssl_password_file {tls}/passwords;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_password_file {tls}/wrong-passwords;",
        |walk| {
            let mut old = open(walk, "origin", &[]);
            Box::new(move || {
                open(walk, "origin", &[]);
                goes_on(&mut old);
            })
        }
    ),
    case!(
        "ssl_session_ticket_key",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_ticket_key {tls}/ticket-1.key;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_ticket_key {tls}/ticket-2.key;",
        |walk| resumption(walk, true, false)
    ),
    case!(
        "ssl_session_cache",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_tickets off; ssl_session_cache shared:{app}:1m;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_tickets off; ssl_session_cache off;",
        |walk| resumption(walk, true, false)
    ),
    case!(
        "ssl_session_timeout",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_timeout 1h;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_session_timeout 2h;",
        |walk| {
            let hint = |walk: &Walk<'_>| {
                let said = s_client(walk, &["-tls1_2"]);
                let at = said.find("lifetime hint: ").unwrap_or_else(|| panic!("no ticket: {said}")) + 15;
                said[at..].split_whitespace().next().unwrap().to_owned()
            };
            assert_eq!(hint(walk), "3600");
            Box::new(move || assert_eq!(hint(walk), "7200"))
        }
    ),
    Case {
        row: "ssl/ssl_buffer_size",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web} ssl; location = / { return 200 text; } location / { alias {tls}/; } ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_buffer_size 16k;",
        after: "listen 127.0.0.1:{web} ssl; location = / { return 200 text; } location / { alias {tls}/; } ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_buffer_size 512;",
        look: |walk| {
            let mut old = open(walk, "origin", &[]);
            let fewest = records(walk);
            Box::new(move || {
                assert!(records(walk) > fewest, "the response has more records");
                goes_on(&mut old);
            })
        },
    },
    case!(
        "ssl_stapling",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_stapling_file {tls}/response.ocsp; ssl_stapling off;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_stapling_file {tls}/response.ocsp; ssl_stapling on;",
        |walk| {
            assert!(s_client(walk, &["-status"]).contains("OCSP response: no response sent"));
            Box::new(move || {
                assert!(s_client(walk, &["-status"]).contains("OCSP Response Status: unauthorized"));
            })
        }
    ),
    case!(
        "ssl_stapling_file",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_stapling on; ssl_stapling_file {tls}/response.ocsp;",
        "ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_stapling on; ssl_stapling_file {tls}/other-response.ocsp;",
        |walk| {
            assert!(s_client(walk, &["-status"]).contains("OCSP Response Status: unauthorized"));
            Box::new(move || assert!(s_client(walk, &["-status"]).contains("OCSP Response Status: trylater")))
        }
    ),
];

/// Asks as these clients: statuses before and after the reload.
fn clients<'w>(
    walk: &'w Walk<'w>,
    names: [Option<&'static str>; 3],
    before: [u16; 3],
    after: [u16; 3],
) -> After<'w> {
    let ask = move || {
        names.map(|name| {
            let mut args: Vec<String> =
                ["-sk", "-o", "/dev/null", "-w", "%{http_code}"].map(str::to_owned).into();
            if let Some(name) = name {
                let of = |end: &str| file(&format!("clients/{name}.{end}"));
                args.extend(["--cert".to_owned(), of("crt"), "--key".to_owned(), of("key")]);
            }
            args.push(format!("https://127.0.0.1:{}/", walk.web));
            let output = run("curl", &args.iter().map(String::as_str).collect::<Vec<_>>());
            String::from_utf8_lossy(&output.stdout).parse::<u16>().unwrap()
        })
    };
    assert_eq!(ask(), before);
    Box::new(move || assert_eq!(ask(), after))
}

/// Whether a session from before the reload is resumed before it, and after it.
fn resumption<'w>(walk: &'w Walk<'w>, before: bool, after: bool) -> After<'w> {
    let config = client_config("origin", &[&TLS12]);
    let is_resumed = move |config: &Arc<ClientConfig>| {
        let socket = TcpStream::connect(("127.0.0.1", walk.web)).unwrap();
        let mut client = handshake(socket, config).unwrap();
        goes_on(&mut client);
        client.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    };
    assert!(!is_resumed(&config));
    assert_eq!(is_resumed(&config), before);
    Box::new(move || assert_eq!(is_resumed(&config), after))
}

/// What openssl says of a handshake.
fn s_client(walk: &Walk<'_>, args: &[&str]) -> String {
    let port = walk.web.to_string();
    let target = format!("127.0.0.1:{port}");
    let args = [&["s_client", "-connect", &target][..], args].concat();
    let output = tool("openssl", args).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Records with application data of a response.
fn records(walk: &Walk<'_>) -> usize {
    let target = format!("127.0.0.1:{}", walk.web);
    let mut child = tool("openssl", ["s_client", "-connect", &target, "-msg", "-tls1_2", "-quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"GET /origin.crt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
    text.matches("<<< TLS").count()
}

/// A connection that has been used.
fn open(walk: &Walk<'_>, trusted: &str, suites: &[SupportedCipherSuite]) -> Client {
    let versions: &[_] = if suites.is_empty() { &[&TLS12, &TLS13] } else { &[&TLS12] };
    let mut client = connect(walk.web, trusted, versions, suites).unwrap();
    goes_on(&mut client);
    client
}

/// A request on this connection is answered.
#[track_caller]
fn goes_on(client: &mut Client) {
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with(b"text") {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection has ended");
        answer.extend_from_slice(&buffer[..count]);
    }
}

fn other_certificate<'w>(walk: &'w Walk<'w>) -> After<'w> {
    let mut old = open(walk, "origin", &[]);
    Box::new(move || {
        open(walk, "other", &[]);
        assert!(connect(walk.web, "origin", &[&TLS13], &[]).is_err());
        goes_on(&mut old);
    })
}

fn suite_changes<'w>(
    walk: &'w Walk<'w>,
    offered: [SupportedCipherSuite; 2],
    before: SupportedCipherSuite,
    after: SupportedCipherSuite,
) -> After<'w> {
    let suite =
        |client: &Client| -> Option<CipherSuite> { Some(client.conn.negotiated_cipher_suite()?.suite()) };
    let mut old = open(walk, "origin", &offered);
    assert_eq!(suite(&old), Some(before.suite()));
    Box::new(move || {
        assert_eq!(suite(&open(walk, "origin", &offered)), Some(after.suite()));
        goes_on(&mut old);
    })
}

#[test]
fn ssl() {
    walk(CASES);
}
