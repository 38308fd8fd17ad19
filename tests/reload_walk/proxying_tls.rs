//! Forwarding over TLS.

use crate::support::http;
use crate::support::tls::file;
use crate::support::wait::until_true;
use crate::walk::{Case, Place, Walk, walk_with};

/// A row of a location that forwards over TLS.
macro_rules! encrypted {
    ($row:literal, $before:literal, $after:literal, $backend:literal, $old:literal, $new:literal) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!("server { listen 127.0.0.1:{web}; location / { proxy_pass https://127.0.0.1:{port}; ", $before, " } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 text; } ", $backend),
            after: concat!("server { listen 127.0.0.1:{web}; location / { proxy_pass https://127.0.0.1:{port}; ", $after, " } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 text; } ", $backend),
            look: |walk| {
                let status = |walk: &Walk<'_>| http::get(walk.own_web, "/").status();
                assert_eq!(status(walk), $old);
                Box::new(move || assert_eq!(status(walk), $new))
            },
        }
    };
}

/// A row that shows in a variable of the backend, once connections are made as the row says.
macro_rules! negotiated {
    ($row:literal, $before:literal, $after:literal, $variable:literal, $old:literal, $new:literal) => {
        Case {
            row: $row,
            place: Place::Http,
            before: concat!("server { listen 127.0.0.1:{web}; location / { proxy_pass https://127.0.0.1:{port}; ", $before, " } } server { listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 ", $variable, "; }"),
            after: concat!("server { listen 127.0.0.1:{web}; location / { proxy_pass https://127.0.0.1:{port}; ", $after, " } } server { listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 ", $variable, "; }"),
            look: |walk| {
                let said = |walk: &Walk<'_>| {
                    http::get(walk.own_web, "/");
                    http::get(walk.own_web, "/").text()
                };
                assert_eq!(said(walk), $old);
                Box::new(move || assert_eq!(said(walk), $new))
            },
        }
    };
}

