//! A connected stream socket, shared by the session that reads it and the delivery loop that writes media.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use nix::sys::socket::SetSockOpt;
use nix::{libc, setsockopt_impl, sockopt_impl};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::tls::TlsStream;
use crate::directive::ListenAddr;

/// TCP or unix, plain or over TLS. All calls are non-blocking and take `&self`.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
    /// Either of them, encrypted.
    Tls(Box<TlsStream>),
}

/// Addresses of a connection as logs and callbacks show them.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Client address; `unix:` for a unix socket.
    pub addr: String,
    /// Client address for access rules.
    pub ip: Option<IpAddr>,
    /// Client port, 0 for a unix socket.
    pub port: u16,
    /// Local address.
    pub local_addr: String,
    /// Local port, 0 for a unix socket.
    pub local_port: u16,
}

impl Socket {
    /// Addresses of both ends.
    pub fn peer(&self) -> io::Result<Peer> {
        match self {
            Socket::Tcp(s) => {
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
            Socket::Unix(_) => Ok(Peer {
                addr: "unix:".into(),
                ip: None,
                port: 0,
                local_addr: "unix:".into(),
                local_port: 0,
            }),
            Socket::Tls(s) => s.socket().peer(),
        }
    }

    /// The address that the peer has connected to, on a socket that listens on `listen`; `listen` itself where that is
    /// no wildcard, or where the connection was led here from another port.
    pub fn local(&self, listen: ListenAddr) -> ListenAddr {
        let ListenAddr::Tcp(wildcard) = listen else { return listen };
        let local = match self {
            Socket::Tcp(s) => s.local_addr().ok(),
            Socket::Unix(_) => None,
            Socket::Tls(s) => return s.socket().local(listen),
        };
        let here = local.filter(|local| {
            let same = local.port() == wildcard.port() && local.is_ipv4() == wildcard.is_ipv4();
            wildcard.ip().is_unspecified() && same
        });
        here.map_or(listen, |local| ListenAddr::Tcp(SocketAddr::new(local.ip(), local.port())))
    }

    /// Whether its bytes are encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self, Socket::Tls(_))
    }

    /// The descriptor, if what is written to it goes out as it is.
    pub fn plain(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Socket::Tcp(s) => Some(s.as_fd()),
            Socket::Unix(s) => Some(s.as_fd()),
            Socket::Tls(_) => None,
        }
    }

    /// The descriptor, for those who only want to know when something comes.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(s) => s.as_fd(),
            Socket::Unix(s) => s.as_fd(),
            Socket::Tls(s) => s.socket().descriptor(),
        }
    }

    /// Sets `TCP_NODELAY`; nothing to do on a unix socket.
    pub fn set_nodelay(&self, on: bool) {
        match self {
            // A peer that is gone already makes this fail; reading will tell.
            Socket::Tcp(s) => drop(s.set_nodelay(on)),
            Socket::Unix(_) => {}
            Socket::Tls(s) => s.socket().set_nodelay(on),
        }
    }

    /// Makes the close that follows a reset, so that nothing lingers for a peer that no longer reads.
    pub fn abort_on_close(&self) {
        match self {
            Socket::Tcp(s) => {
                drop(socket2::SockRef::from(s).set_linger(Some(std::time::Duration::ZERO)));
            }
            Socket::Unix(_) => {}
            Socket::Tls(s) => s.socket().abort_on_close(),
        }
    }

    /// Waits until there is something to read (or the peer closed).
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => s.readable().await,
            Socket::Unix(s) => s.readable().await,
            Socket::Tls(s) => s.readable().await,
        }
    }

    /// Waits until the socket takes bytes.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => s.writable().await,
            Socket::Unix(s) => s.writable().await,
            Socket::Tls(s) => s.writable().await,
        }
    }

    /// Reads what is there; 0 means that the peer closed.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => {
                let mut got = 0;
                or_got(s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)), got)
            }
            Socket::Unix(s) => {
                let mut got = 0;
                or_got(s.try_io(Interest::READABLE, || read_dry(s, buf, &mut got)), got)
            }
            Socket::Tls(s) => s.try_read(buf),
        }
    }

    /// As [`Socket::try_read`], and asks the system though it has not said that there is anything.
    pub fn read_unasked(&self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(socket) = self.plain() else { return self.try_read(buf) };
        Ok(nix::unistd::read(socket, buf)?)
    }

    /// From how many bytes on the system says that there is something to read. Fails with TLS, which has bytes of its own.
    pub fn set_low_water(&self, bytes: usize) -> io::Result<()> {
        let socket = self.plain().ok_or(io::ErrorKind::Unsupported)?;
        Ok(LowWater.set(&socket, &bytes)?)
    }

    /// Writes what the socket takes.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => s.try_write(buf),
            Socket::Unix(s) => s.try_write(buf),
            Socket::Tls(s) => s.try_write_vectored(&[IoSlice::new(buf)]),
        }
    }

    /// Writes what the socket takes.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(s) => s.try_write_vectored(bufs),
            Socket::Unix(s) => s.try_write_vectored(bufs),
            Socket::Tls(s) => s.try_write_vectored(bufs),
        }
    }

    /// Poll form of [`Socket::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(s) => s.poll_read_ready(cx),
            Socket::Unix(s) => s.poll_read_ready(cx),
            Socket::Tls(s) => s.poll_read_ready(cx),
        }
    }

    /// Poll form of [`Socket::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(s) => s.poll_write_ready(cx),
            Socket::Unix(s) => s.poll_write_ready(cx),
            Socket::Tls(s) => s.poll_write_ready(cx),
        }
    }

    /// Writes all of it, waiting as long as it takes: bound it with a timeout.
    pub async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.try_write(buf) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => buf = &buf[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        match self {
            Socket::Tls(s) => s.flush().await,
            Socket::Tcp(_) | Socket::Unix(_) => Ok(()),
        }
    }

    /// Resolves when the system has taken all that was written.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tls(s) => s.poll_flush(cx),
            Socket::Tcp(_) | Socket::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    /// Tells the peer that no more will be sent.
    pub fn shutdown_write(&self) {
        let how = std::net::Shutdown::Write;
        match self {
            Socket::Tcp(s) => drop(socket2::SockRef::from(s).shutdown(how)),
            Socket::Unix(s) => drop(socket2::SockRef::from(s).shutdown(how)),
            Socket::Tls(s) => s.shutdown_write(),
        }
    }
}

sockopt_impl!(
    /// Bytes from which on a socket is readable.
    LowWater,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    usize
);

/// Reads once. A buffer that is not filled means that there is no more, so the socket counts as no longer readable: the
/// system is not asked in vain after each message. The end of the stream stays readable.
fn read_dry(socket: &impl AsFd, buf: &mut [u8], got: &mut usize) -> io::Result<usize> {
    let n = nix::unistd::read(socket, buf)?;
    if n == 0 || n == buf.len() {
        return Ok(n);
    }
    *got = n;
    Err(io::ErrorKind::WouldBlock.into())
}

/// What was read before the socket ran dry.
fn or_got(outcome: io::Result<usize>, got: usize) -> io::Result<usize> {
    if got > 0 { Ok(got) } else { outcome }
}
