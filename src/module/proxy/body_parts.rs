//! Bodies of clients on their way to backends, in parts (`proxy_request_buffering off`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use super::link_error::LinkError;
use super::stream::StreamError;
use crate::http::rest_of_body::BodySink;
use crate::net::http2::Http2RequestBody;
use crate::net::socket::Socket;
use crate::task::patience::{Patience, end_of};

/// The last chunk, without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A body on its way to a backend.
#[derive(Debug)]
pub(super) struct BodyParts {
    to: Way,
    /// What is to be sent next.
    part: Bytes,
    /// Whether that is the last part.
    is_last: bool,
    /// Time in which the backend must take more.
    patience: Duration,
    timer: Patience,
    /// When it ends, while more is waited for.
    until: Option<Instant>,
}

/// How a body goes to a backend.
#[derive(Debug)]
enum Way {
    /// As bytes of the connection.
    Http1 {
        socket: Arc<Socket>,
        /// Whether each part becomes a chunk.
        in_chunks: bool,
        passed: Arc<Passed>,
    },
    /// As that of a stream.
    Http2(Http2RequestBody),
}

/// How much of a request was sent over HTTP/1.
#[derive(Debug, Default)]
pub(super) struct Passed {
    bytes: AtomicU64,
    is_whole: AtomicBool,
}

impl Passed {
    /// Bytes with those of the head.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether that is everything.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }
}

impl BodyParts {
    /// Over HTTP/1. `beginning` is sent first, as it is.
    pub(super) fn http1(
        socket: Arc<Socket>,
        beginning: Bytes,
        in_chunks: bool,
        patience: Duration,
    ) -> BodyParts {
        BodyParts::new(Way::Http1 { socket, in_chunks, passed: Arc::default() }, beginning, patience)
    }

    /// Over HTTP/2. `beginning` is that of the body.
    pub(super) fn http2(body: Http2RequestBody, beginning: Bytes, patience: Duration) -> BodyParts {
        BodyParts::new(Way::Http2(body), beginning, patience)
    }

    fn new(to: Way, part: Bytes, patience: Duration) -> BodyParts {
        BodyParts { to, part, is_last: false, patience, timer: Patience::default(), until: None }
    }

    /// What is sent, over HTTP/1.
    pub(super) fn passed(&self) -> Arc<Passed> {
        match &self.to {
            Way::Http1 { passed, .. } => passed.clone(),
            Way::Http2(_) => Arc::default(),
        }
    }

    /// Whether the end was put.
    pub(super) fn has_ended(&self) -> bool {
        self.is_last
    }

    /// Sends what was put; resolves when all of it is.
    ///
    /// # Errors
    ///
    /// [`LinkError::TimedOut`] if the backend takes nothing for too long.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        let before = self.part.len();
        let sent = self.poll_send(cx);
        if sent.is_ready() || self.part.len() < before {
            self.until = None;
        }
        if sent.is_ready() {
            return sent;
        }
        let until = *self.until.get_or_insert_with(|| end_of(self.patience));
        self.timer.poll_over(until, cx).map(|()| Err(LinkError::TimedOut))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        match &mut self.to {
            Way::Http1 { socket, passed, .. } => {
                let sent = ready!(poll_write(socket, &mut self.part, &passed.bytes, cx));
                sent.map_err(|error| LinkError::Failed("send", error))?;
                passed.is_whole.store(self.is_last, Ordering::Relaxed);
            }
            Way::Http2(body) => {
                if !self.part.is_empty() {
                    ready!(body.poll_send(&mut self.part, cx)).map_err(StreamError::from)?;
                }
                if self.is_last {
                    body.end().map_err(StreamError::from)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes bytes, and what TLS holds back of them.
fn poll_write(
    socket: &Socket,
    bytes: &mut Bytes,
    count: &AtomicU64,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => {
                bytes.advance(written);
                count.fetch_add(written as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(socket.poll_write_ready(cx))?;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    socket.poll_flush(cx)
}

impl BodySink for BodyParts {
    fn put(&mut self, part: Bytes) {
        self.part = match &self.to {
            Way::Http1 { in_chunks: true, .. } => chunk(&part).into(),
            Way::Http1 { in_chunks: false, .. } | Way::Http2(_) => part,
        };
    }

    fn end(&mut self) {
        // What is not sent of the last part stays.
        if std::mem::replace(&mut self.is_last, true) {
            return;
        }
        self.part = match &self.to {
            Way::Http1 { in_chunks: true, .. } => Bytes::from_static(LAST_CHUNK),
            Way::Http1 { in_chunks: false, .. } | Way::Http2(_) => Bytes::new(),
        };
    }

    /// That a backend takes no more is no failure: what it makes of the request shows in its response.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_sent(cx).map(|sent| sent.is_ok())
    }
}

/// A chunk with these bytes.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