pub const CASES: &[Case] = &[
    encrypted!(
        "proxy/proxy_ssl_verify",
        "proxy_ssl_trusted_certificate {tls}/other.crt; proxy_ssl_verify on;",
        "proxy_ssl_trusted_certificate {tls}/other.crt; proxy_ssl_verify off;",
        "",
        502,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_trusted_certificate",
        "proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate {tls}/other.crt;",
        "proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate {tls}/origin.crt;",
        "",
        502,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_name",
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/origin.crt; proxy_ssl_name other.test;",
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/origin.crt; proxy_ssl_name localhost;",
        "",
        502,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_server_name",
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/other.crt; proxy_ssl_name localhost; proxy_ssl_server_name off;",
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/other.crt; proxy_ssl_name localhost; proxy_ssl_server_name on;",
        "server { listen 127.0.0.1:{port} ssl; server_name localhost; ssl_certificate {tls}/other.crt; ssl_certificate_key {tls}/other.key; return 200 x; }",
        502,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_protocols",
        "proxy_ssl_protocols TLSv1.1;",
        "proxy_ssl_protocols TLSv1.3;",
        "",
        500,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_certificate",
        "proxy_ssl_server_name on; proxy_ssl_name verifies; proxy_set_header Host verifies; proxy_ssl_certificate {tls}/clients/stranger.crt; proxy_ssl_certificate_key {tls}/clients/stranger.key;",
        "proxy_ssl_server_name on; proxy_ssl_name verifies; proxy_set_header Host verifies; proxy_ssl_certificate {tls}/clients/client.crt; proxy_ssl_certificate_key {tls}/clients/client.key;",
        "server { listen 127.0.0.1:{port} ssl; server_name verifies; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_verify_client on; ssl_client_certificate {tls}/clients/ca.crt; return 200 x; }",
        400,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_certificate_key",
        "proxy_ssl_server_name on; proxy_ssl_name verifies; proxy_set_header Host verifies; proxy_ssl_certificate {tls}/clients/stranger.crt; proxy_ssl_certificate_key {tls}/clients/stranger.key;",
        "proxy_ssl_server_name on; proxy_ssl_name verifies; proxy_set_header Host verifies; proxy_ssl_certificate {tls}/clients/client.crt; proxy_ssl_certificate_key {tls}/clients/client.key;",
        "server { listen 127.0.0.1:{port} ssl; server_name verifies; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_verify_client on; ssl_client_certificate {tls}/clients/ca.crt; return 200 x; }",
        400,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_password_file",
        "proxy_ssl_certificate {tls}/origin.crt; proxy_ssl_certificate_key {tls}/origin.key; proxy_ssl_password_file {tls}/wrong-passwords; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate {tls}/other.crt;",
        "proxy_ssl_certificate {tls}/origin.crt; proxy_ssl_certificate_key {tls}/locked.key; proxy_ssl_password_file {tls}/passwords;",
        "",
        502,
        200
    ),
    encrypted!(
        "proxy/proxy_ssl_verify_depth",
        "proxy_ssl_server_name on; proxy_ssl_name far; proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/clients/ca.crt; proxy_ssl_verify_depth 0;",
        "proxy_ssl_server_name on; proxy_ssl_name far; proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/clients/ca.crt; proxy_ssl_verify_depth 1;",
        "server { listen 127.0.0.1:{port} ssl; server_name far; ssl_certificate {tls}/clients/far.crt; ssl_certificate_key {tls}/clients/far.key; return 200 x; }",
        502,
        200
    ),
    Case {
        row: "proxy/proxy_ssl_key_log",
        place: Place::Http,
        before: "server { listen 127.0.0.1:{web}; location / { proxy_ssl_key_log {dir}/keys.one; proxy_pass https://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 text; }",
        after: "server { listen 127.0.0.1:{web}; location / { proxy_ssl_key_log {dir}/keys.two; proxy_pass https://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; return 200 text; }",
        look: |walk| {
            let prefix = walk.server.prefix();
            let logged = |walk: &Walk<'_>, name: &str| {
                assert_eq!(http::get(walk.own_web, "/").status(), 200);
                until_true("keys are logged", || prefix.read(name).contains("CLIENT_RANDOM "));
            };
            logged(walk, "keys.one");
            assert_eq!(prefix.read("keys.two"), "");
            let before = prefix.read("keys.one");
            Box::new(move || {
                logged(walk, "keys.two");
                assert_eq!(prefix.read("keys.one"), before);
            })
        },
    },
    Case {
        row: "proxy/proxy_ssl_certificate_cache",
        place: Place::Http,
        before: "server { listen 127.0.0.1:{web}; location / { proxy_ssl_certificate_cache max=2 inactive=1h valid=1h; proxy_ssl_certificate {dir}/shown/$arg_name.crt; proxy_ssl_certificate_key {dir}/shown/$arg_name.key; proxy_pass https://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_verify_client optional_no_ca; return 200 $ssl_client_fingerprint; }",
        after: "server { listen 127.0.0.1:{web}; location / { proxy_ssl_certificate_cache off; proxy_ssl_certificate {dir}/shown/$arg_name.crt; proxy_ssl_certificate_key {dir}/shown/$arg_name.key; proxy_pass https://127.0.0.1:{port}; } } server { listen 127.0.0.1:{port} ssl; ssl_certificate {tls}/origin.crt; ssl_certificate_key {tls}/origin.key; ssl_verify_client optional_no_ca; return 200 $ssl_client_fingerprint; }",
        look: |walk| {
            let shown = walk.server.prefix().path().join("shown");
            std::fs::create_dir_all(&shown).unwrap();
            let show = move |name: &str| {
                for suffix in ["crt", "key"] {
                    std::fs::copy(file(&format!("{name}.{suffix}")), shown.join(format!("one.{suffix}")))
                        .unwrap();
                }
            };
            let said = |walk: &Walk<'_>| http::get(walk.own_web, "/?name=one").text();
            show("callback");
            let callback = said(walk);
            show("other");
            assert_eq!((said(walk), callback.len()), (callback.clone(), 40), "it was read before");
            Box::new(move || {
                let other = said(walk);
                assert_ne!(other, callback);
                show("callback");
                assert_eq!(said(walk), callback);
            })
        },
    },
    encrypted!(
        "proxy/proxy_ssl_crl",
        "proxy_ssl_server_name on; proxy_ssl_name revoked; proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/clients/ca.crt; proxy_ssl_crl {tls}/clients/ca.crl;",
        "proxy_ssl_server_name on; proxy_ssl_name revoked; proxy_ssl_verify on; proxy_ssl_trusted_certificate {tls}/clients/ca.crt; proxy_ssl_crl {tls}/clients/empty.crl;",
        "server { listen 127.0.0.1:{port} ssl; server_name revoked; ssl_certificate {tls}/clients/revoked.crt; ssl_certificate_key {tls}/clients/revoked.key; return 200 x; }",
        502,
        200
    ),
    negotiated!(
        "proxy/proxy_ssl_ciphers",
        "proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;",
        "proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;",
        "$ssl_cipher",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305"
    ),
    negotiated!(
        "proxy/proxy_ssl_session_reuse",
        "proxy_ssl_session_reuse on;",
        "proxy_ssl_session_reuse off;",
        "$ssl_session_reused",
        "r",
        "."
    ),
    negotiated!(
        "proxy/proxy_ssl_conf_command",
        "proxy_ssl_session_reuse off; proxy_ssl_conf_command Groups P-384;",
        "proxy_ssl_session_reuse off; proxy_ssl_conf_command Groups P-256;",
        "$ssl_curve",
        "secp384r1",
        "prime256v1"
    ),
];

#[test]
fn encrypted() {
    walk_with(CASES, |_| {});
}
