//! A connection to a backend during a request: sends, receives, and counts.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use super::body_parts::{BodyParts, Passed};
use super::link_error::LinkError;
use super::states::Attempt;
use super::stream::RequestStream;
use crate::http::body_reader::BodyReader;
use crate::http::rest_of_body::RestOfBody;
use crate::http::upstream::idle::PeerConnection;
use crate::net::socket::Socket;
use crate::task::patience::end_of;

/// A connection in use.
#[derive(Debug)]
pub(super) struct BackendConnection {
    pub(super) connection: PeerConnection,
    /// What was received and not processed.
    pub(super) received: BytesMut,
    /// Whether it was idle before.
    pub(super) is_cached: bool,
    /// Bytes sent for this request, other than over HTTP/2, without those of `passed`.
    sent: u64,
    /// What is sent of a request whose body is passed on in parts, other than over HTTP/2.
    passed: Option<Arc<Passed>>,
    /// The request, over HTTP/2.
    stream: Option<Box<RequestStream>>,
    /// Rest of the request's body, which is passed on beside the response.
    pub(super) rest: Option<RestOfBody>,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// Everything is sent.
    All,
    /// The backend has answered before.
    Early,
}

enum Ready {
    Write,
    Read,
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl BackendConnection {
    pub(super) fn new(connection: PeerConnection, is_cached: bool) -> BackendConnection {
        BackendConnection {
            connection,
            received: BytesMut::new(),
            is_cached,
            sent: 0,
            passed: None,
            stream: None,
            rest: None,
        }
    }

    /// Bytes sent for this request.
    pub(super) fn sent(&self) -> u64 {
        let passed = self.passed.as_ref().map_or(0, |passed| passed.bytes());
        self.stream.as_ref().map_or(self.sent + passed, |stream| stream.counts().1)
    }

    /// Sets the bytes of an attempt.
    pub(super) fn count(&self, attempt: &mut Attempt) {
        attempt.sent = self.sent();
        if let Some(stream) = &self.stream {
            attempt.received = stream.counts().0;
        }
    }

    /// Whether the connection may serve another request, now that its response is complete: everything is sent and received, and
    /// the backend keeps it.
    pub(super) fn is_reusable(&mut self) -> bool {
        let Some(mut stream) = self.stream.take() else {
            return self.received.is_empty() && self.passed.as_ref().is_none_or(|passed| passed.is_whole());
        };
        let is_done = stream.is_done();
        drop(stream);
        is_done && self.connection.is_usable()
    }

    fn socket(&self) -> &Arc<Socket> {
        &self.connection.socket
    }

    /// Sends bytes, unless the backend answers before it has taken them. `patience` is the time between two writes.
    pub(super) async fn send(
        &mut self,
        mut bytes: &[u8],
        patience: Duration,
    ) -> Result<SendOutcome, LinkError> {
        while !bytes.is_empty() {
            match self.socket().try_write(bytes) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(written) => {
                    self.sent += written as u64;
                    bytes = &bytes[written..];
                    continue;
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(LinkError::Failed("send", error)),
            }
            let ready = |socket: &Socket, cx: &mut Context<'_>| {
                if let Poll::Ready(ready) = socket.poll_write_ready(cx) {
                    return Poll::Ready(ready.map(|()| Ready::Write));
                }
                socket.poll_read_ready(cx).map(|ready| ready.map(|()| Ready::Read))
            };
            match self.within(patience, ready).await {
                None => return Err(LinkError::TimedOut),
                Some(Err(error)) => return Err(LinkError::Failed("send", error)),
                Some(Ok(Ready::Write)) => {}
                Some(Ok(Ready::Read)) => {
                    if self.has_input()? {
                        return Ok(SendOutcome::Early);
                    }
                }
            }
        }
        Ok(SendOutcome::All)
    }

    /// Sends what TLS holds back.
    pub(super) async fn flush(&mut self, patience: Duration) -> Result<(), LinkError> {
        match self.within(patience, |socket, cx| socket.poll_flush(cx)).await {
            None => Err(LinkError::TimedOut),
            Some(flushed) => flushed.map_err(|error| LinkError::Failed("send", error)),
        }
    }

    /// Whether the backend has sent something.
    fn has_input(&mut self) -> Result<bool, LinkError> {
        let socket = self.socket().clone();
        match socket.read_some(&mut self.received, 1) {
            Ok(0) => Err(LinkError::Closed),
            Ok(_) => Ok(true),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(LinkError::Failed("recv", error)),
        }
    }

    /// Begins to pass a body on in parts, behind the beginning of the request that is not sent yet: over HTTP/2 of its body.
    /// `patience` is the time in which the backend must take more.
    pub(super) fn begin_parts(
        &mut self,
        beginning: Bytes,
        in_chunks: bool,
        patience: Duration,
    ) -> Result<BodyParts, LinkError> {
        if let Some(stream) = &mut self.stream {
            return Ok(BodyParts::http2(
                stream.take_sending().ok_or(LinkError::Closed)?,
                beginning,
                patience,
            ));
        }
        let parts = BodyParts::http1(self.socket().clone(), beginning, in_chunks, patience);
        self.passed = Some(parts.passed());
        Ok(parts)
    }

