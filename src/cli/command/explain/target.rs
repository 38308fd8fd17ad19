//! Selection of the server for a client's address.

use std::sync::Arc;

use bstr::{BStr, ByteSlice};

use crate::config::model::SharedAddress;
use crate::config::names::NameTable;
use crate::directive::ListenAddr;

/// A client's address, split into parts.
pub(super) struct ClientAddress<'t> {
    pub(super) http: bool,
    pub(super) host: &'t [u8],
    pub(super) port: Option<u16>,
    /// The part after the host, including its slash.
    pub(super) path: &'t [u8],
}

impl<'t> ClientAddress<'t> {
    pub(super) fn parse(text: &'t [u8]) -> Option<ClientAddress<'t>> {
        let (http, rest) = match text.split_once_str("://") {
            Some((b"rtmp", rest)) => (false, rest),
            Some((b"http" | b"https", rest)) => (true, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let slash = rest.find_byte(b'/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let colon = authority.rfind_byte(b':').filter(|at| !authority[*at..].contains(&b']'));
        let (host, port) = match colon {
            Some(at) => (&authority[..at], Some(authority[at + 1..].to_str().ok()?.parse().ok()?)),
            None => (authority, None),
        };
        (!path.is_empty()).then_some(ClientAddress { http, host, port, path })
    }
}

/// A socket with the data for selecting a server.
pub(super) struct ExplainedSocket<'c, S> {
    pub(super) addr: &'c ListenAddr,
    pub(super) names: &'c NameTable<S>,
    pub(super) specific: &'c [SharedAddress<S>],
}

/// The server that a client reaches, and the reason.
pub(super) fn meet<'c, S>(
    sockets: &[ExplainedSocket<'c, S>],
    target: &ClientAddress<'_>,
    usual: u16,
) -> Option<(&'c Arc<S>, String)> {
    let port = |addr: &ListenAddr| matches!(addr, ListenAddr::Tcp(addr) if target.port.is_none_or(|p| p == addr.port()));
    let is_usual = |addr: &ListenAddr| matches!(addr, ListenAddr::Tcp(addr) if addr.port() == usual);
    let tables = sockets.iter().flat_map(|socket| {
        let specific = socket.specific.iter().map(|shared| (&shared.addr, &shared.servers));
        specific.chain([(socket.addr, socket.names)])
    });
    let ip = target.host.to_str().ok().and_then(|h| h.parse::<std::net::IpAddr>().ok());
    // Order: a socket for the exact address, then one with a server of that name, then the default port.
    let rank = |(addr, names): &(&ListenAddr, &NameTable<S>)| {
        let exact = matches!(addr, ListenAddr::Tcp(addr) if Some(addr.ip()) == ip);
        let other = ip.is_some() && !exact && !addr.is_wildcard();
        let named = names.find(target.host).is_ok_and(|found| !Arc::ptr_eq(found, names.default_server()));
        (other, !exact, !named, !is_usual(addr))
    };
    let (addr, names) = tables.filter(|(addr, _)| port(addr)).min_by_key(rank)?;
    let server = names.find(target.host).ok()?;
    let host = BStr::new(target.host);
    let how = if Arc::ptr_eq(server, names.default_server()) {
        format!("on {addr}; the default there for hosts that no other server names, such as \"{host}\"")
    } else {
        format!("on {addr}; named \"{host}\"")
    };
    Some((server, how))
}
