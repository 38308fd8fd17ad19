//! A connected stream socket, shared by the session that reads it and the delivery loop that writes media.

use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use nix::sys::socket::{GetSockOpt, SetSockOpt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};
use tokio::net::{TcpStream, UnixStream};

use super::http2::{Carrier, Http2Stream};
use super::plain::PlainStream;
pub use super::plain::{Peer, PlainSocket};
use super::tls::{TlsInfo, TlsStream};
use crate::directive::ListenAddr;
use crate::limits;
use crate::wire::proxy_protocol::ProxyHeader;

/// TCP or Unix socket, plain or with TLS. All calls are non-blocking and take `&self`.
#[derive(Debug)]
pub enum Socket {
    /// Without TLS.
    Plain(PlainSocket),
    /// With TLS.
    Tls(Box<TlsStream>),
    /// A stream of an HTTP/2 connection.
    Http2(Box<Http2Stream>),
}

thread_local! {
    /// Bytes that were read last, before they are appended to a buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; limits::READ_BYTES].into());
}

/// State of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct TcpInfo {
    /// Bytes that the peer may still send.
    pub receive_space: u32,
    /// Round trip time in microseconds.
    pub round_trip: u32,
    /// Variance of the round trip time in microseconds.
    pub round_trip_variance: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Socket {
        Socket::Plain(PlainStream::Tcp(tcp).into())
    }
}

impl From<UnixStream> for Socket {
    fn from(unix: UnixStream) -> Socket {
        Socket::Plain(PlainStream::Unix(unix).into())
    }
}

impl Socket {
    /// Registers an accepted connection with the reactor of the calling thread: of TCP if the address of its other end is given,
    /// otherwise of a Unix socket.
    ///
    /// # Errors
    ///
    /// The system has no memory left.
    pub fn accepted(connection: OwnedFd, remote: Option<SocketAddr>) -> io::Result<Socket> {
        PlainSocket::accepted(connection, remote).map(Socket::Plain)
    }

    /// Addresses of both ends.
    ///
    /// # Errors
    ///
    /// The connection is closed already.
    pub fn peer(&self) -> io::Result<Peer> {
        self.without_tls().peer()
    }

    /// Address to which the peer connected, on a socket that listens on `listen`. This is `listen` itself if it is not
    /// a wildcard, or if the connection was redirected from another port.
    pub fn local(&self, listen: ListenAddr) -> ListenAddr {
        let ListenAddr::Tcp(wildcard) = listen else { return listen };
        let here = self.without_tls().local_addr().filter(|local| {
            let same = local.port() == wildcard.port() && local.is_ipv4() == wildcard.is_ipv4();
            wildcard.ip().is_unspecified() && same
        });
        here.map_or(listen, |local| ListenAddr::Tcp(SocketAddr::new(local.ip(), local.port())))
    }

    fn without_tls(&self) -> &PlainSocket {
        match self {
            Socket::Plain(s) => s,
            Socket::Tls(s) => s.socket(),
            Socket::Http2(s) => s.connection().without_tls(),
        }
    }

    /// The stream, of a socket that is one of HTTP/2.
    pub fn http2(&self) -> Option<&Http2Stream> {
        match self {
            Socket::Http2(stream) => Some(stream),
            Socket::Plain(_) | Socket::Tls(_) => None,
        }
    }