    /// Sends what was put into these parts, unless the backend answers before it has taken that.
    pub(super) async fn pass_on(&mut self, parts: &mut BodyParts) -> Result<SendOutcome, LinkError> {
        let mut failure = None;
        poll_fn(|cx| {
            if failure.is_none() {
                match parts.poll_sent(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(SendOutcome::All)),
                    Poll::Ready(Err(error)) => failure = Some(error),
                    Poll::Pending => {}
                }
            }
            // Where sending has failed, the answer tells why: one that came before a connection over HTTP/1 was reset can be read.
            match self.poll_answered(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(SendOutcome::Early)),
                Poll::Ready(Err(error)) => match failure.take() {
                    Some(sending @ LinkError::Failed(..)) => Poll::Ready(Err(sending)),
                    Some(_) | None => Poll::Ready(Err(error)),
                },
                // A connection that is reset has an end, which is only to be noticed.
                Poll::Pending if failure.as_ref().is_some_and(LinkError::is_reset) => Poll::Pending,
                Poll::Pending => failure.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
            }
        })
        .await
    }

    /// Waits until the backend answers, although it was not asked completely: over HTTP/2, until the head of the response is there.
    pub(super) async fn answered(&mut self) -> Result<(), LinkError> {
        poll_fn(|cx| self.poll_answered(cx)).await
    }

    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        if let Some(stream) = &mut self.stream {
            return stream.poll_answered(cx).map_err(LinkError::from);
        }
        loop {
            let readable = ready!(self.socket().poll_read_ready(cx));
            readable.map_err(|error| LinkError::Failed("recv", error))?;
            if self.has_input()? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Receives `room` bytes at most; returns how many, at least one. `patience` is the time between two reads.
    pub(super) async fn receive(&mut self, room: usize, patience: Duration) -> Result<usize, LinkError> {
        loop {
            match self.connection.socket.read_some(&mut self.received, room) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(length) => return Ok(length),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(LinkError::Failed("recv", error)),
            }
            match self.within(patience, |socket, cx| socket.poll_read_ready(cx)).await {
                None => return Err(LinkError::TimedOut),
                Some(ready) => ready.map_err(|error| LinkError::Failed("recv", error))?,
            }
        }
    }

    /// Waits for the socket, for this time at most; `None` after that.
    async fn within<T>(
        &mut self,
        patience: Duration,
        ready: impl Fn(&Socket, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Option<io::Result<T>> {
        let connection = &mut self.connection;
        let mut until = None;
        poll_fn(|cx| {
            if let Poll::Ready(ready) = ready(&connection.socket, cx) {
                return Poll::Ready(Some(ready));
            }
            let until = *until.get_or_insert_with(|| end_of(patience));
            connection.patience.poll_over(until, cx).map(|()| None)
        })
        .await
    }
}

/// Over HTTP/2.
impl BackendConnection {
    /// Whether requests are sent over HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.connection.http2.is_some()
    }

    /// Sends the head of a request; `ends` if no body follows.
    pub(super) fn begin_stream(&mut self, head: Request<()>, ends: bool) -> Result<(), LinkError> {
        let backend = self.connection.http2.as_mut().ok_or(LinkError::Closed)?;
        self.stream = Some(Box::new(RequestStream::begin(backend, head, ends)?));
        Ok(())
    }

    /// Sends a whole body, unless the backend answers before; what is left is then sent while the response is received. `patience` is
    /// the time in which it must take more.
    pub(super) async fn send_body(
        &mut self,
        body: BodyReader,
        patience: Duration,
    ) -> Result<SendOutcome, LinkError> {
        self.stream()?.set_body(body);
        let (mut until, mut passed) = (end_of(patience), self.stream()?.passed());
        poll_fn(|cx| {
            let stream = self.stream()?;
            let sent = stream.poll_body(cx);
            if let Poll::Ready(Ok(())) = sent {
                return Poll::Ready(Ok(SendOutcome::All));
            }
            // Where sending has failed, the answer tells why.
            if let Poll::Ready(answered) = stream.poll_answered(cx) {
                return Poll::Ready(answered.map(|()| SendOutcome::Early).map_err(LinkError::from));
            }
            if let Poll::Ready(Err(error)) = sent {
                return Poll::Ready(Err(error.into()));
            }
            if stream.passed() != passed {
                (until, passed) = (end_of(patience), stream.passed());
            }
            self.connection.patience.poll_over(until, cx).map(|()| Err(LinkError::TimedOut))
        })
        .await
    }

    /// Receives the next head: an interim one, or that of the response.
    pub(super) async fn receive_head(&mut self, patience: Duration) -> Result<Response<()>, LinkError> {
        let until = end_of(patience);
        poll_fn(|cx| {
            if let Poll::Ready(head) = self.stream()?.poll_head(cx) {
                return Poll::Ready(head.map_err(LinkError::from));
            }
            self.connection.patience.poll_over(until, cx).map(|()| Err(LinkError::TimedOut))
        })
        .await
    }

    /// Whether the end of the response has come with its head.
    pub(super) fn has_ended(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_received())
    }

    fn stream(&mut self) -> Result<&mut RequestStream, LinkError> {
        self.stream.as_deref_mut().ok_or(LinkError::Closed)
    }

    /// The stream and what was received of it, while there is one.
    pub(super) fn receiving(&mut self) -> Option<(&mut RequestStream, &mut BytesMut)> {
        self.stream.as_deref_mut().map(|stream| (stream, &mut self.received))
    }
}
