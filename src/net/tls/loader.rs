//! Builds the settings of listening sockets from the directives of their servers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, StoresServerSessions};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};

use super::certificate_cache::{CertificateCache, Files};
use super::client_auth::ClientAuth;
use super::compression;
use super::error::TlsError;
use super::files::{LoadedFiles, read};
use super::issued::IssuedCertificates;
use super::negotiation::{
    ByName, Certificates, HandshakeNotes, HandshakeVariables, Negotiation, Shown, SocketTls, Variable,
};
use super::ocsp::asker::Asker;
use super::ocsp::client::StatusTerms;
use super::ocsp::issued_staple::{IssuedStaple, Source};
use super::ocsp::staple::{Staple, StapleMeans, Terms};
use super::ocsp::status_cache::StatusCache;
use super::session::{Bound, KeepsNone, ServerSessions, SessionCache};
use super::suites;
use super::ticket::{OwnSecrets, SECRET_SIZES, TicketSecret, TicketSecrets, Tickets};
use super::x509::certificate;
use super::x509::chain::completed;
use crate::config::model::{HttpServer, RtmpServer};
use crate::config::names::NameTable;
use crate::limits;
use crate::net::dns::Dns;
use crate::net::resolver::server::Resolver;
use crate::net::ssl::certificate_cache::CertificateCache as CacheSetting;
use crate::net::ssl::conf::{Conf, SslOcsp, VerifyClient};
use crate::net::ssl::ordered::OrderedCertificate;
use crate::net::ssl::protocols::SslProtocols;
use crate::net::ssl::source::CertificateSource;
use crate::syntax::Pos;

/// Bytes that a TLS record has besides its contents, as the TLS library counts them.
const RECORD_HEAD: u64 = 5;
/// Bounds of the contents of records.
const RECORD: (u64, u64) = (512, 16 * 1024);

/// Builds the settings of sockets.
pub(super) struct Loader<'l> {
    pub(super) issued: Arc<IssuedCertificates>,
    pub(super) files: LoadedFiles,
    pub(super) secrets: OwnSecrets,
    /// Caches in force.
    pub(super) known: &'l HashMap<BString, Arc<SessionCache>>,
    /// Caches that are used from now on.
    pub(super) caches: HashMap<BString, Arc<SessionCache>>,
    /// Statuses of certificates in force, and those that are used from now on.
    pub(super) known_statuses: &'l HashMap<BString, Arc<StatusCache>>,
    pub(super) statuses: HashMap<BString, Arc<StatusCache>>,
    pub(super) asker: Asker,
    pub(super) resolvers: Vec<((Resolver, Duration), Dns)>,
    pub(super) warnings: Vec<String>,
}

/// Values of HTTP servers that TLS needs.
#[derive(Clone, Copy)]
pub struct OfHttp {
    /// With what OCSP responders of a server are looked up: its resolver and the timeout of that, or the process's resolver.
    pub resolver: fn(&HttpServer) -> Option<(Resolver, Duration)>,
    /// Source of the values of variables in the names of a server's certificates.
    pub variables: fn(&HttpServer) -> Arc<dyn HandshakeVariables>,
    /// What is noted of its handshakes.
    pub notes: fn(&HttpServer) -> HandshakeNotes,
}

/// Finds out what TLS needs of servers of a kind.
pub(super) trait OfServers<T> {
    /// What it needs of this one.
    fn server<'t>(&self, server: &'t T) -> OfServer<'t>;
}

/// Servers of RTMP.
pub(super) struct OfRtmp;

impl OfServers<RtmpServer> for OfRtmp {
    fn server<'t>(&self, server: &'t RtmpServer) -> OfServer<'t> {
        let (conf, pos, ordered) = (server.get(), &server.pos, server.get());
        OfServer { conf, pos, ordered, resolver: None, variables: None, notes: HandshakeNotes::default() }
    }
}

impl OfServers<HttpServer> for OfHttp {
    fn server<'t>(&self, server: &'t HttpServer) -> OfServer<'t> {
        let (conf, pos, ordered) = (server.get(), &server.pos, server.get());
        let (resolver, variables) = ((self.resolver)(server), Some((self.variables)(server)));
        OfServer { conf, pos, ordered, resolver, variables, notes: (self.notes)(server) }
    }
}

/// Values of a server that TLS needs.
pub(super) struct OfServer<'s> {
    pub(super) conf: &'s Conf,
    pub(super) pos: &'s Pos,
    pub(super) ordered: &'s OrderedCertificate,
    pub(super) resolver: Option<(Resolver, Duration)>,
    pub(super) variables: Option<Arc<dyn HandshakeVariables>>,
    pub(super) notes: HandshakeNotes,
}