    /// Protocol that was chosen in the TLS handshake, if any.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        match self {
            Socket::Tls(s) => s.alpn(),
            Socket::Plain(_) | Socket::Http2(_) => None,
        }
    }

    /// Addresses that the PROXY header declared; `None` without such a header, and if it declared none.
    pub fn declared(&self) -> Option<&ProxyHeader> {
        self.without_tls().declared.as_deref()
    }

    /// Whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        match self {
            Socket::Plain(_) => false,
            Socket::Tls(_) => true,
            Socket::Http2(s) => s.connection().is_tls(),
        }
    }

    /// Result of a client's TLS handshake; `None` without TLS.
    pub fn tls_info(&self) -> Option<&Arc<TlsInfo>> {
        match self {
            Socket::Plain(_) => None,
            Socket::Tls(s) => s.info(),
            Socket::Http2(s) => s.connection().tls_info(),
        }
    }

    /// The descriptor, if bytes written to it are sent unchanged.
    pub fn plain(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Socket::Plain(s) => Some(s.as_fd()),
            Socket::Tls(_) | Socket::Http2(_) => None,
        }
    }

    /// The descriptor, for polling only.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.without_tls().as_fd()
    }

    /// Sets `TCP_NODELAY`; no effect on a Unix socket.
    pub fn set_nodelay(&self, on: bool) {
        // Of an HTTP/2 connection, its owner decides.
        if self.http2().is_some() {
            return;
        }
        self.without_tls().set_nodelay(on);
    }

    /// Makes the following close send a reset, so that no data lingers for a peer that does not read.
    pub fn abort_on_close(&self) {
        if let Socket::Http2(s) = self {
            return s.abort();
        }
        self.without_tls().abort_on_close();
    }

    /// Reads at most `room` bytes of what the peer has sent into `buffer`, which holds no more memory than they need; 0 at the end.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn read_some(&self, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = room.min(scratch.len());
            let length = self.try_read(&mut scratch[..room])?;
            buffer.extend_from_slice(&scratch[..length]);
            Ok(length)
        })
    }

    /// Waits until there is data to read or the peer has closed.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Socket::Plain(s) => s.readable().await,
            Socket::Tls(s) => s.readable().await,
            Socket::Http2(s) => poll_fn(|cx| s.poll_read_ready(cx)).await,
        }
    }

    /// Waits for the first byte that the peer sends, without taking it from the socket.
    ///
    /// # Errors
    ///
    /// The peer has closed, or errors of the system.
    pub async fn first_byte(&self) -> io::Result<u8> {
        let socket = self.without_tls();
        let mut byte = [0];
        loop {
            socket.readable().await?;
            match socket.try_peek(&mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(byte[0]),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the socket accepts data.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Socket::Plain(s) => s.writable().await,
            Socket::Tls(s) => s.writable().await,
            Socket::Http2(s) => poll_fn(|cx| s.poll_write_ready(cx)).await,
        }
    }

    /// Reads available data; 0 means that the peer has closed.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where there is nothing to read, and errors of the system.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(s) => s.try_read(buf),
            Socket::Tls(s) => s.try_read(buf),
            Socket::Http2(s) => s.try_read(buf),
        }
    }

    /// Like [`Socket::try_read`], but reads even if the reactor has not reported the socket as readable.
    ///
    /// # Errors
    ///
    /// As for [`Socket::try_read`].
    pub fn read_unasked(&self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(socket) = self.plain() else { return self.try_read(buf) };
        Ok(nix::unistd::read(socket, buf)?)
    }

    /// Sets the number of bytes from which on the socket counts as readable (SO_RCVLOWAT). Fails with TLS, which adds
    /// bytes of its own.
    ///
    /// # Errors
    ///
    /// The socket uses TLS, or a system call failed.
    pub fn set_low_water(&self, bytes: usize) -> io::Result<()> {
        let socket = self.plain().ok_or(io::ErrorKind::Unsupported)?;
        Ok(LowWater.set(&socket, &bytes)?)
    }

    /// Writes as much as the socket accepts.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where the socket is full, and errors of the system.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(s) => s.try_write(buf),
            Socket::Tls(s) => s.try_write_vectored(&[IoSlice::new(buf)]),
            Socket::Http2(s) => s.try_write_vectored(&[IoSlice::new(buf)]),
        }
    }

    /// Writes as much as the socket accepts.
    ///
    /// # Errors
    ///
    /// As for [`Socket::try_write`].
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Plain(s) => s.try_write_vectored(bufs),
            Socket::Tls(s) => s.try_write_vectored(bufs),
            Socket::Http2(s) => s.try_write_vectored(bufs),
        }
    }

    /// Writes as much as the socket accepts of the last bytes before the connection is closed. Over TLS, close_notify is sent with
    /// them.
    ///
    /// # Errors
    ///
    /// As for [`Socket::try_write`].
    pub fn try_write_last(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tls(s) => s.try_write_last(buf),
            Socket::Plain(_) | Socket::Http2(_) => self.try_write(buf),
        }
    }

    /// Writes as much as the socket accepts, and announces that more follows at once.
    ///
    /// # Errors
    ///
    /// As for [`Socket::try_write`].
    pub fn try_write_more(&self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(s) => s.try_write_more(buf),
            Socket::Tls(_) | Socket::Http2(_) => self.try_write(buf),
        }
    }

    /// Sends a part of a file as far as the socket accepts it; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where the socket is full, [`io::ErrorKind::Unsupported`] with TLS, and errors of
    /// the system.
    pub fn try_send_file(&self, file: &File, start: u64, length: usize) -> io::Result<usize> {
        match self {
            Socket::Plain(s) => s.try_send_file(file, start, length),
            Socket::Tls(_) | Socket::Http2(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Poll form of [`Socket::readable`].
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(s) => s.poll_read_ready(cx),
            Socket::Tls(s) => s.poll_read_ready(cx),
            Socket::Http2(s) => s.poll_read_ready(cx),
        }
    }

    /// Poll form of [`Socket::writable`].
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(s) => s.poll_write_ready(cx),
            Socket::Tls(s) => s.poll_write_ready(cx),
            Socket::Http2(s) => s.poll_write_ready(cx),
        }
    }

    /// Writes everything, waiting as long as necessary: bound it with a timeout.
    ///
    /// # Errors
    ///
    /// Errors of the system.
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
            Socket::Plain(_) | Socket::Http2(_) => Ok(()),
        }
    }

    /// Waits until the peer closes. Its data is ignored.
    pub async fn hung_up(&self) {
        if let Socket::Http2(s) = self {
            return s.gone().await;
        }
        let mut ignored = [0; 512];
        while self.readable().await.is_ok() {
            match self.try_read(&mut ignored) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Resolves when everything written was passed to the system.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tls(s) => s.poll_flush(cx),
            Socket::Plain(_) | Socket::Http2(_) => Poll::Ready(Ok(())),
        }
    }

    /// The system's state of a TCP connection; `None` for a Unix socket.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        let info = SystemTcpInfo.get(&self.descriptor()).ok()?;
        Some(TcpInfo {
            receive_space: info.tcpi_rcv_space,
            round_trip: info.tcpi_rtt,
            round_trip_variance: info.tcpi_rttvar,
            congestion_window: info.tcpi_snd_cwnd,
        })
    }

    /// Shuts down the sending direction.
    pub fn shutdown_write(&self) {
        match self {
            Socket::Plain(s) => s.shutdown_write(),
            Socket::Tls(s) => s.shutdown_write(),
            // The end of a body is told apart from its interruption.
            Socket::Http2(_) => {}
        }
    }
}

impl Carrier for Socket {
    fn without_tls(&self) -> &PlainSocket {
        self.without_tls()
    }

    fn is_tls(&self) -> bool {
        self.is_tls()
    }

    fn tls_info(&self) -> Option<&Arc<TlsInfo>> {
        self.tls_info()
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_read(buf)
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(bufs)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }

    fn shutdown_write(&self) {
        self.shutdown_write();
    }
}

sockopt_impl!(
    /// State of a TCP connection.
    SystemTcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);
sockopt_impl!(
    /// Number of bytes from which on a socket is readable.
    LowWater,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    usize
);
