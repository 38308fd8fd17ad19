//! Cipher suites and curves of the TLS library by OpenSSL's names.

use rustls::SupportedCipherSuite;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{cipher_suite, kx_group};

use crate::net::ssl::cipher::SUITES;
use crate::net::ssl::command::TLS13_SUITES;
use crate::net::ssl::curve::CURVES;

/// The suites of [`SUITES`], in its order.
const IMPLEMENTED: [SupportedCipherSuite; SUITES.len()] = [
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];
/// Suites of TLS 1.3, which lists of ciphers do not affect: those of [`TLS13_SUITES`], in its order.
const ALWAYS: [SupportedCipherSuite; TLS13_SUITES.len()] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];
/// The curves of [`CURVES`], in its order.
const GROUPS: [&dyn SupportedKxGroup; CURVES.len()] =
    [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The suites with these names: of TLS 1.3, where `None` stands for all, and of TLS 1.2.
pub(super) fn chosen(tls13: Option<&[&'static str]>, tls12: &[&'static str]) -> Vec<SupportedCipherSuite> {
    let implemented = |name: &&str| SUITES.iter().position(|suite| suite == name).map(|at| IMPLEMENTED[at]);
    let recent = |name: &&str| TLS13_SUITES.iter().position(|suite| suite == name).map(|at| ALWAYS[at]);
    let first = tls13.map_or_else(|| ALWAYS.to_vec(), |names| names.iter().filter_map(recent).collect());
    first.into_iter().chain(tls12.iter().filter_map(implemented)).collect()
}

/// The curves at these positions of [`CURVES`].
pub(super) fn groups(chosen: &[usize]) -> Vec<&'static dyn SupportedKxGroup> {
    chosen.iter().map(|curve| GROUPS[*curve]).collect()
}

/// All curves.
pub(super) fn all_groups() -> Vec<&'static dyn SupportedKxGroup> {
    GROUPS.to_vec()
}
