//! Connecting to another server: all of its addresses are tried in order.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::RelayAddress;
use super::error::{ConnectError, RelayError};
use crate::limits;
use crate::module::relay::relays::Relays;
use crate::net::client;
use crate::net::dns::Dns;
use crate::net::socket::Socket;
use crate::net::tls::TlsStream;

/// Connects within `limit`, which covers resolution, all addresses and TLS.
pub(super) async fn connect(
    relays: &Relays,
    address: &RelayAddress,
    limit: Duration,
) -> Result<Socket, RelayError> {
    let connecting = async {
        let tcp = try_all(&relays.dns, address, limit).await?;
        configure(&tcp, relays.store.load().get::<client::conf::Current>().tcp_nodelay);
        if address.is_tls { encrypt(relays, address, tcp).await } else { Ok(Socket::from(tcp)) }
    };
    match timeout(limit, connecting).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(RelayError::ConnectTimeout(limit)),
    }
}

/// The certificate must match the host of the address: a separate domain only selects a virtual server, like a `Host`
/// header with `proxy_pass`.
async fn encrypt(relays: &Relays, address: &RelayAddress, tcp: TcpStream) -> Result<Socket, ConnectError> {
    let config = relays.tls.load().client.config()?;
    let host = address.lookup_host().to_string();
    let name = ServerName::try_from(host)?;
    let stream = TlsStream::connect(tcp, config, name).await.map_err(ConnectError::Handshake)?;
    Ok(Socket::Tls(Box::new(stream)))
}

async fn try_all(dns: &Dns, address: &RelayAddress, limit: Duration) -> Result<TcpStream, ConnectError> {
    let begun = Instant::now();
    let host = std::str::from_utf8(address.lookup_host())?;
    let found = dns.lookup(host).await?;
    let count = found.len().min(limits::DNS_ADDRESSES);
    let mut failures = Vec::new();
    for (tried, ip) in found.iter().take(count).enumerate() {
        let addr = SocketAddr::new(*ip, address.port);
        // An unresponsive address leaves time for the others.
        let share = limit.saturating_sub(begun.elapsed()) / u32::try_from(count - tried).unwrap_or(1);
        match timeout(share, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failures.push((addr, error)),
            Err(_) => failures.push((addr, io::ErrorKind::TimedOut.into())),
        }
    }
    Err(ConnectError::Addresses(failures))
}

/// Enables TCP keep-alive: a relay may be silent as long as its stream is, and probes distinguish a silent server from
/// a dead one. Applies `tcp_nodelay`.
fn configure(stream: &TcpStream, nodelay: bool) {
    let probes = TcpKeepalive::new()
        .with_time(limits::RELAY_KEEPALIVE)
        .with_interval(limits::RELAY_KEEPALIVE)
        .with_retries(3);
    // These fail if the server is already gone, which reading will show.
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
    let _ = stream.set_nodelay(nodelay);
}