impl Loader<'_> {
    pub(super) fn socket<T: Send + Sync + 'static>(
        &mut self,
        servers: &NameTable<T>,
        of: &dyn OfServers<T>,
        alpn: &[&[u8]],
    ) -> Result<SocketTls, TlsError> {
        let of_default = of.server(servers.default_server());
        let (base, pos, notes) = (of_default.conf, of_default.pos, of_default.notes);
        let lacks = |conf: &Conf| conf.certificate.is_empty() && !conf.reject_handshake;
        let without = match lacks(base) {
            true => Some(pos),
            // As in nginx, other servers may do without where the default server has one.
            false if !base.certificate.is_empty() => None,
            false => servers
                .servers()
                .iter()
                .map(|server| of.server(server))
                .find(|of| lacks(of.conf))
                .map(|of| of.pos),
        };
        if let Some(Pos { file, line }) = without {
            return Err(TlsError::NoCertificate { place: format!("{}:{line}", file.display()) });
        }
        let secrets = self.secrets(base)?;
        let cache = self.cache(base);
        let mut shared = Shared { base, secrets: &secrets, cache, alpn };
        let default = Arc::new(self.server(&mut shared, of_default)?);
        let mut named = HashMap::new();
        for server in servers.servers() {
            let of = of.server(server);
            let settings = match () {
                () if std::ptr::eq(of.conf, base) => default.clone(),
                () if lacks(of.conf) => continue,
                () => Arc::new(self.server(&mut shared, of)?),
            };
            named.insert(Arc::as_ptr(server) as usize, settings);
        }
        let issued = self.issued.clone();
        Ok(SocketTls { notes, chooser: Box::new(ByName(servers.clone())), default, named, issued })
    }

    /// Settings of one server.
    fn server(&mut self, shared: &mut Shared<'_>, of: OfServer<'_>) -> Result<Negotiation, TlsError> {
        let OfServer { conf: own, pos, ordered, resolver, variables, .. } = of;
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
                let staple = match (&response, &stapling) {
                    (Some(response), _) => Some(Source::File(response.clone())),
                    (None, Some(means)) => Some(Source::Responder(trust.clone(), means.clone())),
                    (None, None) => None,
                };
                let staple = staple.map(|source| Arc::new(IssuedStaple::new(id, source)));
                fixed.push(Shown::Issued(self.issued.of(id), staple));
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
            let kind = pair.key.algorithm();
            let shown = match terms {
                None => Shown::Alone(pair),
                Some(Ok(terms)) => Shown::Stapled(Staple::new(pair, terms)),
                Some(Err(why)) => {
                    let why = why.to_string();
                    if !self.warnings.contains(&why) {
                        self.warnings.push(why);
                    }
                    Shown::Alone(pair)
                }
            };
            // As with OpenSSL, a later certificate replaces one with a key of the same kind.
            let is_replaced = |known: &Shown| {
                let known = match known {
                    Shown::Alone(key) => key,
                    Shown::Stapled(staple) => staple.bare(),
                    Shown::Issued(..) => return false,
                };
                known.key.algorithm() == kind
            };
            match fixed.iter().position(is_replaced) {
                Some(at) => fixed[at] = shown,
                None => fixed.push(shown),
            }
        }
        let auth = (own.verify_client != VerifyClient::Off).then(|| {
            let status = (own.ocsp != SslOcsp::Off).then(|| Arc::new(self.status(own, dns.clone())));
            Arc::new(ClientAuth { trust, names, depth: own.verify_depth, status })
        });
        let pairs = pairs().filter(is_variable).map(|(one, other)| (one.clone(), other.clone())).collect();
        let variable = Variable { pairs, passwords, variables, cache: cache_of(own) };
        if own.reject_handshake {
            let versions = Vec::new();
            return Ok(Negotiation { config: None, versions, variable, fixed, auth });
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
        config.cert_compressors =
            if own.certificate_compression { compression::ALL.to_vec() } else { Vec::new() };
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
        Ok(Negotiation { config: Some(Arc::new(config)), versions, variable, fixed, auth })
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
    fn secrets(&self, base: &Conf) -> Result<TicketSecrets, TlsError> {
        if base.session_ticket_key.is_empty() {
            return Ok(TicketSecrets::Own(self.secrets.clone()));
        }
        let given = base
            .session_ticket_key
            .iter()
            .map(|path| {
                let secret = read("ssl_session_ticket_key", &path.0)?;
                match SECRET_SIZES.contains(&secret.len()) {
                    true => Ok(TicketSecret(secret)),
                    false => Err(TlsError::TicketKeySize(path.0.clone())),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(TicketSecrets::Given(given))
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

/// Data that the servers of an address share.
struct Shared<'s> {
    /// The default server's directives.
    base: &'s Conf,
    secrets: &'s TicketSecrets,
    cache: Option<Arc<SessionCache>>,
    alpn: &'s [&'s [u8]],
}

/// The name of a certificate in the log.
fn shown_name(source: &CertificateSource) -> &Path {
    if source.is_inline() { Path::new("data:") } else { &source.path }
}

/// Where certificates that depend on clients are kept.
fn cache_of(own: &Conf) -> Option<CertificateCache<Files, Arc<CertifiedKey>>> {
    match own.certificate_cache {
        CacheSetting::Off => None,
        CacheSetting::On { most, inactive, valid } => Some(CertificateCache::new(most, inactive, valid)),
    }
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
    let lasting = keys.iter().filter(|shown| !matches!(shown, Shown::Issued(..)));
    for key in lasting.filter_map(Shown::key) {
        hash.update(key.cert.first().map(Sha256::digest).unwrap_or_default());
    }
    for source in &own.certificate {
        hash.update(Sha256::digest(source.path.as_os_str().as_encoded_bytes()));
    }
    hash.update([u8::from(auth.is_some())]);
    for name in auth.iter().flat_map(|auth| &auth.names) {
        hash.update(Sha256::digest(name.as_ref()));
    }
    hash.finalize().to_vec()
}
