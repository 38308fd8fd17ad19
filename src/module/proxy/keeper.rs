//! What forwarding keeps over requests: the groups in use, TLS settings, name servers.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use rustls::{ClientConfig, KeyLog};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinError;

use super::cache::keeper::Zones;
use super::conf::{Current, ProxyHttpVersion};
use super::file::ProxyFile;
use super::key_log::KeyLines;
use crate::config::store::Store;
use crate::directive::{ConfPath, Msec};
use crate::http::exchange::Exchange;
use crate::http::upstream::group::GroupKeeper;
use crate::limits;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;
use crate::log::sink::{LogSink, SinkSpec, Sinks};
use crate::net::dns::Dns;
use crate::net::resolver::server::Resolver;
use crate::net::ssl::certificate_cache::CertificateCache as CacheSetting;
use crate::net::ssl::protocols::SslProtocols;
use crate::net::tls::BackendTlsError;
use crate::net::tls::backend::{BackendTls, Verified, of_backend};
use crate::net::tls::certificate_cache::CertificateCache;
use crate::task::disk::{self, DiskWork};

/// What forwarding keeps.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    /// Names without variables.
    pub(super) dns: Dns,
    /// Files of keys.
    logs: Sinks,
    pub(super) groups: GroupKeeper,
    /// Cached responses.
    pub(super) zones: Arc<Zones>,
    resolvers: Mutex<Vec<((Resolver, Msec), Dns)>>,
    tls: Mutex<KeptTls>,
}

/// TLS settings of connections, and what tells them from others: connections with other certificates are not shared.
#[derive(Clone, Debug)]
pub(super) struct TlsSettings {
    pub(super) config: Arc<ClientConfig>,
    pub(super) number: u64,
}

/// Hash of the certificate and the key that a request has named.
type Digest = [u8; 32];

/// TLS settings that are kept.
#[derive(Default)]
struct KeptTls {
    /// The configuration whose files were read.
    generation: u64,
    /// Those with these files; where requests decide them, with what the files contain.
    known: HashMap<(TlsKey, Option<Digest>), TlsSettings>,
    /// Those with files that requests decide, as `proxy_ssl_certificate_cache` says.
    caches: HashMap<CacheSetting, Arc<TlsCache>>,
}

type TlsCache = CertificateCache<TlsKey, TlsSettings>;

impl KeptTls {
    /// The cache that a location asks for.
    fn cache(&mut self, setting: CacheSetting) -> Option<Arc<TlsCache>> {
        let CacheSetting::On { most, inactive, valid } = setting else { return None };
        let new = || Arc::new(CertificateCache::new(most, inactive, valid));
        Some(self.caches.entry(setting).or_insert_with(new).clone())
    }
}

/// What TLS settings are made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TlsKey {
    verify: bool,
    trusted: Option<PathBuf>,
    lists: Option<PathBuf>,
    depth: u64,
    sends_name: bool,
    identity: Option<(PathBuf, PathBuf)>,
    passwords: Option<PathBuf>,
    protocols: u32,
    suites: Vec<&'static str>,
    tls13_suites: Option<Vec<&'static str>>,
    curves: Option<Vec<usize>>,
    resumes: bool,
    is_http2: bool,
    key_log: Option<SinkSpec>,
}

impl TlsKey {
    /// Of a location. `of` gives the files that a request decides.
    pub(super) fn of(conf: &Current, of: impl Fn(&ProxyFile) -> Option<PathBuf>) -> TlsKey {
        let path = |path: &Option<ConfPath>| path.as_ref().map(|path| path.0.clone());
        let commands = || conf.ssl_conf_command.iter().rev();
        let command_suites = commands().find_map(|command| command.ciphers.clone());
        let mut protocols = conf.ssl_protocols.0.unwrap_or(SslProtocols::TLS1_2).bits();
        for (least, most) in conf.ssl_conf_command.iter().filter_map(|command| command.protocols) {
            // Older protocols have lower bits.
            protocols &= least.map_or(u32::MAX, |least| !(least.bits() - 1));
            protocols &= most.map_or(u32::MAX, |most| (most.bits() << 1) - 1);
        }
        TlsKey {
            verify: conf.ssl_verify,
            // As in nginx, these are not looked at unless they are needed.
            trusted: path(&conf.ssl_trusted).filter(|_| conf.ssl_verify),
            lists: path(&conf.ssl_crl).filter(|_| conf.ssl_verify),
            depth: conf.ssl_verify_depth,
            sends_name: conf.ssl_server_name,
            identity: conf
                .ssl_certificate
                .as_ref()
                .and_then(&of)
                .zip(conf.ssl_certificate_key.as_ref().and_then(&of)),
            passwords: path(&conf.ssl_password_file),
            protocols,
            suites: command_suites.unwrap_or_else(|| conf.ssl_ciphers.clone()).0,
            tls13_suites: commands().find_map(|command| command.tls13_suites.clone()),
            curves: commands().find_map(|command| command.curves.clone()),
            resumes: conf.ssl_session_reuse,
            is_http2: conf.http_version == ProxyHttpVersion::Http2,
            key_log: conf.ssl_key_log.as_ref().map(|file| file.0.clone()),
        }
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        [&self.trusted, &self.lists, &self.passwords].into_iter().flatten().chain(identity)
    }
}

impl Keeper {
    pub(super) fn new(store: Arc<Store>, dns: Dns, logs: Sinks) -> Keeper {
        let zones = Arc::<Zones>::default();
        zones.sync(&store.load(), store.generation());
        Keeper {
            zones,
            store,
            dns,
            logs,
            groups: GroupKeeper::default(),
            resolvers: Mutex::default(),
            tls: Mutex::default(),
        }
    }

