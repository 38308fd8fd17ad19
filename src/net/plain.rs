//! A connected stream socket without TLS.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::address_text::address_text;
use crate::wire::proxy_protocol::ProxyHeader;

/// TCP or Unix socket. All calls are non-blocking and take `&self`. Those that [`Socket`](super::socket::Socket) has too
/// are described there.
#[derive(Debug)]
pub struct PlainSocket {
    pub(super) stream: PlainStream,
    /// Addresses that the PROXY header declared.
    pub(super) declared: Option<Arc<ProxyHeader>>,
    /// Address of the other end of a TCP connection, once the system was asked for it.
    remote: OnceLock<SocketAddr>,
    /// Address of this end of a TCP connection, once the system was asked for it.
    local: OnceLock<SocketAddr>,
}

/// The connection of a socket.
#[derive(Debug)]
pub(super) enum PlainStream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl From<PlainStream> for PlainSocket {
    fn from(stream: PlainStream) -> PlainSocket {
        PlainSocket { stream, declared: None, remote: OnceLock::new(), local: OnceLock::new() }
    }
}

/// Addresses of a connection, as in logs and callbacks.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Client address; `unix:` for a Unix socket.
    pub addr: String,
    /// Client address for access rules.
    pub ip: Option<IpAddr>,
    /// Client port; 0 for a Unix socket.
    pub port: u16,
    /// Local address; of a Unix socket `unix:` with its path.
    pub local_addr: String,
    /// Local port; 0 for a Unix socket.
    pub local_port: u16,
    /// Addresses that a load balancer declared in a PROXY header; the other fields are those of the socket.
    pub declared: Option<Arc<ProxyHeader>>,
}

impl Peer {
    /// The peer with the declared client address in place of the load balancer's, for protocols in which the session's
    /// address is the declared one. Without a declared address the peer is unchanged.
    #[must_use]
    pub fn as_declared(mut self) -> Peer {
        let source =
            self.declared.as_ref().and_then(|declared| Some((declared.source_ip()?, declared.source_port)));
        if let Some((ip, port)) = source {
            self.addr = address_text(ip);
            self.ip = Some(ip);
            self.port = port;
        }
        self
    }
}

/// `unix:` with the path of the socket that was connected to.
fn unix_text(socket: &UnixStream) -> String {
    let local = socket.local_addr().ok();
    let path = local.as_ref().and_then(|local| local.as_pathname());
    format!("unix:{}", path.unwrap_or(Path::new("")).display())
}

impl PlainSocket {
    /// See [`Socket::accepted`](super::socket::Socket::accepted).
    pub(super) fn accepted(connection: OwnedFd, remote: Option<SocketAddr>) -> io::Result<PlainSocket> {
        let Some(remote) = remote else {
            return Ok(PlainStream::Unix(UnixStream::from_std(connection.into())?).into());
        };
        let mut socket = PlainSocket::from(PlainStream::Tcp(TcpStream::from_std(connection.into())?));
        socket.remote = remote.into();
        Ok(socket)
    }

    pub(super) fn peer(&self) -> io::Result<Peer> {
        let declared = self.declared.clone();
        match &self.stream {
            PlainStream::Tcp(s) => {
                let peer = known(&self.remote, || s.peer_addr())?;
                let local = known(&self.local, || s.local_addr())?;
                let ip = peer.ip().to_canonical();
                Ok(Peer {
                    addr: address_text(ip),
                    ip: Some(ip),
                    port: peer.port(),
                    local_addr: address_text(local.ip().to_canonical()),
                    local_port: local.port(),
                    declared,
                })
            }
            PlainStream::Unix(s) => Ok(Peer {
                addr: "unix:".into(),
                ip: None,
                port: 0,
                local_addr: unix_text(s),
                local_port: 0,
                declared,
            }),
        }
    }

    /// The address of the other end, whatever a PROXY header has declared; `None` over a Unix socket.
    pub(super) fn remote_addr(&self) -> Option<SocketAddr> {
        match &self.stream {
            PlainStream::Tcp(s) => known(&self.remote, || s.peer_addr()).ok(),
            PlainStream::Unix(_) => None,
        }
    }

