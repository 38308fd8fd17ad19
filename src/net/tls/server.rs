//! TLS of listening sockets: the settings of each server, chosen by the name that a client asks for.
//!
//! Everything is built when a configuration is loaded, so a reload with an unusable file is refused. Open connections
//! keep their settings; new ones use the new certificates. As in nginx with OpenSSL, before 1.27, protocols, curves, session
//! tickets' keys and sessions are those of the address's default server, everything else is that of the server asked for.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, StoresServerSessions};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{DistinguishedName, ServerConfig};
use sha2::{Digest, Sha256};

use crate::config::model::{Config, HttpServer, Listener, RtmpServer};
use crate::config::names::NameTable;
use crate::directive::ListenAddr;
use crate::limits;
use crate::net::dns::Dns;
use crate::net::http2::{ALPN_HTTP1, ALPN_HTTP2};
use crate::net::log;
use crate::net::resolver::server::Resolver;
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;
use crate::net::ssl::conf::{Conf, SslOcsp, VerifyClient};
use crate::net::ssl::ordered::OrderedCertificate;
use crate::net::ssl::protocols::SslProtocols;
use crate::net::ssl::source::CertificateSource;
use crate::syntax::Pos;
use crate::task::disk;

use super::TlsStream;
use super::client_auth::ClientAuth;
use super::error::{CertificateError, TlsError, VerificationError};
use super::issued::IssuedCertificates;
use super::key::{self, Passwords};
pub use super::negotiation::SocketTls;
use super::negotiation::{ByName, Certificates, Negotiation, Shown};
use super::ocsp::asker::Asker;
use super::ocsp::client::StatusTerms;
use super::ocsp::staple::{Staple, StapleMeans, Terms};
use super::ocsp::status_cache::StatusCache;
use super::session::{Bound, KeepsNone, ServerSessions, SessionCache};
use super::suites;
use super::ticket::{TicketSecret, Tickets};
use super::x509::certificate;
use super::x509::chain::completed;
use super::x509::trust::Trust;

/// Protocols of HTTP by ALPN, as nginx offers them.
const ALPN_HTTP: [&[u8]; 3] = [ALPN_HTTP1, b"http/1.0", b"http/0.9"];

/// Bytes that a TLS record has besides its contents, as the TLS library counts them.
const RECORD_HEAD: u64 = 5;
/// Bounds of the contents of records.
const RECORD: (u64, u64) = (512, 16 * 1024);

/// Sizes of the files of `ssl_session_ticket_key`.
const TICKET_KEY_SIZES: [usize; 2] = [48, 80];

/// Settings of TLS sockets.
pub struct ServerTls {
    settings: HashMap<(ListenProtocol, ListenAddr), Arc<SocketTls>>,
    /// Sockets that stay closed because their certificate is missing, with the reason.
    closed: HashMap<(ListenProtocol, ListenAddr), TlsError>,
    /// Caches of `ssl_session_cache shared` by name. They stay over reloads.
    caches: HashMap<BString, Arc<SessionCache>>,
    /// Caches of `ssl_ocsp_cache` by name. They stay over reloads.
    statuses: HashMap<BString, Arc<StatusCache>>,
    /// The secret of tickets, where the configuration gives none. It stays over reloads.
    secret: TicketSecret,
    /// Asks OCSP responders. It stays over reloads.
    asker: Asker,
    /// What is ignored, as nginx ignores it.
    warnings: Vec<String>,
    /// Certificates of `$acme_certificate`. They stay over reloads.
    issued: Arc<IssuedCertificates>,
}

