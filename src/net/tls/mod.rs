//! TLS sockets, the certificates shown to clients, and the certificates trusted in servers.

pub mod backend;
pub mod certificate_cache;
pub mod client;
mod client_auth;
mod compression;
mod error;
mod files;
mod handshake_signature;
mod info;
pub mod issued;
mod key;
mod loader;
mod names;
mod negotiation;
pub mod ocsp;
mod old_key;
pub mod server;
mod session;
mod sniff;
mod stream;
mod suites;
mod ticket;
pub mod x509;

pub use error::{
    BackendTlsError, CertificateError, ClientTlsError, TlsError, TrustedError, handshake_failure,
};
pub use info::{ClientCertificate, Refusal, TlsInfo};
pub use negotiation::{HandshakeFacts, HandshakeNotes, HandshakeVariables};
pub use ocsp::ClientStatus;
pub use stream::TlsStream;

use std::path::Path;

use self::client::{ClientTls, ServerTrust};
use self::server::{OfHttp, ServerTls};
use crate::config::model::Config;
use crate::net::ssl::conf::Conf;

/// TLS settings of a configuration. A reload replaces them.
pub struct Tls {
    /// Connections to other servers.
    pub client: ClientTls,
    /// Listening sockets.
    pub server: ServerTls,
}

impl Tls {
    /// Reads the files that `config` names, and CA certificates as `trust` says. `http` tells what servers of HTTP have beside
    /// that. `before` holds the settings in force.
    ///
    /// # Errors
    ///
    /// A file exists but cannot be used.
    pub fn load(
        config: &Config,
        trust: ServerTrust<'_>,
        http: OfHttp,
        before: Option<&Tls>,
    ) -> Result<Self, TlsError> {
        let server = ServerTls::load(config, http, before.map(|before| &before.server))?;
        Ok(Tls { client: ClientTls::load(trust)?, server })
    }

    /// The files that [`Tls::load`] reads.
    pub fn files<'a>(config: &'a Config, trust: ServerTrust<'a>) -> impl Iterator<Item = &'a Path> {
        let rtmp = config.rtmp.iter().flat_map(|rtmp| &rtmp.servers).map(|server| server.get::<Conf>());
        let http = config.http.iter().flat_map(|http| &http.servers).map(|server| server.get::<Conf>());
        rtmp.chain(http).flat_map(Conf::files).chain(trust.certificates)
    }
}