    /// The local address of a TCP socket.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.stream {
            PlainStream::Tcp(s) => known(&self.local, || s.local_addr()).ok(),
            PlainStream::Unix(_) => None,
        }
    }

    pub(super) fn set_nodelay(&self, on: bool) {
        match &self.stream {
            // This fails if the peer is already gone, which reading will show.
            PlainStream::Tcp(s) => drop(s.set_nodelay(on)),
            PlainStream::Unix(_) => {}
        }
    }

    pub(super) fn abort_on_close(&self) {
        match &self.stream {
            PlainStream::Tcp(s) => drop(SockRef::from(s).set_linger(Some(Duration::ZERO))),
            PlainStream::Unix(_) => {}
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        match &self.stream {
            PlainStream::Tcp(s) => s.readable().await,
            PlainStream::Unix(s) => s.readable().await,
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.stream {
            PlainStream::Tcp(s) => s.writable().await,
            PlainStream::Unix(s) => s.writable().await,
        }
    }

    pub(super) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        let outcome = match &self.stream {
            PlainStream::Tcp(s) => s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)),
            PlainStream::Unix(s) => s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)),
        };
        // The result includes the bytes that were read before the socket ran dry.
        if got > 0 { Ok(got) } else { outcome }
    }

    /// Reads without consuming.
    pub(super) fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        let peek = |fd: BorrowedFd<'_>, buf: &mut [u8]| Ok(recv(fd.as_raw_fd(), buf, flags)?);
        match &self.stream {
            PlainStream::Tcp(s) => s.try_io(Interest::READABLE, || peek(s.as_fd(), buf)),
            PlainStream::Unix(s) => s.try_io(Interest::READABLE, || peek(s.as_fd(), buf)),
        }
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.when_writable(|| Ok(rustix::net::send(self, buf, SendFlags::NOSIGNAL)?))
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.stream {
            PlainStream::Tcp(s) => s.try_write_vectored(bufs),
            PlainStream::Unix(s) => s.try_write_vectored(bufs),
        }
    }

    pub(super) fn try_write_more(&self, buf: &[u8]) -> io::Result<usize> {
        self.when_writable(|| Ok(rustix::net::send(self, buf, SendFlags::MORE | SendFlags::NOSIGNAL)?))
    }

    pub(super) fn try_send_file(&self, file: &File, start: u64, length: usize) -> io::Result<usize> {
        let mut at = start;
        self.when_writable(|| Ok(rustix::fs::sendfile(self, file, Some(&mut at), length)?))
    }

    fn when_writable(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        match &self.stream {
            PlainStream::Tcp(s) => s.try_io(Interest::WRITABLE, write),
            PlainStream::Unix(s) => s.try_io(Interest::WRITABLE, write),
        }
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stream {
            PlainStream::Tcp(s) => s.poll_read_ready(cx),
            PlainStream::Unix(s) => s.poll_read_ready(cx),
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stream {
            PlainStream::Tcp(s) => s.poll_write_ready(cx),
            PlainStream::Unix(s) => s.poll_write_ready(cx),
        }
    }

    pub(super) fn shutdown_write(&self) {
        // This fails if the connection is closed already.
        let _ = SockRef::from(self).shutdown(Shutdown::Write);
    }
}

impl AsFd for PlainSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            PlainStream::Tcp(s) => s.as_fd(),
            PlainStream::Unix(s) => s.as_fd(),
        }
    }
}

/// An address that the system is asked for once.
fn known(
    address: &OnceLock<SocketAddr>,
    ask: impl FnOnce() -> io::Result<SocketAddr>,
) -> io::Result<SocketAddr> {
    match address.get() {
        Some(address) => Ok(*address),
        None => ask().map(|asked| *address.get_or_init(|| asked)),
    }
}

/// Reads once. A buffer that is not filled means that no data is left, so the socket is marked as not readable, which
/// saves a futile read after each message. At the end of the stream it stays readable.
fn read_dry(socket: &impl AsFd, buf: &mut [u8], got: &mut usize) -> io::Result<usize> {
    let n = rustix::net::recv(socket, &mut *buf, RecvFlags::empty())?.1;
    if n == 0 || n == buf.len() {
        return Ok(n);
    }
    *got = n;
    Err(io::ErrorKind::WouldBlock.into())
}
