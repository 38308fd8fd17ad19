//! The server that answers a request: by its address, its host, and the name that was negotiated with TLS.

use std::sync::Arc;

use super::exchange::HttpConnection;
use super::request::HeadError;
use crate::config::model::{Config, HttpServer};
use crate::config::names::NameTable;
use crate::directive::{Match, Undecided};
use crate::net::ssl::conf::VerifyClient;
use crate::net::{ssl, tls};

/// nginx's statuses of a request whose client's certificate is not trusted, or missing.
const CERTIFICATE_ERROR: u16 = 495;
const NO_CERTIFICATE: u16 = 496;

/// The server of a request.
pub(super) struct Selected<'c> {
    pub(super) server: &'c Arc<HttpServer>,
    /// The match, if the server's name is a regular expression.
    pub(super) named: Option<Match>,
    /// Whether the request must not reach the server that its host selects, because that one verifies clients and another
    /// one was negotiated.
    pub(super) is_misdirected: bool,
}

impl HttpConnection {
    /// The servers of the connection's address; `None` after a reload that ends them. The connection is closed then: a client that
    /// kept it open sends its request again on another one.
    pub(super) fn servers<'c>(&self, config: &'c Config) -> Option<&'c NameTable<HttpServer>> {
        config.http.as_ref()?.servers_at(&self.listen)
    }

    /// The server whose settings apply before a request has selected one.
    pub(super) fn first_server<'c>(&self, servers: &'c NameTable<HttpServer>) -> &'c Arc<HttpServer> {
        self.select(servers, None).map_or_else(|_| servers.default_server(), |selected| selected.server)
    }

    /// Selects a server by host. Without one, because the head of a request was refused before its host came, it is the server that
    /// was negotiated with TLS, as in nginx.
    pub(super) fn select<'c>(
        &self,
        servers: &'c NameTable<HttpServer>,
        host: Option<&[u8]>,
    ) -> Result<Selected<'c>, Undecided> {
        let plain = |(server, named)| Selected { server, named, is_misdirected: false };
        let name = self.socket.tls_info().and_then(|info| info.server_name());
        let negotiated = match name {
            Some(name) => servers.negotiated(name.as_bytes())?.map(|found| (name, found)),
            None => None,
        };
        let Some((name, (server, named))) = negotiated else {
            return servers.search(host.unwrap_or_default()).map(plain);
        };
        let Some(host) = host else { return Ok(plain((server, None))) };
        if name.strip_suffix('.').unwrap_or(name).as_bytes().eq_ignore_ascii_case(host) {
            return Ok(plain((server, named)));
        }
        let found = servers.search(host)?;
        match found.0.get::<ssl::conf::Conf>().verify_client {
            VerifyClient::Off => Ok(plain(found)),
            _ => Ok(Selected { server, named: None, is_misdirected: true }),
        }
    }

    /// Why a server does not serve a client, by the client's certificate.
    pub(super) fn refusal_of_client(&self, server: &HttpServer) -> Option<HeadError> {
        let refusal = self.socket.tls_info()?.admits(server.get::<ssl::conf::Conf>().verify_client).err()?;
        Some(match refusal {
            tls::Refusal::Untrusted(verdict) => {
                let why = format!("client SSL certificate verify error: ({}:{})", verdict.code, verdict.text);
                HeadError::new(CERTIFICATE_ERROR, why)
            }
            tls::Refusal::Status(status) => {
                let why = format!("client SSL certificate verify error: {}", status.text());
                HeadError::new(CERTIFICATE_ERROR, why)
            }
            tls::Refusal::NoCertificate => {
                HeadError::new(NO_CERTIFICATE, "client sent no required SSL certificate")
            }
        })
    }
}
