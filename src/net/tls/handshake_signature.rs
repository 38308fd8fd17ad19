//! Signatures of handshakes, also with certificates that webpki does not parse: peers are verified as OpenSSL does it.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::x509::signature;

/// Schemes whose signatures are checked.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    default_provider().signature_verification_algorithms.supported_schemes()
}

/// Checks the signature of a TLS 1.2 handshake.
pub(super) fn tls12(
    message: &[u8],
    der: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let known = default_provider().signature_verification_algorithms;
    match verify_tls12_signature(message, der, signed, &known) {
        Err(Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding)) => {
            let (_, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::BadEncoding)?;
            match signature::is_of_handshake(message, parsed.subject_pki.raw, signed) {
                true => Ok(HandshakeSignatureValid::assertion()),
                false => Err(CertificateError::BadSignature.into()),
            }
        }
        checked => checked,
    }
}

/// Checks the signature of a TLS 1.3 handshake.
pub(super) fn tls13(
    message: &[u8],
    der: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let known = default_provider().signature_verification_algorithms;
    match verify_tls13_signature(message, der, signed, &known) {
        Err(Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding)) => {
            let (_, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::BadEncoding)?;
            let key = SubjectPublicKeyInfoDer::from(parsed.subject_pki.raw);
            verify_tls13_signature_with_raw_key(message, &key, signed, &known)
        }
        checked => checked,
    }
}
