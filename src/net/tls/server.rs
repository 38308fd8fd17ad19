//! TLS of listening sockets: the settings of each server, chosen by the name that a client asks for.
//!
//! Everything is built when a configuration is loaded, so a reload with an unusable file is refused. Open connections
//! keep their settings; new ones use the new certificates. As in nginx with OpenSSL, before 1.27, protocols, curves, session
//! tickets' keys and sessions are those of the address's default server, everything else is that of the server asked for.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bstr::BString;

use super::TlsStream;
use super::error::TlsError;
use super::files::LoadedFiles;
use super::issued::IssuedCertificates;
pub use super::loader::OfHttp;
use super::loader::{Loader, OfRtmp};
pub use super::negotiation::SocketTls;
use super::ocsp::asker::Asker;
use super::ocsp::status_cache::StatusCache;
use super::session::SessionCache;
use super::ticket::OwnSecrets;
use crate::config::model::{Config, Listener};
use crate::directive::ListenAddr;
use crate::limits;
use crate::net::http2::{ALPN_HTTP1, ALPN_HTTP2};
use crate::net::log;
use crate::net::socket::Socket;
use crate::net::speaks::ListenProtocol;

/// Protocols of HTTP by ALPN, as nginx offers them.
const ALPN_HTTP: [&[u8]; 3] = [ALPN_HTTP1, b"http/1.0", b"http/0.9"];

/// Settings of TLS sockets.
pub struct ServerTls {
    settings: HashMap<(ListenProtocol, ListenAddr), Arc<SocketTls>>,
    /// Sockets that stay closed because their certificate is missing, with the reason.
    closed: HashMap<(ListenProtocol, ListenAddr), TlsError>,
    /// Caches of `ssl_session_cache shared` by name. They stay over reloads.
    caches: HashMap<BString, Arc<SessionCache>>,
    /// Caches of `ssl_ocsp_cache` by name. They stay over reloads.
    statuses: HashMap<BString, Arc<StatusCache>>,
    /// The secrets of tickets, where the configuration gives none. They stay over reloads.
    secrets: OwnSecrets,
    /// Asks OCSP responders. It stays over reloads.
    asker: Asker,
    /// Warnings about settings that are ignored, as nginx ignores them.
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
    pub fn load(config: &Config, http: OfHttp, before: Option<&ServerTls>) -> Result<Self, TlsError> {
        let secrets = before.map(|before| before.secrets.clone()).unwrap_or_default();
        let empty = HashMap::new();
        let no_statuses = HashMap::new();
        let issued = before.map(|before| before.issued.clone()).unwrap_or_default();
        let mut loader = Loader {
            issued: issued.clone(),
            known_statuses: before.map_or(&no_statuses, |before| &before.statuses),
            statuses: HashMap::new(),
            files: LoadedFiles::default(),
            secrets: secrets.clone(),
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
            secrets,
            asker: loader.asker.clone(),
            warnings: Vec::new(),
            issued,
        };
        let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.listeners).flat_map(Listener::addresses);
        for (addr, _, servers) in rtmp.filter(|(_, options, _)| options.ssl) {
            let settings = loader.socket(servers, &OfRtmp, &[]);
            loaded.add((ListenProtocol::Rtmp, addr.clone()), settings, before)?;
        }
        let listeners = config.http.iter().flat_map(|http| &http.listeners).flat_map(Listener::addresses);
        for (addr, options, servers) in listeners.filter(|(_, options, _)| options.ssl) {
            let with_http2 = [&[ALPN_HTTP2][..], &ALPN_HTTP].concat();
            let alpn = if options.http2 || options.http2_on { &with_http2[..] } else { &ALPN_HTTP };
            let settings = loader.socket(servers, &http, alpn);
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

    /// Why one of these sockets stays closed.
    pub fn why_closed(&mut self, is_one: impl Fn(&ListenAddr) -> bool) -> Option<TlsError> {
        self.closed.extract_if(|(_, addr), _| is_one(addr)).next().map(|(_, error)| error)
    }

    /// Asks OCSP responders; the same one over reloads.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Warnings about settings that are ignored, in nginx's words.
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