impl ServerTls {
    /// Reads the files that `config` names.
    ///
    /// A socket whose certificate does not exist yet stays closed while all others are served: PingOS's sample files
    /// name certificates that exist only in their containers. For a socket that is open in `before`, a missing
    /// certificate is an error.
    ///
    /// # Errors
    ///
    /// A file exists but cannot be used, or an address has no certificate.
    pub fn load(config: &Config, resolver: ResolverOf, before: Option<&ServerTls>) -> Result<Self, TlsError> {
        let secret = match before {
            Some(before) => before.secret.clone(),
            None => {
                let mut secret = vec![0; TICKET_KEY_SIZES[1]];
                getrandom::fill(&mut secret).map_err(|_| TlsError::NoRandom)?;
                TicketSecret(secret)
            }
        };
        let empty = HashMap::new();
        let no_statuses = HashMap::new();
        let issued = before.map(|before| before.issued.clone()).unwrap_or_default();
        let mut loader = Loader {
            issued: issued.clone(),
            known_statuses: before.map_or(&no_statuses, |before| &before.statuses),
            statuses: HashMap::new(),
            files: LoadedFiles::default(),
            secret: secret.clone(),
            known: before.map_or(&empty, |before| &before.caches),
            caches: HashMap::new(),
            asker: before.map(|before| before.asker.clone()).unwrap_or_default(),
            resolvers: Vec::new(),
            warnings: Vec::new(),
        };
        let mut loaded = ServerTls {
            settings: HashMap::new(),
            closed: HashMap::new(),
            caches: HashMap::new(),
            statuses: HashMap::new(),
            secret,
            asker: loader.asker.clone(),
            warnings: Vec::new(),
            issued,
        };
        let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners).flat_map(Listener::addresses);
        for (addr, _, servers) in rtmp.filter(|(_, options, _)| options.ssl) {
            let none = |_: &RtmpServer| None;
            let settings = loader.socket(
                servers,
                |server: &RtmpServer| (server.get(), &server.pos, server.get()),
                &none,
                &[],
            );
            loaded.add((ListenProtocol::Rtmp, addr.clone()), settings, before)?;
        }
        let http = config.http.iter().flat_map(|http| &http.listeners).flat_map(Listener::addresses);
        for (addr, options, servers) in http.filter(|(_, options, _)| options.ssl) {
            let with_http2 = [&[ALPN_HTTP2][..], &ALPN_HTTP].concat();
            let alpn = if options.http2 || options.http2_on { &with_http2[..] } else { &ALPN_HTTP };
            let settings = loader.socket(
                servers,
                |server: &HttpServer| (server.get(), &server.pos, server.get()),
                &resolver,
                alpn,
            );
            loaded.add((ListenProtocol::Http, addr.clone()), settings, before)?;
        }
        loaded.caches = loader.caches;
        loaded.statuses = loader.statuses;
        loaded.warnings = loader.warnings;
        Ok(loaded)
    }

    fn add(
        &mut self,
        key: (ListenProtocol, ListenAddr),
        settings: Result<SocketTls, TlsError>,
        before: Option<&ServerTls>,
    ) -> Result<(), TlsError> {
        match settings {
            Ok(settings) => drop(self.settings.insert(key, Arc::new(settings))),
            Err(error) if error.is_missing() && before.is_none_or(|before| before.of(&key).is_none()) => {
                self.closed.insert(key, error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Certificates that are issued while the server runs.
    pub fn issued(&self) -> &Arc<IssuedCertificates> {
        &self.issued
    }

    /// Settings of a socket; `None` without TLS.
    pub fn of(&self, key: &(ListenProtocol, ListenAddr)) -> Option<Arc<SocketTls>> {
        self.settings.get(key).cloned()
    }

    /// Whether a socket stays closed because its certificate is missing.
    pub fn is_closed(&self, key: &(ListenProtocol, ListenAddr)) -> bool {
        self.closed.contains_key(key)
    }

    /// Asks OCSP responders; the same one over reloads.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// What is ignored, in nginx's words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Logs what is ignored, and which sockets stay closed and why.
    pub fn log_closed(&self) {
        self.warnings.iter().for_each(|text| log::tls_warning(text));
        for ((_, listen), why) in &self.closed {
            log::socket_closed(listen, why);
        }
    }
}

/// Whether a connection that begins with this byte begins with a handshake of any version, as nginx decides it.
pub fn begins_handshake(first: u8) -> bool {
    const HANDSHAKE_RECORD: u8 = 0x16;
    const SSL2_LENGTH: u8 = 0x80;
    first == HANDSHAKE_RECORD || first & SSL2_LENGTH != 0
}

/// Performs the handshake of a client.
///
/// # Errors
///
/// The handshake failed or exceeded [`limits::TLS_HANDSHAKE`], in which cases the client is the cause, or it is rejected.
pub async fn accept(socket: Socket, settings: &SocketTls) -> io::Result<Socket> {
    let Socket::Plain(socket) = socket else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS within TLS"));
    };
    match tokio::time::timeout(limits::TLS_HANDSHAKE, TlsStream::accept(socket, settings)).await {
        Ok(accepted) => Ok(Socket::Tls(Box::new(accepted?))),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Builds the settings of sockets.
struct Loader<'l> {
    issued: Arc<IssuedCertificates>,
    files: LoadedFiles,
    secret: TicketSecret,
    /// Caches in force.
    known: &'l HashMap<BString, Arc<SessionCache>>,
    /// Caches that are used from now on.
    caches: HashMap<BString, Arc<SessionCache>>,
    /// Statuses of certificates in force, and those that are used from now on.
    known_statuses: &'l HashMap<BString, Arc<StatusCache>>,
    statuses: HashMap<BString, Arc<StatusCache>>,
    asker: Asker,
    resolvers: Vec<((Resolver, Duration), Dns)>,
    warnings: Vec<String>,
}

/// With what OCSP responders of a server are looked up: its resolver and the timeout of that, or the process's resolver.
pub type ResolverOf = fn(&HttpServer) -> Option<(Resolver, Duration)>;

impl Loader<'_> {
    fn socket<T: Send + Sync + 'static>(
        &mut self,
        servers: &NameTable<T>,
        ssl: fn(&T) -> (&Conf, &Pos, &OrderedCertificate),
        resolver: &dyn Fn(&T) -> Option<(Resolver, Duration)>,
        alpn: &[&[u8]],
    ) -> Result<SocketTls, TlsError> {
        let (base, pos, ordered) = ssl(servers.default_server());
        let lacks = |conf: &Conf| conf.certificate.is_empty() && !conf.reject_handshake;
        let without = match lacks(base) {
            true => Some(pos),
            // As in nginx, other servers may do without where the default server has one.
            false if !base.certificate.is_empty() => None,
            false => servers
                .servers()
                .iter()
                .map(|server| ssl(server))
                .find(|(own, ..)| lacks(own))
                .map(|(_, pos, _)| pos),
        };
        if let Some(Pos { file, line }) = without {
            return Err(TlsError::NoCertificate { place: format!("{}:{line}", file.display()) });
        }
        let secrets = self.secrets(base)?;
        let cache = self.cache(base);
        let mut shared = Shared { base, secrets: &secrets, cache, alpn };
        let dns = resolver(servers.default_server());
        let default = Arc::new(self.server(&mut shared, base, dns, (pos, ordered))?);
        let mut named = HashMap::new();
        for server in servers.servers() {
            let (own, pos, ordered) = ssl(server);
            let settings = match () {
                () if std::ptr::eq(own, base) => default.clone(),
                () if lacks(own) => continue,
                () => Arc::new(self.server(&mut shared, own, resolver(server), (pos, ordered))?),
            };
            named.insert(Arc::as_ptr(server) as usize, settings);
        }
        let issued = self.issued.clone();
        Ok(SocketTls { chooser: Box::new(ByName(servers.clone())), default, named, issued })
    }

    /// Settings of one server.
    fn server(
        &mut self,
        shared: &mut Shared<'_>,
        own: &Conf,
        resolver: Option<(Resolver, Duration)>,
        (pos, ordered): (&Pos, &OrderedCertificate),
    ) -> Result<Negotiation, TlsError> {
        let base = shared.base;
        let passwords = self.files.passwords(own)?;
        let pairs = || own.certificate.iter().zip(&own.certificate_key);
        let is_variable = |(certificate, key): &(&CertificateSource, &CertificateSource)| {
            certificate.is_variable() || key.is_variable()
        };
        let response = match &own.stapling_file {
            Some(path) if own.stapling => Some(read("ssl_stapling_file", &path.0)?),
            _ => None,
        };
        let (trust, names) = self.files.trust(own)?;
        let trust = Arc::new(trust);
        let asks = own.stapling && response.is_none() || own.ocsp != SslOcsp::Off;
        let dns = resolver.filter(|_| asks).map(|resolver| self.resolver(resolver));
        let stapling = (own.stapling && response.is_none()).then(|| StapleMeans {
            asker: self.asker.clone(),
            dns: dns.clone(),
            responder: own.stapling_responder.as_ref().map(|text| text.0.clone()),
            verifies: own.stapling_verify,
        });
        let mut fixed = Vec::new();
        for (source, key) in pairs().filter(|pair| !is_variable(pair)) {
            if source.is_issued() {
                let Some(id) = &ordered.id else {
                    let Pos { file, line } = pos;
                    return Err(TlsError::NotOrdered { place: format!("{}:{line}", file.display()) });
                };
                fixed.push(Shown::Issued(self.issued.of(id)));
                continue;
            }
            let mut pair = self.files.pair(source, key, &passwords)?;
            let terms =
                stapling.as_ref().map(|stapling| Terms::new(shown_name(source), &pair, &trust, stapling));
            // As with OpenSSL, a chain that is not given is made of trusted certificates.
            if let [only] = &pair.cert[..]
                && !trust.is_empty()
            {
                let cert = completed(&trust, only, certificate::now());
                pair = Arc::new(CertifiedKey { cert, ..(*pair).clone() });
            }
            if response.is_some() {
                pair = Arc::new(CertifiedKey { ocsp: response.clone(), ..(*pair).clone() });
            }
            fixed.push(match terms {
                None => Shown::Alone(pair),
                Some(Ok(terms)) => Shown::Stapled(Staple::new(pair, terms)),
                Some(Err(why)) => {
                    if !self.warnings.contains(&why) {
                        self.warnings.push(why);
                    }
                    Shown::Alone(pair)
                }
            });
        }
        let auth = (own.verify_client != VerifyClient::Off).then(|| {
            let status = (own.ocsp != SslOcsp::Off).then(|| Arc::new(self.status(own, dns.clone())));
            Arc::new(ClientAuth { trust, names, depth: own.verify_depth, status })
        });
        let variable = pairs().filter(is_variable).map(|(one, other)| (one.clone(), other.clone())).collect();
        if own.reject_handshake {
            let versions = Vec::new();
            return Ok(Negotiation { config: None, versions, variable, passwords, fixed, auth });
        }
        let versions: Vec<_> = [(SslProtocols::TLS1_2, &TLS12), (SslProtocols::TLS1_3, &TLS13)]
            .into_iter()
            .filter(|(protocol, _)| base.speaks(*protocol))
            .map(|(_, version)| version)
            .collect();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider(base, own)))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Certificates(fixed.clone())));
        config.ignore_client_order = own.prefers_server_ciphers();
        config.alpn_protocols = shared.alpn.iter().map(|name| name.to_vec()).collect();
        let (least, most) = RECORD;
        let size = own.buffer_size.0.clamp(least, most);
        if size < most {
            config.max_fragment_size = usize::try_from(size + RECORD_HEAD).ok();
        }
        let context = context(own, &fixed, auth.as_deref());
        let lifetime = u32::try_from(base.session_timeout.0).unwrap_or(u32::MAX);
        // The TLS library accepts early data of sessions only that it keeps itself and resumes once.
        let takes_early = base.early_data && (own.makes_tickets() || shared.cache.is_some());
        let cache = match &shared.cache {
            None if takes_early => Some(self.early_sessions()),
            cache => cache.clone(),
        };
        if takes_early {
            config.max_early_data_size = limits::TLS_EARLY_DATA;
            config.send_half_rtt_data = true;
        }
        config.session_storage = match &cache {
            None if base.session_cache.is_none => Arc::new(KeepsNone) as Arc<dyn StoresServerSessions>,
            None => Arc::new(NoServerSessionStorage {}),
            Some(cache) => Arc::new(ServerSessions {
                cache: cache.clone(),
                context: context.clone(),
                lifetime: Duration::from_secs(lifetime.into()),
            }),
        };
        if own.makes_tickets() && !takes_early {
            let tickets = Tickets::new(shared.secrets, &context, lifetime).ok_or(TlsError::NoRandom)?;
            config.ticketer = Arc::new(tickets);
        } else if cache.is_none() {
            config.send_tls13_tickets = 0;
        }
        Ok(Negotiation { config: Some(Arc::new(config)), versions, variable, passwords, fixed, auth })
    }

    /// The resolver with these name servers.
    fn resolver(&mut self, wanted: (Resolver, Duration)) -> Dns {
        if let Some((_, dns)) = self.resolvers.iter().find(|(known, _)| *known == wanted) {
            return dns.clone();
        }
        let dns = Dns::of_servers(wanted.0.clone(), wanted.1);
        self.resolvers.push((wanted, dns.clone()));
        dns
    }

    /// How certificates of clients are looked up.
    fn status(&mut self, own: &Conf, dns: Option<Dns>) -> StatusTerms {
        StatusTerms {
            asker: self.asker.clone(),
            dns,
            responder: own.ocsp_responder.as_ref().map(|responder| responder.0.clone()),
            is_leaf_only: own.ocsp == SslOcsp::Leaf,
            cache: own.ocsp_cache.0.as_ref().map(|(name, size)| self.status_cache(name, *size)),
        }
    }

    /// Where statuses of certificates are kept.
    fn status_cache(&mut self, name: &BString, size: u64) -> Arc<StatusCache> {
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        let cache = self.statuses.entry(name.clone()).or_insert_with(|| {
            self.known_statuses.get(name).cloned().unwrap_or_else(|| Arc::new(StatusCache::new(most)))
        });
        cache.rebound(most);
        cache.clone()
    }

    /// Where sessions are kept that may begin with early data, without `ssl_session_cache`.
    fn early_sessions(&mut self) -> Arc<SessionCache> {
        // No cache of the configuration has this name.
        let name = BString::from("");
        let make = || Arc::new(SessionCache::new(Bound::Sessions(limits::TLS_EARLY_SESSIONS)));
        let known = || self.known.get(&name).cloned().unwrap_or_else(make);
        self.caches.entry(name.clone()).or_insert_with(known).clone()
    }

    /// Secrets of tickets.
    fn secrets(&self, base: &Conf) -> Result<Vec<TicketSecret>, TlsError> {
        if base.session_ticket_key.is_empty() {
            return Ok(vec![self.secret.clone()]);
        }
        base.session_ticket_key
            .iter()
            .map(|path| {
                let secret = read("ssl_session_ticket_key", &path.0)?;
                match TICKET_KEY_SIZES.contains(&secret.len()) {
                    true => Ok(TicketSecret(secret)),
                    false => Err(TlsError::TicketKeySize(path.0.clone())),
                }
            })
            .collect()
    }

    /// Where sessions are kept.
    fn cache(&mut self, base: &Conf) -> Option<Arc<SessionCache>> {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let caches = &base.session_cache;
        let Some((name, size)) = &caches.shared else {
            return caches.builtin.map(|most| Arc::new(SessionCache::new(Bound::Sessions(count(most)))));
        };
        let bound = Bound::Bytes(count(*size));
        let cache = self.caches.entry(name.clone()).or_insert_with(|| match self.known.get(name) {
            Some(known) => known.clone(),
            None => Arc::new(SessionCache::new(bound)),
        });
        cache.rebound(bound);
        Some(cache.clone())
    }
}

