//! Settings of handshakes: those of the server that a client asks for.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bstr::BStr;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, ServerConfig, SupportedProtocolVersion};

use super::certificate_cache::{CertificateCache, Files};
use super::client_auth::{AsksClient, ClientAuth, Judged, JudgedSessions, JudgedTickets};
use super::error::CertificateError;
use super::issued::{IssuedCertificate, IssuedCertificates};
use super::key::{self, Passwords};
use super::ocsp::ClientStatus;
use super::ocsp::issued_staple::IssuedStaple;
use super::ocsp::staple::Staple;
use crate::config::names::NameTable;
use crate::net::ssl::source::{CertificateSource, SERVER_NAME};
use crate::task::disk::{self, DiskWork};

/// What is noted of handshakes, because something asks for it. It costs time in each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeNotes {
    /// By what the server has signed.
    pub scheme: bool,
    /// The name that the client asks for, as it writes it.
    pub written_name: bool,
}

/// Settings of one socket.
#[derive(Debug)]
pub struct SocketTls {
    pub(super) notes: HandshakeNotes,
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
    /// Certificates whose files do.
    pub(super) variable: Variable,
    /// Certificates whose files do not depend on the client.
    pub(super) fixed: Vec<Shown>,
    pub(super) auth: Option<Arc<ClientAuth>>,
}

/// Certificates whose files depend on the client.
#[derive(Debug)]
pub(super) struct Variable {
    /// Certificates and keys.
    pub(super) pairs: Vec<(CertificateSource, CertificateSource)>,
    pub(super) passwords: Passwords,
    /// Values of variables; `None` where there is the name only.
    pub(super) variables: Option<Arc<dyn HandshakeVariables>>,
    /// `ssl_certificate_cache`
    pub(super) cache: Option<CertificateCache<Files, Arc<CertifiedKey>>>,
}

/// Properties of a client that are known in its handshake.
#[derive(Clone, Debug, Default)]
pub struct HandshakeFacts {
    /// The name that it asks for, in lower case; empty without one.
    pub server_name: String,
    /// Its address; `None` over a Unix socket.
    pub remote: Option<SocketAddr>,
    /// Ours.
    pub local: Option<SocketAddr>,
}

/// Knows the values of variables in names of certificates.
pub trait HandshakeVariables: fmt::Debug + Send + Sync {
    /// Appends the value of the variable with this lower-case name.
    fn value(&self, name: &BStr, facts: &HandshakeFacts, out: &mut Vec<u8>);
}

impl Variable {
    /// The files for a client.
    fn files(&self, facts: &HandshakeFacts) -> Vec<Files> {
        let value = |name: &BStr, out: &mut Vec<u8>| match &self.variables {
            _ if name == SERVER_NAME => out.extend_from_slice(facts.server_name.as_bytes()),
            Some(variables) => variables.value(name, facts, out),
            None => {}
        };
        let files = |(certificate, key): &(CertificateSource, CertificateSource)| {
            (certificate.path_with(value), key.path_with(value))
        };
        self.pairs.iter().map(files).collect()
    }

    /// The certificates for a client.
    async fn read(&self, facts: &HandshakeFacts) -> io::Result<Vec<Arc<CertifiedKey>>> {
        let files = self.files(facts);
        let now = Instant::now();
        let mut pairs: Vec<_> =
            files.iter().map(|files| self.cache.as_ref().and_then(|cache| cache.get(files, now))).collect();
        let missing: Vec<_> = files
            .iter()
            .zip(&pairs)
            .filter(|(_, pair)| pair.is_none())
            .map(|(files, _)| files.clone())
            .collect();
        if !missing.is_empty() {
            let passwords = self.passwords.clone();
            let read = disk::spawn(DiskWork::Served, move || read_all(missing, &passwords)).await;
            let mut read = read.map_err(io::Error::other)?.map_err(io::Error::other)?.into_iter();
            for pair in pairs.iter_mut().filter(|pair| pair.is_none()) {
                let Some((files, new)) = read.next() else { break };
                if let Some(cache) = &self.cache {
                    cache.put(files, new.clone(), now);
                }
                *pair = Some(new);
            }
        }
        Ok(pairs.into_iter().flatten().collect())
    }
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
        facts: &HandshakeFacts,
        judged: &Arc<Judged>,
        own: Option<&Arc<OwnCertificate>>,
    ) -> io::Result<Arc<ServerConfig>> {
        let mut config = self.shown(facts).await?;
        if let Some(auth) = &self.auth {
            config = Arc::new(self.asking(&config, auth, judged).map_err(io::Error::other)?);
        }
        if let Some(own) = own {
            let certificates = config.cert_resolver.clone();
            let noting = NotingResolver { certificates, own: own.clone() };
            Arc::make_mut(&mut config).cert_resolver = Arc::new(noting);
        }
        Ok(config)
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
    async fn shown(&self, facts: &HandshakeFacts) -> io::Result<Arc<ServerConfig>> {
        let config = self.config.clone().ok_or(io::ErrorKind::PermissionDenied)?;
        if self.variable.pairs.is_empty() {
            if self.fixed.iter().all(|shown| shown.key().is_none()) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "$acme_certificate was not issued yet"));
            }
            return Ok(config);
        }
        let read = self.variable.read(facts).await?;
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
    files: Vec<Files>,
    passwords: &[Vec<u8>],
) -> Result<Vec<(Files, Arc<CertifiedKey>)>, VariableCertificateError> {
    let explain = |part, path: &Path, source| {
        // What stands in the configuration is not shown.
        let path = if key::inline(path).is_some() { Path::new("data:") } else { path };
        VariableCertificateError { part, path: path.to_owned(), source }
    };
    files
        .into_iter()
        .map(|(certificate, key)| {
            let chain = key::text_of(&certificate).and_then(|text| key::chain(&text));
            let chain = chain.map_err(|error| explain("certificate", &certificate, error))?;
            let pair = key::text_of(&key).and_then(|text| key::certified(chain, &text, passwords));
            let pair = pair.map_err(|error| explain("certificate key", &key, error))?;
            Ok(((certificate, key), Arc::new(pair)))
        })
        .collect()
}

/// The certificate that a handshake has used; none for a resumed session.
pub(super) type OwnCertificate = Mutex<Option<Arc<CertifiedKey>>>;

/// Chooses a certificate, and notes which.
#[derive(Debug)]
struct NotingResolver {
    certificates: Arc<dyn ResolvesServerCert>,
    own: Arc<OwnCertificate>,
}

impl ResolvesServerCert for NotingResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = self.certificates.resolve(hello);
        self.own.lock().clone_from(&chosen);
        chosen
    }
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
