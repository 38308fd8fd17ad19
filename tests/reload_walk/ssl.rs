//! TLS of listening sockets: connections continue, later handshakes use the new values.

use std::io::{Read, Write};

use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 as AES_128, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 as AES_256,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 as CHACHA20,
};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SupportedCipherSuite};

use crate::support::http;
use crate::support::tls::{Client, connect};
use crate::walk::{After, Case, Place, Walk, walk};

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
];

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
