//! Connections to backends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::timeout;

use crate::http::upstream::idle::PeerConnection;
use crate::http::upstream::peers::PeerAddr;
use crate::net::http2::{ALPN_HTTP2, Http2Backend};
use crate::net::socket::Socket;
use crate::net::tls::TlsStream;

/// How connections are made.
#[derive(Clone, Debug)]
pub(super) struct ConnectSettings {
    pub(super) timeout: Duration,
    pub(super) bind: Option<LocalAddress>,
    pub(super) has_keepalive: bool,
    /// Whether HTTP/2 is spoken: as TLS has agreed, or without being asked.
    pub(super) is_http2: bool,
    pub(super) tls: Option<TlsUse>,
}

/// The local address.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalAddress {
    pub(super) addr: SocketAddr,
    /// Whether it need not be one of this machine.
    pub(super) is_transparent: bool,
}

/// TLS of a connection.
#[derive(Clone, Debug)]
pub(super) struct TlsUse {
    pub(super) config: Arc<ClientConfig>,
    /// Name of the server.
    pub(super) name: ServerName<'static>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    Failed(io::Error),
    /// The local address cannot be had.
    Unbound(SocketAddr, io::Error),
    TimedOut,
    Handshake(io::Error),
    HandshakeTimedOut,
    /// TLS has not agreed on HTTP/2.
    NotHttp2,
    /// HTTP/2 cannot be begun.
    Preface(io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> ConnectError {
        ConnectError::Failed(error)
    }
}

/// Connects to a peer.
pub(super) async fn connect(
    addr: &PeerAddr,
    settings: &ConnectSettings,
) -> Result<PeerConnection, ConnectError> {
    let socket = encrypted(addr, settings).await?;
    if !settings.is_http2 {
        return Ok(PeerConnection::new(socket));
    }
    if settings.tls.is_some() && socket.alpn().as_deref() != Some(ALPN_HTTP2) {
        return Err(ConnectError::NotHttp2);
    }
    let mut connection = PeerConnection::new(socket);
    match timeout(settings.timeout, Http2Backend::begin(connection.socket.clone())).await {
        Ok(http2) => connection.http2 = Some(http2.map_err(ConnectError::Preface)?),
        Err(_) => return Err(ConnectError::TimedOut),
    }
    Ok(connection)
}

/// Connects to a peer, with TLS if it is wanted.
async fn encrypted(addr: &PeerAddr, settings: &ConnectSettings) -> Result<Socket, ConnectError> {
    let socket = match timeout(settings.timeout, open(addr, settings)).await {
        Ok(opened) => opened?,
        Err(_) => return Err(ConnectError::TimedOut),
    };
    let (tls, plain) = match (&settings.tls, socket) {
        (Some(tls), Socket::Plain(plain)) => (tls, plain),
        (_, socket) => return Ok(socket),
    };
    match timeout(settings.timeout, TlsStream::connect_over(plain, tls.config.clone(), tls.name.clone()))
        .await
    {
        Ok(Ok(stream)) => Ok(Socket::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(ConnectError::Handshake(error)),
        Err(_) => Err(ConnectError::HandshakeTimedOut),
    }
}

async fn open(addr: &PeerAddr, settings: &ConnectSettings) -> Result<Socket, ConnectError> {
    let addr = match addr {
        PeerAddr::Unix(path) => return Ok(UnixStream::connect(path).await?.into()),
        PeerAddr::Tcp(addr) => addr,
    };
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bind) = settings.bind {
        if bind.is_transparent {
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpTransparent, &true)
                .map_err(io::Error::from)?;
        }
        socket.bind(bind.addr).map_err(|error| ConnectError::Unbound(bind.addr, error))?;
    }
    let stream = socket.connect(*addr).await?;
    if settings.has_keepalive {
        SockRef::from(&stream).set_keepalive(true)?;
    }
    // This fails if the peer is gone already, which reading will show.
    let _ = stream.set_nodelay(true);
    Ok(stream.into())
}
