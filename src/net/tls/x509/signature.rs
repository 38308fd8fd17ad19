//! Signatures of certificates, revocation lists and handshakes.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::der::{Signed, public_key};

/// The algorithms of the TLS library.
pub(super) fn algorithms() -> WebPkiSupportedAlgorithms {
    default_provider().signature_verification_algorithms
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net::tls) enum Mistrust {
    /// It does not belong to this message and key.
    Wrong,
    /// Its algorithm is too weak, or unknown.
    Weak,
}

/// Checks the signature of a signed structure with an encoded SubjectPublicKeyInfo.
pub(in crate::net::tls) fn check(signed: &Signed<'_>, spki: &[u8]) -> Result<(), Mistrust> {
    let is = |id: AlgorithmIdentifier, bytes: &[u8]| id.as_ref() == bytes;
    let known: Vec<_> = algorithms()
        .all
        .iter()
        .filter(|algorithm| is(algorithm.signature_alg_id(), signed.algorithm))
        .collect();
    if known.is_empty() {
        return Err(Mistrust::Weak);
    }
    let (algorithm, key) = public_key(spki).ok_or(Mistrust::Wrong)?;
    let fits = |known: &dyn SignatureVerificationAlgorithm| {
        is(known.public_key_alg_id(), algorithm)
            && known.verify_signature(key, signed.message, signed.signature).is_ok()
    };
    if known.into_iter().any(|known| fits(*known)) { Ok(()) } else { Err(Mistrust::Wrong) }
}

/// Whether the signature of a TLS 1.2 handshake is that of a key. The library checks it with certificates of version 3
/// only; clients have others too.
pub(in crate::net::tls) fn is_of_handshake(
    message: &[u8],
    spki: &[u8],
    signed: &DigitallySignedStruct,
) -> bool {
    let Some((algorithm, key)) = public_key(spki) else { return false };
    let of_scheme =
        |(scheme, _): &&(SignatureScheme, &[&dyn SignatureVerificationAlgorithm])| *scheme == signed.scheme;
    let known = algorithms().mapping.iter().find(of_scheme).map(|(_, known)| *known).unwrap_or_default();
    known.iter().any(|known| {
        known.public_key_alg_id().as_ref() == algorithm
            && known.verify_signature(key, message, signed.signature()).is_ok()
    })
}
