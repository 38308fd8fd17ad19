//! A TLS stream with the interface of a plain socket: non-blocking calls on `&self`.
//!
//! Data is encrypted when written and sent as far as the socket accepts it. At most one write's worth of ciphertext is
//! buffered; until it is sent, further writes are refused. Waiting for input also sends buffered ciphertext, so that
//! the end of a burst does not stay behind.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::server::{Accepted, Acceptor};
use rustls::{ClientConfig, Connection, NamedGroup, ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use super::client_auth::Judged;
use super::info::{Offered, TlsInfo, UsedCertificates};
use super::issued::ACME_TLS;
use super::negotiation::{HandshakeFacts, OwnCertificate, SocketTls};
use super::sniff::{FirstSent, Noting, NotingReader};
use super::x509::chain::Verdict;
use crate::limits;
use crate::net::plain::{PlainSocket, PlainStream};

/// A connection after its handshake.
#[derive(Debug)]
pub struct TlsStream {
    socket: PlainSocket,
    connection: Mutex<Connection>,
    /// Properties of the client.
    info: Option<Arc<TlsInfo>>,
    early: Option<EarlyData>,
    /// Whether tickets wait for the first bytes that are written, to be sent with them.
    holds_tickets: AtomicBool,
    /// Signalled when a write leaves ciphertext in the buffer.
    held_back: Notify,
}

/// Data that a client has sent before the end of its handshake.
#[derive(Debug)]
struct EarlyData {
    data: Mutex<VecDeque<u8>>,
    /// Whether more may come, because the handshake is not complete.
    is_open: AtomicBool,
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
        let Handshake { connection, info, early } = handshake(&socket, settings).await?;
        let (is_early, holds_tickets) = (connection.is_handshaking(), connection.wants_write());
        let mut accepted = TlsStream::new(socket, connection.into());
        accepted.info = Some(Arc::new(info));
        accepted.holds_tickets = holds_tickets.into();
        // Early data may have come together with the end of the handshake.
        if is_early || !early.is_empty() {
            accepted.early = Some(EarlyData { data: Mutex::new(early), is_open: AtomicBool::new(is_early) });
        }
        Ok(accepted)
    }

    fn new(socket: PlainSocket, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(limits::TLS_WRITE));
        let connection = Mutex::new(connection);
        let holds_tickets = AtomicBool::new(false);
        TlsStream { socket, connection, info: None, early: None, holds_tickets, held_back: Notify::new() }
    }

    /// Properties of a client; `None` for a server.
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
            if let Some(early) = &self.early {
                match early.data.lock().read(buf)? {
                    0 => {}
                    count => return Ok(count),
                }
            }
            match connection.reader().read(buf) {
                Ok(n) => return Ok(n),
                // RTMP and HTTP detect truncation themselves.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
            connection.read_tls(&mut Raw(&self.socket))?;
            let processed = connection.process_new_packets();
            self.look_for_early(&mut connection);
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
        self.write(bufs, false)
    }

    /// See [`Socket::try_write_last`](crate::net::socket::Socket::try_write_last).
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn try_write_last(&self, buf: &[u8]) -> io::Result<usize> {
        self.write(&[IoSlice::new(buf)], true)
    }

    /// Writes as much as the socket accepts; with `is_last`, sends close_notify with the last byte.
    fn write(&self, bufs: &[IoSlice<'_>], is_last: bool) -> io::Result<usize> {
        let mut connection = self.connection.lock();
        if !self.holds_tickets.swap(false, Ordering::Relaxed) {
            self.send(&mut connection)?;
        }
        let accepted = connection.writer().write_vectored(bufs)?;
        if is_last && accepted == bufs.iter().map(|buf| buf.len()).sum::<usize>() {
            connection.send_close_notify();
        }
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
        let has_input = {
            let mut connection = self.connection.lock();
            let has_input = has_input(&mut connection);
            self.look_for_early(&mut connection);
            has_input || self.early.as_ref().is_some_and(|early| !early.data.lock().is_empty())
        };
        if has_input {
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

    /// Takes early data that has come, and notes the end of the handshake.
    fn look_for_early(&self, connection: &mut Connection) {
        let Some(early) = self.early.as_ref().filter(|early| early.is_open.load(Ordering::Relaxed)) else {
            return;
        };
        let Connection::Server(connection) = connection else { return };
        collect_early(connection, &mut early.data.lock());
        if !connection.is_handshaking() {
            early.is_open.store(false, Ordering::Relaxed);
            if let Some(info) = &self.info {
                info.complete();
            }
        }
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

/// A client's handshake that is complete, or has early data.
struct Handshake {
    connection: ServerConnection,
    info: TlsInfo,
    early: VecDeque<u8>,
}

/// Performs a client's handshake with the settings of the server that it asks for. It ends early where the client has sent data
/// before the end, as in nginx.
async fn handshake(socket: &PlainSocket, settings: &SocketTls) -> io::Result<Handshake> {
    let mut acceptor = Acceptor::default();
    let mut message = Vec::new();
    let accepted = loop {
        match settings.notes.written_name {
            true => receive(socket, |raw| acceptor.read_tls(&mut NotingReader(raw, &mut message))).await?,
            false => receive(socket, |raw| acceptor.read_tls(raw)).await?,
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((error, mut alert)) => {
                // The connection is closed in any case.
                let _ = alert.write_all(&mut Raw(socket));
                part(socket).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    };
    let offered = Offered::of(&accepted.client_hello(), &message);
    drop(message);
    let is_challenge =
        accepted.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == ACME_TLS));
    if is_challenge
        && let Some(answer) = settings.issued.challenge(offered.server_name.as_deref().unwrap_or_default())
    {
        answer_challenge(socket, accepted, answer).await?;
        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it was the check of a challenge"));
    }
    let Some(chosen) = settings.choose(offered.server_name.as_deref()) else {
        let _ = socket.try_write(&alert(UNRECOGNIZED_NAME));
        part(socket).await;
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the handshake is rejected"));
    };
    let judged = Arc::<Judged>::default();
    let facts = HandshakeFacts {
        server_name: offered.server_name.as_deref().unwrap_or_default().to_ascii_lowercase(),
        remote: socket.remote_addr(),
        local: socket.local_addr(),
    };
    let own = settings.notes.scheme.then(Arc::<OwnCertificate>::default);
    let config = match chosen.config(&facts, &judged, own.as_ref()).await {
        Ok(config) => config,
        Err(error) => {
            let _ = socket.try_write(&alert(INTERNAL_ERROR));
            part(socket).await;
            return Err(error);
        }
    };
    let curve = chosen.curve(&offered.curves);
    let mut sent = FirstSent::default();
    let mut connection = match accepted.into_connection(config) {
        Ok(connection) => connection,
        Err((error, mut alert)) => {
            let _ = alert.write_all(&mut Raw(socket));
            part(socket).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    };
    // A session of TLS 1.2 keeps its curve, as with OpenSSL.
    connection.set_resumption_data(&curve.map_or([0; 2], |curve| u16::from(curve).to_be_bytes()));
    let mut early = VecDeque::new();
    loop {
        // Some may have come with the first message.
        let processed = connection.process_new_packets();
        collect_early(&mut connection, &mut early);
        let mut out = Noting(Raw(socket), &mut sent);
        let has_plaintext = match processed {
            Ok(state) => state.plaintext_bytes_to_read() > 0,
            Err(error) => {
                // An alert, as far as the socket accepts it at once.
                let _ = connection.write_tls(&mut out);
                part(socket).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        };
        // The tickets of a client that has sent a request already go with the response to it.
        if !connection.is_handshaking() && has_plaintext {
            break;
        }
        transmit(socket, &mut connection, &mut out).await?;
        if !connection.is_handshaking() || !early.is_empty() {
            break;
        }
        receive(socket, |raw| connection.read_tls(raw)).await?;
    }
    let kept = connection.received_resumption_data().and_then(|data| <[u8; 2]>::try_from(data).ok());
    let kept = kept.map(u16::from_be_bytes).filter(|curve| *curve != 0).map(NamedGroup::from);
    // Without settings of its own the certificate of a resumed session is not relied on.
    let verdict = judged.verdict().unwrap_or(Verdict::UNTRUSTED);
    let status = match connection.peer_certificates() {
        Some(shown) if verdict.is_ok() => chosen.look_up(shown).await?,
        _ => None,
    };
    let certificates = UsedCertificates {
        own: own.and_then(|own| own.lock().take()),
        verdict,
        status,
        scheme: judged.scheme(),
    };
    let info = TlsInfo::new(offered, &connection, sent.session_id(), kept.or(curve), certificates);
    Ok(Handshake { connection, info, early })
}

/// Completes the handshake of an issuer that checks a challenge, which ends the connection (RFC 8737 §3).
async fn answer_challenge(
    socket: &PlainSocket,
    accepted: Accepted,
    answer: Arc<ServerConfig>,
) -> io::Result<()> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut connection = accepted.into_connection(answer).map_err(|(error, _)| invalid(error))?;
    loop {
        transmit(socket, &mut connection, &mut Raw(socket)).await?;
        if !connection.is_handshaking() {
            break;
        }
        receive(socket, |raw| connection.read_tls(raw)).await?;
        connection.process_new_packets().map_err(invalid)?;
    }
    part(socket).await;
    Ok(())
}

/// Sends all that a connection has to send; waits where the socket is full. `out` writes to that socket.
async fn transmit(
    socket: &PlainSocket,
    connection: &mut ServerConnection,
    out: &mut impl Write,
) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(out) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for input and reads it once.
async fn receive(
    socket: &PlainSocket,
    mut read: impl FnMut(&mut Raw<'_>) -> io::Result<usize>,
) -> io::Result<()> {
    loop {
        socket.readable().await?;
        match read(&mut Raw(socket)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the early data that has come. The TLS library bounds it by [`limits::TLS_EARLY_DATA`].
fn collect_early(connection: &mut ServerConnection, early: &mut VecDeque<u8>) {
    let Some(mut data) = connection.early_data() else { return };
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = data.read(&mut buffer) {
        early.extend(&buffer[..count]);
    }
}

/// Waits for a moment until the client, which was told by an alert, closes too: what it still sends would otherwise make the
/// system reset the connection, and the alert could be lost.
async fn part(socket: &PlainSocket) {
    let closed = async {
        socket.shutdown_write();
        let mut ignored = [0; 512];
        while socket.readable().await.is_ok() {
            match socket.try_read(&mut ignored) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    };
    // A client that does not close is closed.
    let _ = tokio::time::timeout(limits::TLS_PARTING, closed).await;
}

/// `unrecognized_name` (RFC 6066 §3).
const UNRECOGNIZED_NAME: u8 = 112;
/// `internal_error` (RFC 5246 §7.2), as nginx sends it where a certificate with variables cannot be loaded.
const INTERNAL_ERROR: u8 = 80;

/// The record of a fatal alert (RFC 5246 §7.2).
const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

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
