//! TLS connections to other servers: which certificates relays trust.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::error::{BackendTlsError, ClientTlsError, TlsError, TrustedError};
use super::key;
use crate::log::FileError;
use crate::task::disk;

/// Which servers are trusted.
#[derive(Clone, Copy, Debug)]
pub struct ServerTrust<'a> {
    /// Whether certificates are verified.
    pub verify: bool,
    /// File with CA certificates to use instead of the system's.
    pub certificates: Option<&'a Path>,
}

/// Settings of connections to other servers. A reload replaces them.
pub struct ClientTls {
    verify: bool,
    /// CA certificates of `relay_ssl_trusted_certificate`; `None` for the system's.
    trusted: Option<Arc<RootCertStore>>,
    /// Created on first use: the system may have hundreds of certificates.
    config: OnceLock<Result<Arc<ClientConfig>, ClientTlsError>>,
}

impl ClientTls {
    /// Reads the file with CA certificates.
    pub(super) fn load(trust: ServerTrust<'_>) -> Result<Self, TlsError> {
        let trusted = match trust.certificates {
            Some(path) => {
                let pem = disk::read(path).map_err(FileError::of("open", path))?;
                let roots = roots_of(&pem);
                Some(Arc::new(roots.map_err(|source| TlsError::Trusted { path: path.to_owned(), source })?))
            }
            None => None,
        };
        Ok(ClientTls { verify: trust.verify, trusted, config: OnceLock::new() })
    }

    /// Configuration of connections.
    ///
    /// # Errors
    ///
    /// The system has no trusted certificates, or the TLS library rejects the configured ones.
    pub fn config(&self) -> Result<Arc<ClientConfig>, ClientTlsError> {
        self.config.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> Result<Arc<ClientConfig>, ClientTlsError> {
        let roots = match (&self.trusted, self.verify) {
            (Some(roots), _) => roots.clone(),
            (None, true) => match system_roots() {
                roots if roots.is_empty() => return Err(ClientTlsError::NoSystemCertificates),
                roots => Arc::new(roots),
            },
            (None, false) => Arc::new(RootCertStore::empty()),
        };
        Ok(configuration(self.verify, roots)?)
    }
}

/// Configuration of HTTP clients that trust these CA certificates (PEM), or the system's. A system without any trusts no
/// server, which is no error: most addresses are `http://`.
///
/// # Errors
///
/// There is no certificate in the PEM file, or it cannot be used.
pub fn of_http_client(verify: bool, trusted: Option<&[u8]>) -> Result<Arc<ClientConfig>, TrustedError> {
    let roots = match trusted {
        Some(pem) => roots_of(pem)?,
        None if verify => system_roots(),
        None => RootCertStore::empty(),
    };
    Ok(configuration(verify, Arc::new(roots))?)
}

/// As [`of_http_client`], with a certificate and its key (PEM) for servers that ask for one.
///
/// # Errors
///
/// A PEM file has no certificate or key, or they cannot be used.
pub fn of_http_client_as(
    trusted: Option<&[u8]>,
    (certificates, key): (&[u8], &[u8]),
) -> Result<Arc<ClientConfig>, BackendTlsError> {
    let roots = trusted.map_or_else(|| Ok(system_roots()), roots_of)?;
    let mut config = ClientConfig::clone(&*configuration(true, Arc::new(roots))?);
    let pair = key::certified(key::chain(certificates)?, key, &[])?;
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
    Ok(Arc::new(config))
}

/// Configuration that trusts no server, for HTTP clients that connect without TLS.
///
/// # Errors
///
/// The TLS library rejects its own defaults.
pub fn trusting_none() -> Result<Arc<ClientConfig>, Error> {
    configuration(true, Arc::new(RootCertStore::empty()))
}

fn configuration(verify: bool, roots: Arc<RootCertStore>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match verify {
        true => builder.with_root_certificates(roots),
        false => builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerification(provider))),
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn roots_of(pem: &[u8]) -> Result<RootCertStore, TrustedError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err(TrustedError::Empty) } else { Ok(roots) }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Old systems have certificates that rustls cannot parse; the others are used.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// `relay_ssl_verify off`: accepts any certificate, provided that the peer has its key.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
