//! Certificates of clients: asked for in the handshake, judged after it, so that the client is told by a response.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::x509::chain::{Purpose, Verdict, verify};
use super::x509::trust::Trust;
use super::x509::{certificate, signature};

/// What `ssl_verify_client` and its kin say.
#[derive(Debug)]
pub(super) struct ClientAuth {
    pub(super) trust: Arc<Trust>,
    /// Names that clients are shown.
    pub(super) names: Vec<DistinguishedName>,
    pub(super) depth: u64,
}

impl ClientAuth {
    /// Judges the certificates that a client has shown.
    pub(super) fn judge(&self, shown: &[CertificateDer<'_>]) -> Verdict {
        verify(&self.trust, shown, self.depth, Purpose::Client, certificate::now())
    }
}

/// Asks clients for certificates, and accepts any whose key the client has.
#[derive(Debug)]
pub(super) struct AsksClients(pub(super) Arc<ClientAuth>);

impl ClientCertVerifier for AsksClients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.0.names
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Checks the signature of a TLS 1.2 handshake, also with a certificate that webpki does not parse.
pub(super) fn tls12_signature(
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

/// Checks the signature of a TLS 1.3 handshake, also with a certificate that webpki does not parse.
pub(super) fn tls13_signature(
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