/// What the servers of an address share.
struct Shared<'s> {
    /// The default server's directives.
    base: &'s Conf,
    secrets: &'s [TicketSecret],
    cache: Option<Arc<SessionCache>>,
    alpn: &'s [&'s [u8]],
}

/// The name of a certificate in the log.
fn shown_name(source: &CertificateSource) -> &Path {
    if source.is_inline() { Path::new("data:") } else { &source.0 }
}

fn provider(base: &Conf, own: &Conf) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::chosen(own.tls13_suites(), own.suites()),
        kx_groups: suites::groups(base.curves()),
        ..default_provider()
    }
}

/// Identifies what a session was made with. As in nginx, a session of other certificates or other verification of clients is
/// not resumed.
fn context(own: &Conf, keys: &[Shown], auth: Option<&ClientAuth>) -> Vec<u8> {
    let mut hash = Sha256::new();
    // Sessions outlast the renewal of a certificate.
    let lasting = keys.iter().filter(|shown| !matches!(shown, Shown::Issued(_)));
    for key in lasting.filter_map(Shown::key) {
        hash.update(key.cert.first().map(Sha256::digest).unwrap_or_default());
    }
    for source in &own.certificate {
        hash.update(Sha256::digest(source.0.as_os_str().as_encoded_bytes()));
    }
    hash.update([u8::from(auth.is_some())]);
    for name in auth.iter().flat_map(|auth| &auth.names) {
        hash.update(Sha256::digest(name.as_ref()));
    }
    hash.finalize().to_vec()
}

