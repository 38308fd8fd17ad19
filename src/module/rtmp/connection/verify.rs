//! Certificates of clients: those of the server negotiated with TLS decide, and others that verify clients are not reached.

use std::sync::Arc;

use crate::config::model::RtmpServer;
use crate::config::names::NameTable;
use crate::net::ssl::conf::{Conf, VerifyClient};
use crate::net::tls::{Refusal, TlsInfo};

/// The server that was negotiated.
fn negotiated<'s>(servers: &'s NameTable<RtmpServer>, info: &TlsInfo) -> &'s Arc<RtmpServer> {
    let found = info.server_name().and_then(|name| servers.negotiated(name.as_bytes()).ok().flatten());
    found.map_or(servers.default_server(), |(server, _)| server)
}

/// Whether the negotiated server serves a client.
pub(super) fn client(servers: &NameTable<RtmpServer>, info: &TlsInfo) -> Result<(), Refusal> {
    info.admits(negotiated(servers, info).get::<Conf>().verify_client)
}

/// Whether a client may reach the server that its host selects.
pub(super) fn reaches(servers: &NameTable<RtmpServer>, info: &TlsInfo, host: &[u8]) -> bool {
    let Ok(chosen) = servers.find(host) else { return false };
    chosen.get::<Conf>().verify_client == VerifyClient::Off || Arc::ptr_eq(chosen, negotiated(servers, info))
}
