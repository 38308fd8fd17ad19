//! The socket below an HTTP/2 connection.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::net::plain::PlainSocket;
use crate::net::tls::TlsInfo;

/// The socket of a connection, with or without TLS. It is a trait so that sockets may know streams, and not streams sockets.
pub trait Carrier: Debug + Send + Sync {
    /// The socket below TLS.
    fn without_tls(&self) -> &PlainSocket;

    /// Whether it uses TLS.
    fn is_tls(&self) -> bool;

    /// Result of its TLS handshake; `None` without TLS.
    fn tls_info(&self) -> Option<&Arc<TlsInfo>>;

    /// Reads available data; 0 means that the peer has closed.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where there is nothing to read, and errors of the system.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as the socket accepts.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] where the socket is full, and errors of the system.
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Waits until there is data to read or the peer has closed.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Waits until the socket accepts data.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Resolves when everything written was passed to the system.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Shuts down the sending direction.
    fn shutdown_write(&self);
}
