//! Reaching another server: all its addresses, one after the other.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::End;
use crate::limits;
use crate::module::relay::address::Address;
use crate::server::socket::Socket;

/// Connects within `limit`, which counts for all addresses together.
pub(super) async fn connect(address: &Address, limit: Duration) -> Result<Socket, End> {
    match timeout(limit, try_all(address)).await {
        Ok(Ok(stream)) => {
            keep_alive(&stream);
            Ok(Socket::Tcp(stream))
        }
        Ok(Err(error)) => Err(End::Error(format!("connect failed: {error}"))),
        Err(_) => Err(End::Error(format!("no connection within {} ms", limit.as_millis()))),
    }
}

async fn try_all(address: &Address) -> io::Result<TcpStream> {
    let host = std::str::from_utf8(address.lookup_host())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host is no name"))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for addr in lookup_host((host, address.port)).await?.take(limits::RELAY_ADDRESSES) {
        match TcpStream::connect(addr).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A relay may be silent for as long as its stream is; this tells a silent server from one that is gone.
fn keep_alive(stream: &TcpStream) {
    let probes = TcpKeepalive::new()
        .with_time(limits::RELAY_KEEPALIVE)
        .with_interval(limits::RELAY_KEEPALIVE)
        .with_retries(3);
    // A server that is gone already makes these fail; reading will tell.
    let _ = SockRef::from(stream).set_tcp_keepalive(&probes);
    let _ = stream.set_nodelay(true);
}
