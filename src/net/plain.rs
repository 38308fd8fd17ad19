//! A connected stream socket without TLS.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::SendFlags;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// TCP or Unix socket. All calls are non-blocking and take `&self`. Those that [`Socket`](super::socket::Socket) has too
/// are described there.
#[derive(Debug)]
pub enum PlainSocket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
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
    /// Local address.
    pub local_addr: String,
    /// Local port; 0 for a Unix socket.
    pub local_port: u16,
}

impl PlainSocket {
    pub(super) fn peer(&self) -> io::Result<Peer> {
        match self {
            PlainSocket::Tcp(s) => {
                let (peer, local) = (s.peer_addr()?, s.local_addr()?);
                let ip = peer.ip().to_canonical();
                Ok(Peer {
                    addr: ip.to_string(),
                    ip: Some(ip),
                    port: peer.port(),
                    local_addr: local.ip().to_canonical().to_string(),
                    local_port: local.port(),
                })
            }
            PlainSocket::Unix(_) => Ok(Peer {
                addr: "unix:".into(),
                ip: None,
                port: 0,
                local_addr: "unix:".into(),
                local_port: 0,
            }),
        }
    }

    /// The local address of a TCP socket.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            PlainSocket::Tcp(s) => s.local_addr().ok(),
            PlainSocket::Unix(_) => None,
        }
    }

    pub(super) fn set_nodelay(&self, on: bool) {
        match self {
            // This fails if the peer is already gone, which reading will show.
            PlainSocket::Tcp(s) => drop(s.set_nodelay(on)),
            PlainSocket::Unix(_) => {}
        }
    }

    pub(super) fn abort_on_close(&self) {
        match self {
            PlainSocket::Tcp(s) => drop(SockRef::from(s).set_linger(Some(Duration::ZERO))),
            PlainSocket::Unix(_) => {}
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            PlainSocket::Tcp(s) => s.readable().await,
            PlainSocket::Unix(s) => s.readable().await,
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            PlainSocket::Tcp(s) => s.writable().await,
            PlainSocket::Unix(s) => s.writable().await,
        }
    }

    pub(super) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        let outcome = match self {
            PlainSocket::Tcp(s) => s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)),
            PlainSocket::Unix(s) => s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)),
        };
        // The result includes the bytes that were read before the socket ran dry.
        if got > 0 { Ok(got) } else { outcome }
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            PlainSocket::Tcp(s) => s.try_write(buf),
            PlainSocket::Unix(s) => s.try_write(buf),
        }
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            PlainSocket::Tcp(s) => s.try_write_vectored(bufs),
            PlainSocket::Unix(s) => s.try_write_vectored(bufs),
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
        match self {
            PlainSocket::Tcp(s) => s.try_io(Interest::WRITABLE, write),
            PlainSocket::Unix(s) => s.try_io(Interest::WRITABLE, write),
        }
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            PlainSocket::Tcp(s) => s.poll_read_ready(cx),
            PlainSocket::Unix(s) => s.poll_read_ready(cx),
        }
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            PlainSocket::Tcp(s) => s.poll_write_ready(cx),
            PlainSocket::Unix(s) => s.poll_write_ready(cx),
        }
    }

    pub(super) fn shutdown_write(&self) {
        // This fails if the connection is closed already.
        let _ = SockRef::from(self).shutdown(Shutdown::Write);
    }
}

impl AsFd for PlainSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            PlainSocket::Tcp(s) => s.as_fd(),
            PlainSocket::Unix(s) => s.as_fd(),
        }
    }
}

/// Reads once. A buffer that is not filled means that no data is left, so the socket is marked as not readable, which
/// saves a futile read after each message. At the end of the stream it stays readable.
fn read_dry(socket: &impl AsFd, buf: &mut [u8], got: &mut usize) -> io::Result<usize> {
    let n = nix::unistd::read(socket, buf)?;
    if n == 0 || n == buf.len() {
        return Ok(n);
    }
    *got = n;
    Err(io::ErrorKind::WouldBlock.into())
}
