//! OCSP and early data: connections after a reload use the new values.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;

use crate::support::ocsp::{Authority, OddResponder};
use crate::support::tls::{client_config, handshake};
use crate::support::tool::{run, tool};
use crate::support::wait::until_true;
use crate::walk::{Around, Case, Place, Walk, walk_in};

/// Certificates, and responders that say always the same.
struct Pki {
    authority: Authority,
    /// It has signed with a key that the server does not trust.
    forged: OddResponder,
    /// It says that the client's certificate is good.
    client: OddResponder,
}

static PKI: OnceLock<Pki> = OnceLock::new();

fn pki() -> &'static Pki {
    PKI.get_or_init(|| {
        let authority = Authority::new();
        let said =
            |name: &str, signer: &str| OddResponder::with_response(&authority.response(name, signer, &[]));
        Pki { forged: said("server", "other"), client: said("client", "ca"), authority }
    })
}

macro_rules! case {
    ($row:literal, $common:literal, $before:literal, $after:literal, $look:expr) => {
        Case {
            row: concat!("ssl/", $row),
            place: Place::HttpServer,
            before: concat!(
                "listen 127.0.0.1:{web} ssl; return 200 text; ssl_certificate {pki}/chain.crt; \
                 ssl_certificate_key {pki}/server.key; ",
                $common,
                $before
            ),
            after: concat!(
                "listen 127.0.0.1:{web} ssl; return 200 text; ssl_certificate {pki}/chain.crt; \
                 ssl_certificate_key {pki}/server.key; ",
                $common,
                $after
            ),
            look: $look,
        }
    };
}

pub const CASES: &[Case] = &[
    case!(
        "ssl_stapling_responder",
        "ssl_stapling on; ",
        "ssl_stapling_responder http://127.0.0.1:1/;",
        "ssl_stapling_responder http://127.0.0.1:2/;",
        |walk| {
            stapled(walk);
            walk.server.wait_log("peer: 127.0.0.1:1, certificate");
            Box::new(move || {
                stapled(walk);
                walk.server.wait_log("peer: 127.0.0.1:2, certificate");
            })
        }
    ),
    case!(
        "ssl_stapling_verify",
        "ssl_stapling on; ssl_stapling_responder {forged}; ",
        "ssl_stapling_verify off;",
        "ssl_stapling_verify on;",
        |walk| {
            until_true("a stapled response", || stapled(walk).contains("Cert Status: good"));
            Box::new(move || {
                stapled(walk);
                walk.server.wait_log("OCSP_basic_verify() failed");
                assert!(stapled(walk).contains("no response sent"));
            })
        }
    ),
    case!(
        "ssl_ocsp",
        "ssl_verify_client on; ssl_client_certificate {pki}/ca.crt; ",
        "ssl_ocsp off;",
        "ssl_ocsp leaf;",
        |walk| {
            assert_eq!(status(walk), "200");
            Box::new(move || assert_eq!(status(walk), "400", "the certificate names no responder"))
        }
    ),
    case!(
        "ssl_ocsp_responder",
        "ssl_verify_client on; ssl_client_certificate {pki}/ca.crt; ssl_ocsp on; ",
        "ssl_ocsp_responder {client};",
        "ssl_ocsp_responder http://127.0.0.1:3;",
        |walk| {
            assert_eq!(status(walk), "200");
            Box::new(move || {
                assert_eq!(status(walk), "400");
                walk.server.wait_log("peer: 127.0.0.1:3");
            })
        }
    ),
    case!(
        "ssl_ocsp_cache",
        "ssl_verify_client on; ssl_client_certificate {pki}/ca.crt; ssl_ocsp on; ssl_ocsp_responder {client}; ",
        "ssl_ocsp_cache off;",
        "ssl_ocsp_cache shared:{app}:1m;",
        |walk| {
            let asked = || pki().client.requests.load(Ordering::SeqCst);
            let begun = asked();
            assert_eq!([status(walk), status(walk)], ["200", "200"]);
            assert_eq!(asked(), begun + 2);
            Box::new(move || {
                let begun = asked();
                assert_eq!([status(walk), status(walk)], ["200", "200"]);
                assert_eq!(asked(), begun + 1);
            })
        }
    ),
    Case {
        row: "ssl/ssl_early_data",
        place: Place::HttpServer,
        before: "listen 127.0.0.1:{web} ssl; return 200 text; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_early_data off;",
        after: "listen 127.0.0.1:{web} ssl; return 200 text; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_early_data on;",
        look: |walk| {
            assert!(!may_be_early(walk));
            Box::new(move || assert!(may_be_early(walk)))
        },
    },
];

/// What a client is told of the server's certificate.
fn stapled(walk: &Walk<'_>) -> String {
    let target = format!("127.0.0.1:{}", walk.web);
    let output = tool("openssl", ["s_client", "-connect", &target, "-status"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The status of a client's request.
fn status(walk: &Walk<'_>) -> String {
    let (certificate, key) = (pki().authority.path("client.crt"), pki().authority.path("client.key"));
    let url = format!("https://127.0.0.1:{}/", walk.web);
    let args = ["-sk", "-o", "/dev/null", "-w", "%{http_code}", "--cert", &certificate, "--key", &key, &url];
    String::from_utf8_lossy(&run("curl", &args).stdout).into_owned()
}

/// Whether a session allows early data.
fn may_be_early(walk: &Walk<'_>) -> bool {
    let mut config = (*client_config("origin", &[&TLS13])).clone();
    config.enable_early_data = true;
    let config = Arc::new(config);
    let mut client = handshake(TcpStream::connect(("127.0.0.1", walk.web)).unwrap(), &config).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let _ = client.read_to_end(&mut Vec::new());
    let mut next = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    next.early_data().is_some()
}

#[test]
fn ocsp() {
    let pki = pki();
    let vars = [
        ("pki", pki.authority.path("").trim_end_matches('/').to_owned()),
        ("forged", pki.forged.url()),
        ("client", pki.client.url()),
    ];
    walk_in(CASES, Around { vars: &vars, ..Around::default() }, |_| {});
}
