//! TLS of listening sockets: choice of the certificate.
//!
//! Everything is built when a configuration is loaded, so a reload with an unusable file is refused. Open connections
//! keep their settings; new ones use the new certificates.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::{cipher_suite, default_provider, kx_group, sign};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite};

use crate::config::model::{Config, HttpServer, Listener, RtmpServer};
use crate::config::names::NameTable;
use crate::directive::{ConfPath, ListenAddr};
use crate::limits;
use crate::net::http2::{ALPN_HTTP1, ALPN_HTTP2};
use crate::net::log;
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;
use crate::net::ssl::cipher::SUITES;
use crate::net::ssl::conf::{Conf, SslProtocols};
use crate::net::ssl::curve::CURVES;
use crate::task::disk;

use super::TlsStream;
use super::error::{CertificateError, TlsError};

/// The suites of [`SUITES`], in its order.
const IMPLEMENTED: [SupportedCipherSuite; SUITES.len()] = [
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];
/// Suites of TLS 1.3, which `ssl_ciphers` does not affect.
const ALWAYS: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];
/// The curves of [`CURVES`], in its order.
const GROUPS: [&dyn SupportedKxGroup; CURVES.len()] =
    [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// Settings of TLS sockets.
#[derive(Debug, Default)]
pub struct ServerTls {
    settings: HashMap<(ListenProtocol, ListenAddr), Arc<ServerConfig>>,
    /// Sockets that stay closed because their certificate or their client verification is missing, with the reason.
    closed: HashMap<(ListenProtocol, ListenAddr), TlsError>,
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
    /// A file exists but cannot be used.
    pub fn load(config: &Config, before: Option<&ServerTls>) -> Result<Self, TlsError> {
        let mut keys = LoadedKeys::default();
        let mut loaded = ServerTls::default();
        let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners).flat_map(Listener::addresses);
        for (addr, _, servers) in rtmp.filter(|(_, options, _)| options.ssl) {
            let verifies = servers.servers().iter().any(|server| server.verifies_clients);
            let settings = match verifies {
                true => Err(TlsError::ClientVerification),
                false => settings(&mut keys, servers, |server: &RtmpServer| server.get::<Conf>()),
            };
            loaded.add((ListenProtocol::Rtmp, addr.clone()), settings, before)?;
        }
        let http = config.http.iter().flat_map(|http| &http.listeners).flat_map(Listener::addresses);
        for (addr, options, servers) in http.filter(|(_, options, _)| options.ssl) {
            let mut settings = settings(&mut keys, servers, |server: &HttpServer| server.get::<Conf>());
            if let Ok(settings) = &mut settings
                && (options.http2 || options.http2_on)
            {
                Arc::make_mut(settings).alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
            }
            loaded.add((ListenProtocol::Http, addr.clone()), settings, before)?;
        }
        Ok(loaded)
    }

    fn add(
        &mut self,
        key: (ListenProtocol, ListenAddr),
        settings: Result<Arc<ServerConfig>, TlsError>,
        before: Option<&ServerTls>,
    ) -> Result<(), TlsError> {
        match settings {
            Ok(settings) => drop(self.settings.insert(key, settings)),
            Err(error) if error.is_missing() && before.is_none_or(|before| before.of(&key).is_none()) => {
                self.closed.insert(key, error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Settings of a socket; `None` without TLS.
    pub fn of(&self, key: &(ListenProtocol, ListenAddr)) -> Option<Arc<ServerConfig>> {
        self.settings.get(key).cloned()
    }

    /// Whether a socket stays closed because its certificate is missing.
    pub fn is_closed(&self, key: &(ListenProtocol, ListenAddr)) -> bool {
        self.closed.contains_key(key)
    }

    /// Logs which sockets stay closed, and why.
    pub fn log_closed(&self) {
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
/// The handshake failed or exceeded [`limits::TLS_HANDSHAKE`]; in both cases the client is the cause.
pub async fn accept(socket: Socket, config: Arc<ServerConfig>) -> io::Result<Socket> {
    let Socket::Plain(socket) = socket else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "TLS within TLS"));
    };
    match tokio::time::timeout(limits::TLS_HANDSHAKE, TlsStream::accept(socket, config)).await {
        Ok(accepted) => Ok(Socket::Tls(Box::new(accepted?))),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Settings of one socket. Before the client's server name is known, the default server's settings apply, as in nginx.
fn settings<T: Send + Sync + 'static>(
    keys: &mut LoadedKeys,
    servers: &NameTable<T>,
    ssl: fn(&T) -> &Conf,
) -> Result<Arc<ServerConfig>, TlsError> {
    let conf = ssl(servers.default_server());
    let mut by_server = HashMap::new();
    for server in servers.servers() {
        by_server.insert(Arc::as_ptr(server) as usize, keys.of(ssl(server))?);
    }
    let certificates = Certificates { servers: servers.clone(), keys: by_server };
    let versions: Vec<_> = [(SslProtocols::TLS1_2, &TLS12), (SslProtocols::TLS1_3, &TLS13)]
        .into_iter()
        .filter(|(protocol, _)| conf.speaks(*protocol))
        .map(|(_, version)| version)
        .collect();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider(conf)))
        .with_protocol_versions(&versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.ignore_client_order = conf.prefer_server_ciphers;
    if conf.session_tickets {
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn provider(conf: &Conf) -> CryptoProvider {
    let implemented = |name: &&str| SUITES.iter().position(|suite| suite == name).map(|at| IMPLEMENTED[at]);
    let chosen = conf.ciphers.0.iter().filter_map(implemented);
    CryptoProvider {
        cipher_suites: ALWAYS.into_iter().chain(chosen).collect(),
        kx_groups: conf.ecdh_curve.0.iter().map(|curve| GROUPS[*curve]).collect(),
        ..default_provider()
    }
}

/// Certificates with their keys; each pair of files is read once.
#[derive(Default)]
struct LoadedKeys(HashMap<(PathBuf, PathBuf), Arc<CertifiedKey>>);

impl LoadedKeys {
    fn of(&mut self, conf: &Conf) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
        conf.certificate.iter().zip(&conf.certificate_key).map(|(c, k)| self.pair(c, k)).collect()
    }

    fn pair(&mut self, certificate: &ConfPath, key: &ConfPath) -> Result<Arc<CertifiedKey>, TlsError> {
        let (certificate, key) = (&certificate.0, &key.0);
        if let Some(pair) = self.0.get(&(certificate.clone(), key.clone())) {
            return Ok(pair.clone());
        }
        let chain = read_chain(certificate).map_err(|source| TlsError::Certificate {
            part: "certificate",
            path: certificate.clone(),
            source,
        })?;
        let pair = read_key(key, chain).map_err(|source| TlsError::Certificate {
            part: "certificate key",
            path: key.clone(),
            source,
        })?;
        let pair = Arc::new(pair);
        self.0.insert((certificate.clone(), key.clone()), pair.clone());
        Ok(pair)
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = disk::read(path).map_err(CertificateError::Unreadable)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(CertificateError::Empty) } else { Ok(chain) }
}

/// Combines the certificates of `chain` with the key in a file.
fn read_key(path: &Path, chain: Vec<CertificateDer<'static>>) -> Result<CertifiedKey, CertificateError> {
    let text = disk::read(path).map_err(CertificateError::Unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(&text)?;
    let pair = CertifiedKey::new(chain, sign::any_supported_type(&key)?);
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    if pair.keys_match() == Err(mismatch) {
        return Err(CertificateError::OtherKey);
    }
    Ok(pair)
}

/// Certificates of one socket by server name.
struct Certificates<T> {
    servers: NameTable<T>,
    /// By address of the server in memory.
    keys: HashMap<usize, Vec<Arc<CertifiedKey>>>,
}

impl<T: Send + Sync> ResolvesServerCert for Certificates<T> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let of = |server: &Arc<T>| {
            let keys = self.keys.get(&(Arc::as_ptr(server) as usize))?;
            let usable = keys.iter().find(|key| key.key.choose_scheme(hello.signature_schemes()).is_some());
            usable.or(keys.first()).cloned()
        };
        // If the name matches no server unambiguously, no certificate is shown.
        let named = hello.server_name().map(|name| self.servers.find(name.as_bytes())).transpose().ok()?;
        // A server without a certificate may share the socket with one that has one.
        named.and_then(of).or_else(|| of(self.servers.default_server()))
    }
}

impl<T> fmt::Debug for Certificates<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
