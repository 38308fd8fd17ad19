//! A TLS stream with the interface of a plain socket: non-blocking calls on `&self`.
//!
//! Data is encrypted when written and sent as far as the socket accepts it. At most one write's worth of ciphertext is
//! buffered; until it is sent, further writes are refused. Waiting for input also sends buffered ciphertext, so that
//! the end of a burst does not stay behind.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConfig, Connection, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

use super::info::{Offered, TlsInfo};
use super::negotiation::SocketTls;
use super::sniff::Sniffed;
use crate::limits;
use crate::net::plain::{PlainSocket, PlainStream};

/// A connection after its handshake.
#[derive(Debug)]
pub struct TlsStream {
    socket: PlainSocket,
    connection: Mutex<Connection>,
    /// What is known of a client.
    info: Option<Arc<TlsInfo>>,
    /// Signalled when a write leaves ciphertext in the buffer.
    held_back: Notify,
}

impl TlsStream {
    /// Performs the client's handshake. Bound it with a timeout.
    ///
    /// # Errors
    ///
    /// The handshake failed, usually because the certificate is not trusted.
    pub async fn connect(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        TlsStream::connect_over(PlainStream::Tcp(tcp).into(), config, name).await
    }

    /// As [`TlsStream::connect`], over any socket.
    ///
    /// # Errors
    ///
    /// The handshake failed.
    pub async fn connect_over(
        socket: PlainSocket,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let connector = TlsConnector::from(config);
        let (stream, connection) = match socket.stream {
            PlainStream::Tcp(tcp) => {
                let (tcp, connection) = connector.connect(name, tcp).await?.into_inner();
                (PlainStream::Tcp(tcp), connection)
            }
            PlainStream::Unix(unix) => {
                let (unix, connection) = connector.connect(name, unix).await?.into_inner();
                (PlainStream::Unix(unix), connection)
            }
        };
        Ok(TlsStream::new(stream.into(), connection.into()))
    }

    /// Performs the server's handshake. Bound it with a timeout.
    ///
    /// # Errors
    ///
    /// The handshake failed, or is rejected as the configuration says.
    pub(super) async fn accept(socket: PlainSocket, settings: &SocketTls) -> io::Result<Self> {
        let PlainSocket { stream, declared } = socket;
        let (stream, connection, info) = match stream {
            PlainStream::Tcp(tcp) => {
                let (tcp, connection, info) = handshake(tcp, settings).await?;
                (PlainStream::Tcp(tcp), connection, info)
            }
            PlainStream::Unix(unix) => {
                let (unix, connection, info) = handshake(unix, settings).await?;
                (PlainStream::Unix(unix), connection, info)
            }
        };
        let mut accepted = TlsStream::new(PlainSocket { stream, declared }, connection.into());
        accepted.info = Some(Arc::new(info));
        Ok(accepted)
    }

