//! Settings of handshakes: those of the server that a client asks for.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, ServerConfig, SupportedProtocolVersion};

use super::client_auth::{AsksClient, ClientAuth, Judged, JudgedSessions, JudgedTickets};
use super::error::CertificateError;
use super::issued::{IssuedCertificate, IssuedCertificates};
use super::key::{self, Passwords};
use super::ocsp::ClientStatus;
use super::ocsp::issued_staple::IssuedStaple;
use super::ocsp::staple::Staple;
use crate::config::names::NameTable;
use crate::net::ssl::source::CertificateSource;
use crate::task::disk::{self, DiskWork};

/// Settings of one socket.
#[derive(Debug)]
pub struct SocketTls {
    pub(super) chooser: Box<dyn ChoosesServer>,
    /// Without a name, and for names that no server has.
    pub(super) default: Arc<Negotiation>,
    /// By what the chooser returns. Servers without settings of their own are not in it.
    pub(super) named: HashMap<usize, Arc<Negotiation>>,
    /// Answers to challenges of issuers.
    pub(super) issued: Arc<IssuedCertificates>,
}

/// Chooses a server by name.
pub(super) trait ChoosesServer: fmt::Debug + Send + Sync {
    /// What identifies the server with a name.
    ///
    /// # Errors
    ///
    /// It cannot be decided.
    fn choose(&self, name: &str) -> Result<Option<usize>, ()>;
}

/// The servers of a socket.
pub(super) struct ByName<T>(pub(super) NameTable<T>);

impl<T> fmt::Debug for ByName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName").finish_non_exhaustive()
    }
}

impl<T: Send + Sync> ChoosesServer for ByName<T> {
    fn choose(&self, name: &str) -> Result<Option<usize>, ()> {
        let found = self.0.negotiated(name.as_bytes()).map_err(drop)?;
        Ok(found.map(|(server, _)| Arc::as_ptr(server) as usize))
    }
}

/// Settings of the handshakes with one server.
#[derive(Debug)]
pub(super) struct Negotiation {
    /// `None` where handshakes are rejected. Without what concerns certificates of clients.
    pub(super) config: Option<Arc<ServerConfig>>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// Certificates and keys whose files depend on the client, with passwords.
    pub(super) variable: Vec<(CertificateSource, CertificateSource)>,
    pub(super) passwords: Passwords,
    /// Those that do not.
    pub(super) fixed: Vec<Shown>,
    pub(super) auth: Option<Arc<ClientAuth>>,
}

impl SocketTls {
    /// The settings for the name that a client asks for; `None` if the handshake is to be rejected.
    pub(super) fn choose(&self, name: Option<&str>) -> Option<Arc<Negotiation>> {
        let server = match name {
            Some(name) => self.chooser.choose(name).ok()?,
            None => None,
        };
        let found = server.and_then(|server| self.named.get(&server)).unwrap_or(&self.default);
        found.config.is_some().then(|| found.clone())
    }
}

impl Negotiation {
    /// The settings for this client: with certificates that are read for it, and with a verifier of its certificate.
    ///
    /// # Errors
    ///
    /// They cannot be read or used.
    pub(super) async fn config(
        &self,
        name: Option<&str>,
        judged: &Arc<Judged>,
    ) -> io::Result<Arc<ServerConfig>> {
        let config = self.shown(name).await?;
        match &self.auth {
            Some(auth) => self.asking(&config, auth, judged).map(Arc::new).map_err(io::Error::other),
            None => Ok(config),
        }
    }

    /// The settings, with a verifier of a client's certificate.
    fn asking(
        &self,
        config: &ServerConfig,
        auth: &Arc<ClientAuth>,
        judged: &Arc<Judged>,
    ) -> Result<ServerConfig, rustls::Error> {
        let verifier = AsksClient { auth: auth.clone(), judged: judged.clone() };
        let mut asking = ServerConfig::builder_with_provider(config.crypto_provider().clone())
            .with_protocol_versions(&self.versions)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(config.cert_resolver.clone());
        asking.ignore_client_order = config.ignore_client_order;
        asking.alpn_protocols.clone_from(&config.alpn_protocols);
        asking.max_fragment_size = config.max_fragment_size;
        asking.send_tls13_tickets = config.send_tls13_tickets;
        asking.max_early_data_size = config.max_early_data_size;
        asking.send_half_rtt_data = config.send_half_rtt_data;
        asking.session_storage =
            Arc::new(JudgedSessions { sessions: config.session_storage.clone(), judged: judged.clone() });
        asking.ticketer =
            Arc::new(JudgedTickets { tickets: config.ticketer.clone(), judged: judged.clone() });
        Ok(asking)
    }

