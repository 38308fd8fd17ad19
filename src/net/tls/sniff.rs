//! Notes the beginning of what is sent in a handshake: the TLS library does not tell the identifier of a session.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes up to the end of the session's identifier: heads of record and message, version, random number, and identifier.
const NOTED: usize = 5 + 4 + 2 + 32 + 1 + 32;

/// A socket whose first sent bytes are noted.
#[derive(Debug)]
pub(super) struct Sniffed<S> {
    pub(super) socket: S,
    first: Vec<u8>,
}

impl<S> Sniffed<S> {
    pub(super) fn new(socket: S) -> Self {
        Sniffed { socket, first: Vec::new() }
    }

    /// Identifier of the session in the ServerHello (RFC 5246 §7.4.1.3); empty if there is none.
    pub(super) fn session_id(&self) -> &[u8] {
        const HANDSHAKE: u8 = 22;
        const SERVER_HELLO: u8 = 2;
        const LENGTH_AT: usize = 5 + 4 + 2 + 32;
        if self.first.first() != Some(&HANDSHAKE) || self.first.get(5) != Some(&SERVER_HELLO) {
            return &[];
        }
        let length = self.first.get(LENGTH_AT).map_or(0, |length| usize::from(*length));
        self.first.get(LENGTH_AT + 1..LENGTH_AT + 1 + length).unwrap_or_default()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            let room = NOTED - self.first.len();
            self.first.extend_from_slice(&bytes[..count.min(room)]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