    fn new(socket: PlainSocket, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(limits::TLS_WRITE));
        TlsStream { socket, connection: Mutex::new(connection), info: None, held_back: Notify::new() }
    }

    /// What is known of a client; `None` of a server.
    pub fn info(&self) -> Option<&Arc<TlsInfo>> {
        self.info.as_ref()
    }

    /// Protocol that was chosen in the handshake, if any.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.connection.lock().alpn_protocol().map(<[u8]>::to_vec)
    }

    /// The underlying socket.
    pub fn socket(&self) -> &PlainSocket {
        &self.socket
    }

    /// See [`Socket::readable`](crate::net::socket::Socket::readable).
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn readable(&self) -> io::Result<()> {
        let mut held_back = pin!(self.held_back.notified());
        poll_fn(|cx| {
            // The delivery loop writes concurrently with the session that waits here.
            while held_back.as_mut().poll(cx).is_ready() {
                held_back.set(self.held_back.notified());
            }
            self.poll_read_ready(cx)
        })
        .await
    }

    /// See [`Socket::writable`](crate::net::socket::Socket::writable).
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    /// Waits until everything written was passed to the system.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// See [`Socket::try_read`](crate::net::socket::Socket::try_read).
    ///
    /// # Errors
    ///
    /// Errors of the system, and [`io::ErrorKind::InvalidData`] where the peer does not keep to TLS.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut connection = self.connection.lock();
        for _ in 0..limits::TLS_READS {
            match connection.reader().read(buf) {
                Ok(n) => return Ok(n),
                // RTMP and HTTP detect truncation themselves.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
            connection.read_tls(&mut Raw(&self.socket))?;
            let processed = connection.process_new_packets();
            // An alert, a key update or a ticket.
            all_out(self.send(&mut connection))?;
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// See [`Socket::try_write_vectored`](crate::net::socket::Socket::try_write_vectored).
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut connection = self.connection.lock();
        self.send(&mut connection)?;
        let accepted = connection.writer().write_vectored(bufs)?;
        if !all_out(self.send(&mut connection))? {
            self.held_back.notify_one();
        }
        Ok(accepted)
    }

    /// See [`Socket::poll_read_ready`](crate::net::socket::Socket::poll_read_ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Otherwise buffered ciphertext might never be sent.
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        if has_input(&mut self.connection.lock()) {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_read_ready(cx)
    }

    /// See [`Socket::poll_write_ready`](crate::net::socket::Socket::poll_write_ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        self.socket.poll_write_ready(cx)
    }

    /// Poll form of [`TlsStream::flush`].
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !all_out(self.send(&mut self.connection.lock()))? {
            ready!(self.socket.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// See [`Socket::shutdown_write`](crate::net::socket::Socket::shutdown_write).
    pub fn shutdown_write(&self) {
        self.close();
        self.socket.shutdown_write();
    }

    /// Sends close_notify.
    fn close(&self) {
        let mut connection = self.connection.lock();
        connection.send_close_notify();
        // As far as the socket accepts it; closing the connection has the same meaning.
        let _ = self.send(&mut connection);
    }

    /// Sends ciphertext as far as the socket accepts it; `WouldBlock` if some is left.
    fn send(&self, connection: &mut Connection) -> io::Result<()> {
        while connection.wants_write() {
            if connection.write_tls(&mut Raw(&self.socket))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.close();
    }
}

/// Performs a client's handshake with the settings of the server that it asks for.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    settings: &SocketTls,
) -> io::Result<(S, ServerConnection, TlsInfo)> {
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), Sniffed::new(socket)).await?;
    let offered = Offered::of(&start.client_hello());
    let Some(chosen) = settings.choose(offered.server_name.as_deref()) else {
        // The connection is closed in any case.
        let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
        part(start.io).await;
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the handshake is rejected"));
    };
    let config = chosen.config(offered.server_name.as_deref()).await?;
    let (sniffed, connection) = match start.into_stream(config).into_fallible().await {
        Ok(stream) => stream.into_inner(),
        Err((error, socket)) => {
            part(socket).await;
            return Err(error);
        }
    };
    let info = TlsInfo::new(offered, &connection, sniffed.session_id(), |shown| chosen.judge(shown));
    Ok((sniffed.socket, connection, info))
}

/// Waits for a moment until the client, which was told by an alert, closes too: what it still sends would otherwise make the
/// system reset the connection, and the alert could be lost.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    let closed = async {
        let _ = socket.shutdown().await;
        let mut ignored = [0; 512];
        while matches!(socket.read(&mut ignored).await, Ok(1..)) {}
    };
    // A client that does not close is closed.
    let _ = tokio::time::timeout(limits::TLS_PARTING, closed).await;
}

/// The record of a fatal alert `unrecognized_name` (RFC 5246 §7.2, RFC 6066 §3).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Whether something can be read without the socket: plaintext, an error or the end.
fn has_input(connection: &mut Connection) -> bool {
    match connection.process_new_packets() {
        Ok(state) => state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
        Err(_) => true,
    }
}

/// Whether everything was sent; a full socket is not an error.
fn all_out(sent: io::Result<()>) -> io::Result<bool> {
    match sent {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

/// The socket as rustls uses it.
struct Raw<'a>(&'a PlainSocket);

impl Read for Raw<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