    /// The settings, with certificates that are read for this client.
    async fn shown(&self, name: Option<&str>) -> io::Result<Arc<ServerConfig>> {
        let config = self.config.clone().ok_or(io::ErrorKind::PermissionDenied)?;
        if self.variable.is_empty() {
            if self.fixed.iter().all(|shown| shown.key().is_none()) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "$acme_certificate was not issued yet"));
            }
            return Ok(config);
        }
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let wanted: Vec<_> = self
            .variable
            .iter()
            .map(|(certificate, key)| (certificate.for_name(&name).0, key.for_name(&name).0))
            .collect();
        let passwords = self.passwords.clone();
        let read = disk::spawn(DiskWork::Served, move || read_all(&wanted, &passwords)).await;
        let read = read.map_err(io::Error::other)?.map_err(io::Error::other)?;
        let keys = self.fixed.iter().cloned().chain(read.into_iter().map(Shown::Alone)).collect();
        let mut config = (*config).clone();
        config.cert_resolver = Arc::new(Certificates(keys));
        Ok(Arc::new(config))
    }

    /// Looks up the certificates of a client (`ssl_ocsp`).
    ///
    /// # Errors
    ///
    /// They are trusted no more.
    pub(super) async fn look_up(&self, shown: &[CertificateDer<'_>]) -> io::Result<Option<ClientStatus>> {
        match self.auth.as_ref().and_then(|auth| Some((auth, auth.status.as_ref()?))) {
            Some((auth, status)) => status.look_up(&auth.trust, shown, auth.depth).await,
            None => Ok(None),
        }
    }

    /// The first of a client's curves that we have: that of a handshake with TLS 1.2.
    pub(super) fn curve(&self, offered: &[NamedGroup]) -> Option<NamedGroup> {
        let known = &self.config.as_ref()?.crypto_provider().kx_groups;
        offered.iter().copied().find(|wanted| known.iter().any(|known| known.name() == *wanted))
    }
}

/// Reason why a certificate that depends on the client is not shown. The text is nginx's sentence.
#[derive(Debug, thiserror::Error)]
#[error("cannot load {part} \"{}\": {source}", .path.display())]
struct VariableCertificateError {
    /// What the file was to hold.
    part: &'static str,
    path: PathBuf,
    source: CertificateError,
}

/// Reads certificates with their keys.
fn read_all(
    files: &[(PathBuf, PathBuf)],
    passwords: &[Vec<u8>],
) -> Result<Vec<Arc<CertifiedKey>>, VariableCertificateError> {
    let explain = |part, path: &PathBuf, source| VariableCertificateError { part, path: path.clone(), source };
    files
        .iter()
        .map(|(certificate, key)| {
            let chain = key::text_of(certificate).and_then(|text| key::chain(&text));
            let chain = chain.map_err(|error| explain("certificate", certificate, error))?;
            let pair = key::text_of(key).and_then(|text| key::certified(chain, &text, passwords));
            Ok(Arc::new(pair.map_err(|error| explain("certificate key", key, error))?))
        })
        .collect()
}

/// Certificates of one server.
#[derive(Debug)]
pub(super) struct Certificates(pub(super) Vec<Shown>);

/// A certificate with its key.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// With an OCSP response from a file, or none.
    Alone(Arc<CertifiedKey>),
    /// With the OCSP response of a responder.
    Stapled(Arc<Staple>),
    /// The one of `$acme_certificate`, with what is stapled to it.
    Issued(Arc<IssuedCertificate>, Option<Arc<IssuedStaple>>),
}

impl Shown {
    /// The certificate; `None` if it was not issued yet.
    pub(super) fn key(&self) -> Option<Arc<CertifiedKey>> {
        match self {
            Shown::Alone(key) => Some(key.clone()),
            Shown::Stapled(staple) => Some(staple.bare().clone()),
            Shown::Issued(issued, _) => issued.pair(),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let there = || self.0.iter().filter_map(|shown| Some((shown, shown.key()?)));
        let usable = there().find(|(_, key)| key.key.choose_scheme(hello.signature_schemes()).is_some());
        let (shown, key) = usable.or_else(|| there().next())?;
        Some(match shown {
            Shown::Alone(_) | Shown::Issued(_, None) => key,
            Shown::Issued(_, Some(staple)) => staple.shown(&key),
            Shown::Stapled(staple) => staple.current(),
        })
    }
}