fn read(directive: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    disk::read(path).map_err(|source| TlsError::Unreadable { directive, path: path.to_owned(), source })
}

/// Certificates with their keys; each pair of files is read once.
#[derive(Default)]
struct LoadedFiles(HashMap<(PathBuf, PathBuf), Arc<CertifiedKey>>);

impl LoadedFiles {
    fn passwords(&self, own: &Conf) -> Result<Passwords, TlsError> {
        match &own.password_file {
            Some(path) => Ok(key::passwords(&read("ssl_password_file", &path.0)?)),
            None => Ok(Passwords::new()),
        }
    }

    fn pair(
        &mut self,
        certificate: &CertificateSource,
        key: &CertificateSource,
        passwords: &[Vec<u8>],
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let (certificate, key) = (&certificate.0, &key.0);
        if let Some(pair) = self.0.get(&(certificate.clone(), key.clone())) {
            return Ok(pair.clone());
        }
        let cannot = |part: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source: CertificateError| TlsError::Certificate { part, path, source }
        };
        let chain = key::text_of(certificate).and_then(|text| key::chain(&text));
        let chain = chain.map_err(cannot("certificate", certificate))?;
        let pair = key::text_of(key).and_then(|text| key::certified(chain, &text, passwords));
        let pair = Arc::new(pair.map_err(cannot("certificate key", key))?);
        self.0.insert((certificate.clone(), key.clone()), pair.clone());
        Ok(pair)
    }

    /// The certificates and lists that clients are verified with, and the names that they are shown.
    fn trust(&self, own: &Conf) -> Result<(Trust, Vec<DistinguishedName>), TlsError> {
        let mut trust = Trust::default();
        let mut names = Vec::new();
        let files = [(&own.client_certificate, true), (&own.trusted_certificate, false)];
        let named = files.into_iter().filter_map(|(path, is_shown)| Some((&path.as_ref()?.0, is_shown)));
        for (path, is_shown) in named {
            let failed = |source| TlsError::Verification { path: path.clone(), source };
            let text = disk::read(path).map_err(|error| failed(VerificationError::Unreadable(error)))?;
            let added = trust.add(&text).map_err(|error| failed(error.into()))?;
            if is_shown {
                names = added;
            }
        }
        if let Some(path) = &own.crl {
            let failed = |source| TlsError::Verification { path: path.0.clone(), source };
            let text = disk::read(&path.0).map_err(|error| failed(VerificationError::Unreadable(error)))?;
            trust.add_lists(&text).map_err(|error| failed(error.into()))?;
        }
        Ok((trust, names))
    }
}
