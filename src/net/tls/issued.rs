//! Certificates that are issued while the server runs, and certificates that answer an issuer's challenges (RFC 8737).
//!
//! They outlast reloads. A new certificate is shown from the next handshake on; open connections keep theirs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use webpki::EndEntityCert;

use super::error::CertificateError;
use super::key;
use super::x509::certificate::Fields;

/// The protocol with which an issuer asks for the answer to a challenge.
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Certificates that are issued while the server runs.
#[derive(Debug, Default)]
pub struct IssuedCertificates {
    certificates: RwLock<BTreeMap<String, Arc<IssuedCertificate>>>,
    /// By the name that the issuer asks for.
    challenges: RwLock<HashMap<String, Arc<ServerConfig>>>,
}

/// A certificate that may be issued later, or be replaced.
#[derive(Debug, Default)]
pub struct IssuedCertificate(ArcSwapOption<Issued>);

#[derive(Debug)]
struct Issued {
    pair: Arc<CertifiedKey>,
    validity: Validity,
}

/// Time in which a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub begin: i64,
    /// Last second.
    pub end: i64,
}

impl IssuedCertificates {
    /// The certificate with this id, issued or not.
    pub(super) fn of(&self, id: &str) -> Arc<IssuedCertificate> {
        if let Some(known) = self.certificates.read().get(id) {
            return known.clone();
        }
        self.certificates.write().entry(id.to_owned()).or_default().clone()
    }

    /// Time in which a certificate is valid; `None` if it was not issued yet.
    pub fn validity(&self, id: &str) -> Option<Validity> {
        let certificates = self.certificates.read();
        certificates.get(id)?.0.load().as_ref().map(|issued| issued.validity)
    }

    /// The certificate itself, without its chain; `None` if it was not issued yet.
    pub fn leaf(&self, id: &str) -> Option<CertificateDer<'static>> {
        let certificates = self.certificates.read();
        certificates.get(id)?.0.load().as_ref().and_then(|issued| issued.pair.cert.first().cloned())
    }

    /// Ids of all certificates that were issued, and when they are valid.
    pub fn all(&self) -> Vec<(String, Validity)> {
        let certificates = self.certificates.read();
        let issued = |(id, certificate): (&String, &Arc<IssuedCertificate>)| {
            certificate.0.load().as_ref().map(|issued| (id.clone(), issued.validity))
        };
        certificates.iter().filter_map(issued).collect()
    }

    /// Uses a chain with its key (PEM) for these host names and addresses from now on.
    ///
    /// # Errors
    ///
    /// They cannot be used, do not belong together, or are for other names; what was there before stays.
    pub fn put(
        &self,
        id: &str,
        names: &[String],
        chain: &[u8],
        key: &[u8],
    ) -> Result<Validity, CertificateError> {
        let pair = key::certified(key::chain(chain)?, key, &[])?;
        let first = pair.cert.first().ok_or(CertificateError::Empty)?;
        let leaf = EndEntityCert::try_from(first).map_err(|_| CertificateError::Malformed)?;
        for name in names {
            let wanted = ServerName::try_from(name.as_str()).map_err(|_| CertificateError::Malformed)?;
            if leaf.verify_is_valid_for_subject_name(&wanted).is_err() {
                return Err(CertificateError::OtherName(name.clone()));
            }
        }
        let (begin, end) = Fields::parse(first).ok_or(CertificateError::Malformed)?.validity();
        let validity = Validity { begin, end };
        self.of(id).0.store(Some(Arc::new(Issued { pair: Arc::new(pair), validity })));
        Ok(validity)
    }

    /// Forgets all other certificates. Servers of an earlier configuration that have them keep them.
    pub fn retain(&self, ids: &HashSet<&str>) {
        self.certificates.write().retain(|id, _| ids.contains(id.as_str()));
    }

    /// Shows a certificate with its key (DER, PKCS #8) to the issuer that asks for this name.
    ///
    /// # Errors
    ///
    /// The key cannot be used.
    pub fn answer(&self, name: &str, certificate: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let pair = CertifiedKey::new(chain, sign::any_supported_type(&key)?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        config.alpn_protocols = vec![ACME_TLS.to_vec()];
        self.challenges.write().insert(name.to_ascii_lowercase(), Arc::new(config));
        Ok(())
    }

    /// Shows no certificate to an issuer any more that asks for this name.
    pub fn answer_no_more(&self, name: &str) {
        self.challenges.write().remove(&name.to_ascii_lowercase());
    }

    /// The answer for this name.
    pub(super) fn challenge(&self, name: &str) -> Option<Arc<ServerConfig>> {
        self.challenges.read().get(&name.to_ascii_lowercase()).cloned()
    }
}

impl IssuedCertificate {
    /// The certificate, once it was issued.
    pub(super) fn pair(&self) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|issued| issued.pair.clone())
    }
}
