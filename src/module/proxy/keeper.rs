//! What forwarding keeps over requests: the groups in use, TLS settings, name servers.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::task::JoinError;

use super::conf::{Current, ProxySslProtocols};
use crate::config::store::Store;
use crate::directive::Msec;
use crate::http::upstream::group::GroupKeeper;
use crate::limits;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;
use crate::net::dns::Dns;
use crate::net::resolver::server::Resolver;
use crate::net::tls::TrustedError;
use crate::net::tls::client::{BackendTls, of_backend};
use crate::task::disk::{self, DiskWork};

/// What forwarding keeps.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    /// Names without variables.
    pub(super) dns: Dns,
    pub(super) groups: GroupKeeper,
    resolvers: Mutex<Vec<((Resolver, Msec), Dns)>>,
    /// TLS settings, and the configuration whose files were read.
    tls: Mutex<(u64, HashMap<TlsKey, Arc<ClientConfig>>)>,
}

/// What TLS settings are made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TlsKey {
    trusted: Option<PathBuf>,
    verify: bool,
    sends_name: bool,
    identity: Option<(PathBuf, PathBuf)>,
    protocols: u32,
}

impl Keeper {
    pub(super) fn new(store: Arc<Store>, dns: Dns) -> Keeper {
        Keeper {
            store,
            dns,
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

    /// The TLS settings of a location.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used.
    pub(super) async fn tls(&self, conf: &Current) -> Result<Arc<ClientConfig>, TlsSettingsError> {
        let certificate = conf.ssl_certificate.as_ref().map(|path| path.0.clone());
        let key = conf.ssl_certificate_key.as_ref().map(|path| path.0.clone());
        let key = TlsKey {
            trusted: conf.ssl_trusted.as_ref().map(|path| path.0.clone()).filter(|_| conf.ssl_verify),
            verify: conf.ssl_verify,
            sends_name: conf.ssl_server_name,
            identity: certificate.zip(key),
            protocols: conf.ssl_protocols.0.unwrap_or(ProxySslProtocols::TLS12).bits(),
        };
        let generation = self.store.generation();
        {
            let mut known = self.tls.lock();
            if known.0 != generation || known.1.len() >= limits::PROXY_TLS_SETTINGS {
                *known = (generation, HashMap::new());
            }
            if let Some(config) = known.1.get(&key) {
                return Ok(config.clone());
            }
        }
        let wanted = key.clone();
        let config = disk::spawn(DiskWork::Served, move || make(&wanted)).await??;
        self.tls.lock().1.insert(key, config.clone());
        Ok(config)
    }
}

/// Why there are no TLS settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsSettingsError {
    /// A file cannot be read.
    #[error("cannot load \"{}\": {}", Shown::path(.0), os_text(.1))]
    File(PathBuf, #[source] io::Error),
    /// Certificates are to be verified, with none that is trusted.
    #[error("no proxy_ssl_trusted_certificate for proxy_ssl_verify")]
    NoTrusted,
    /// What a file contains cannot be used.
    #[error(transparent)]
    Contents(#[from] TrustedError),
    /// The files were not read to the end, because the server stops.
    #[error(transparent)]
    Stopped(#[from] JoinError),
}

fn make(key: &TlsKey) -> Result<Arc<ClientConfig>, TlsSettingsError> {
    let read = |path: &PathBuf| disk::read(path).map_err(|error| TlsSettingsError::File(path.clone(), error));
    let trusted = match (&key.trusted, key.verify) {
        (Some(path), _) => Some(read(path)?),
        (None, true) => return Err(TlsSettingsError::NoTrusted),
        (None, false) => None,
    };
    let identity = match &key.identity {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    let protocols = ProxySslProtocols::from_bits_retain(key.protocols);
    let settings = BackendTls {
        trusted: trusted.as_deref(),
        sends_name: key.sends_name,
        identity: identity.as_ref().map(|(certificate, key)| (&certificate[..], &key[..])),
        tls12: protocols.contains(ProxySslProtocols::TLS12),
        tls13: protocols.contains(ProxySslProtocols::TLS13),
    };
    Ok(of_backend(&settings)?)
}
