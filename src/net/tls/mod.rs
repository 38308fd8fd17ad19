//! TLS: the encrypted form of a socket, and what both sides of it trust and show.

pub mod client;
pub mod server;
mod stream;

pub use stream::TlsStream;

use self::client::{ClientTls, Trust};
use self::server::ServerTls;
use crate::config::model::Config;

/// What a configuration says of TLS. A reload replaces it.
pub struct Tls {
    /// Connections to other servers.
    pub client: ClientTls,
    /// Our own sockets.
    pub server: ServerTls,
}

impl Tls {
    /// Reads the files that `config` names, and what other servers are to be trusted by. `before` is what is in force. The
    /// error is nginx's sentence.
    pub fn load(config: &Config, trust: Trust<'_>, before: Option<&Tls>) -> Result<Self, String> {
        let server = ServerTls::load(config, before.map(|before| &before.server))?;
        Ok(Tls { client: ClientTls::load(trust)?, server })
    }
}
