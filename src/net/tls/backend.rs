//! TLS to backends, which are verified as nginx verifies them.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, KeyLog, OtherError, SignatureScheme,
    SupportedProtocolVersion,
};

use super::error::BackendTlsError;
use super::handshake_signature;
use super::key;
use super::suites;
use super::x509::certificate::{self, Fields};
use super::x509::chain::{Purpose, verify};
use super::x509::trust::Trust;
use crate::net::http2::ALPN_HTTP2;

/// Settings of connections to backends.
#[derive(Clone, Debug, Default)]
pub struct BackendTls<'p> {
    /// How a server's certificate is verified; `None` accepts any.
    pub verified: Option<Verified<'p>>,
    /// Whether the server is told the name that is wanted.
    pub sends_name: bool,
    /// Our certificates and their key (PEM).
    pub identity: Option<(&'p [u8], &'p [u8])>,
    /// A file of passwords of the key.
    pub passwords: Option<&'p [u8]>,
    /// Whether TLS 1.2 may be used.
    pub tls12: bool,
    /// Whether TLS 1.3 may be used.
    pub tls13: bool,
    /// Suites of TLS 1.2 by OpenSSL's names, in order.
    pub suites: &'p [&'static str],
    /// Suites of TLS 1.3; `None` for all.
    pub tls13_suites: Option<&'p [&'static str]>,
    /// Curves, as positions in [`CURVES`](crate::net::ssl::curve::CURVES); `None` for all.
    pub curves: Option<&'p [usize]>,
    /// Whether sessions are resumed.
    pub resumes: bool,
    /// Whether HTTP/2 is asked for (ALPN), and nothing else.
    pub is_http2: bool,
    /// What is told the keys of connections.
    pub key_log: Option<Arc<dyn KeyLog>>,
}

/// How a server's certificate is verified.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'p> {
    /// CA certificates (PEM).
    pub trusted: &'p [u8],
    /// Revocation lists (PEM).
    pub lists: Option<&'p [u8]>,
    /// Intermediate certificates that a chain may have.
    pub depth: u64,
}

/// Configuration of connections to backends.
///
/// # Errors
///
/// A PEM file has no certificate, list or key, or they cannot be used.
pub fn of_backend(settings: &BackendTls<'_>) -> Result<Arc<ClientConfig>, BackendTlsError> {
    let provider = CryptoProvider {
        cipher_suites: suites::chosen(settings.tls13_suites, settings.suites),
        kx_groups: settings.curves.map_or_else(suites::all_groups, suites::groups),
        ..default_provider()
    };
    let versions: [(&SupportedProtocolVersion, bool); 2] =
        [(&rustls::version::TLS12, settings.tls12), (&rustls::version::TLS13, settings.tls13)];
    let versions: Vec<_> =
        versions.into_iter().filter_map(|(version, is_wanted)| is_wanted.then_some(version)).collect();
    let builder =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&versions)?;
    let verifies = match &settings.verified {
        None => None,
        Some(verified) => {
            let mut trust = Trust::default();
            trust.add(verified.trusted)?;
            if let Some(lists) = verified.lists {
                trust.add_lists(lists)?;
            }
            Some((trust, verified.depth))
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Backend { verifies }));
    let mut config = match settings.identity {
        None => builder.with_no_client_auth(),
        Some((certificates, key)) => {
            let passwords = settings.passwords.map(key::passwords).unwrap_or_default();
            let pair = key::certified(key::chain(certificates)?, key, &passwords)?;
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)))
        }
    };
    config.enable_sni = settings.sends_name;
    if settings.is_http2 {
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    }
    if let Some(log) = &settings.key_log {
        config.key_log = log.clone();
    }
    if !settings.resumes {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

/// Why a backend is not trusted: nginx's sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mistrust(String);

/// nginx's sentence, where a handshake failed because a backend is not trusted.
pub fn mistrust(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
            why.downcast_ref::<Mistrust>().map(|mistrust| mistrust.0.clone())
        }
        _ => None,
    }
}

/// Verifies backends.
#[derive(Debug)]
struct Backend {
    verifies: Option<(Trust, u64)>,
}

impl ServerCertVerifier for Backend {
    fn verify_server_cert(
        &self,
        first: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some((trust, depth)) = &self.verifies else { return Ok(ServerCertVerified::assertion()) };
        let shown: Vec<CertificateDer<'_>> = std::iter::once(first).chain(others).cloned().collect();
        let verdict = verify(trust, &shown, *depth, Purpose::Server, certificate::now());
        let refused = |why: String| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Mistrust(why)))))
        };
        if !verdict.is_ok() {
            let (code, text) = (verdict.code, verdict.text);
            return Err(refused(format!("upstream SSL certificate verify error: ({code}:{text})")));
        }
        let name = name.to_str();
        if !Fields::parse(first).is_some_and(|fields| fields.names(&name)) {
            return Err(refused(format!("upstream SSL certificate does not match \"{name}\"")));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        handshake_signature::tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        handshake_signature::tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        handshake_signature::schemes()
    }
}