    /// The resolver with these name servers.
    pub(super) fn resolver(&self, resolver: &Resolver, timeout: Msec) -> Dns {
        let mut resolvers = self.resolvers.lock();
        let key = (resolver.clone(), timeout);
        if let Some((_, dns)) = resolvers.iter().find(|(known, _)| *known == key) {
            return dns.clone();
        }
        let dns = Dns::of_servers(resolver.clone(), timeout.duration());
        if resolvers.len() >= limits::PROXY_RESOLVERS {
            resolvers.remove(0);
        }
        resolvers.push((key, dns.clone()));
        dns
    }

    /// The TLS settings of a location. Files that requests decide are read each time, unless they are cached.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used.
    pub(super) async fn tls(
        &self,
        exchange: &Exchange<'_>,
        conf: &Current,
    ) -> Result<TlsSettings, TlsSettingsError> {
        let key = TlsKey::of(conf, |file| file.of(exchange));
        let is_variable = |file: &Option<ProxyFile>| file.as_ref().is_some_and(|file| !file.is_fixed());
        let is_variable = is_variable(&conf.ssl_certificate) || is_variable(&conf.ssl_certificate_key);
        let generation = self.store.generation();
        let cache = {
            let mut kept = self.tls.lock();
            if kept.generation != generation || kept.known.len() >= limits::PROXY_TLS_SETTINGS {
                *kept = KeptTls { generation, ..KeptTls::default() };
            }
            kept.cache(conf.ssl_certificate_cache).filter(|_| is_variable)
        };
        if let Some(settings) = cache.as_ref().and_then(|cache| cache.get(&key, Instant::now())) {
            return Ok(settings);
        }
        let (read, digest) = match &key.identity {
            Some(files) if is_variable => {
                let files = files.clone();
                let read = disk::spawn(DiskWork::Served, move || read_identity(&files)).await??;
                let digest = digest(&read);
                (Some(read), Some(digest))
            }
            _ => (None, None),
        };
        let known = self.tls.lock().known.get(&(key.clone(), digest)).cloned();
        let settings = match known {
            Some(settings) => settings,
            None => {
                let wanted = key.clone();
                let log = key.key_log.as_ref().map(|sink| self.logs.get(sink));
                let config = disk::spawn(DiskWork::Served, move || make(&wanted, read, log)).await??;
                let settings = TlsSettings::new(config);
                self.tls.lock().known.insert((key.clone(), digest), settings.clone());
                settings
            }
        };
        if let Some(cache) = cache {
            cache.put(key, settings.clone(), Instant::now());
        }
        Ok(settings)
    }
}

impl TlsSettings {
    fn new(config: Arc<ClientConfig>) -> TlsSettings {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        TlsSettings { config, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Certificate and key as read.
type Identity = (Vec<u8>, Vec<u8>);

fn read(path: &Path) -> Result<Vec<u8>, TlsSettingsError> {
    disk::read(path).map_err(|error| TlsSettingsError::File(path.to_owned(), error))
}

fn read_identity((certificate, key): &(PathBuf, PathBuf)) -> Result<Identity, TlsSettingsError> {
    Ok((read(certificate)?, read(key)?))
}

fn digest((certificate, key): &Identity) -> Digest {
    let mut hash = Sha256::new();
    hash.update(Sha256::digest(certificate));
    hash.update(Sha256::digest(key));
    hash.finalize().into()
}

/// Why there are no TLS settings.
#[derive(Debug, thiserror::Error)]
pub enum TlsSettingsError {
    /// A file cannot be read.
    #[error("cannot load \"{}\": {}", Shown::path(.0), os_text(.1))]
    File(PathBuf, #[source] io::Error),
    /// Certificates are to be verified, with none that is trusted.
    #[error("no proxy_ssl_trusted_certificate for proxy_ssl_verify")]
    NoTrusted,
    /// What a file contains cannot be used.
    #[error(transparent)]
    Contents(#[from] BackendTlsError),
    /// The files were not read to the end, because the server stops.
    #[error(transparent)]
    Stopped(#[from] JoinError),
}

/// Reads the files, except for certificate and key where these were read. Keys of connections go to `log`.
pub(super) fn make(
    key: &TlsKey,
    identity: Option<Identity>,
    log: Option<LogSink>,
) -> Result<Arc<ClientConfig>, TlsSettingsError> {
    let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
    let (trusted, lists) = (optional(&key.trusted)?, optional(&key.lists)?);
    let verified = match (&trusted, key.verify) {
        (Some(trusted), true) => Some(Verified { trusted, lists: lists.as_deref(), depth: key.depth }),
        (None, true) => return Err(TlsSettingsError::NoTrusted),
        (_, false) => None,
    };
    let identity = match (identity, &key.identity) {
        (None, Some(files)) => Some(read_identity(files)?),
        (identity, _) => identity,
    };
    let passwords = optional(&key.passwords)?;
    let protocols = SslProtocols::from_bits_retain(key.protocols);
    let settings = BackendTls {
        verified,
        sends_name: key.sends_name,
        identity: identity.as_ref().map(|(certificate, key)| (&certificate[..], &key[..])),
        passwords: passwords.as_deref(),
        tls12: protocols.contains(SslProtocols::TLS1_2),
        tls13: protocols.contains(SslProtocols::TLS1_3),
        suites: &key.suites,
        tls13_suites: key.tls13_suites.as_deref(),
        curves: key.curves.as_deref(),
        resumes: key.resumes,
        is_http2: key.is_http2,
        key_log: log.map(|log| Arc::new(KeyLines(log)) as Arc<dyn KeyLog>),
    };
    Ok(of_backend(&settings)?)
}
