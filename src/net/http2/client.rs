//! Connections of HTTP/2 to backends (RFC 9113). A connection has one request at a time, as in nginx; a task of its own answers
//! what the backend asks of the connection, also while it is idle.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::carrier::Carrier;
use super::io::{Http2Io, Traffic};
use crate::limits;

/// A connection to a backend.
pub struct Http2Backend {
    send: SendRequest<Bytes>,
    traffic: Arc<Traffic>,
    /// Resolves when the connection has ended.
    ended: oneshot::Receiver<Infallible>,
    /// Tells the connection's task when this is dropped.
    _held: oneshot::Sender<Infallible>,
}

/// Why a request has failed.
#[derive(Debug, thiserror::Error)]
pub enum Http2RequestError {
    /// The backend has closed the connection.
    #[error("upstream prematurely closed connection")]
    Closed,
    /// The connection has failed.
    #[error("recv() failed ({0})")]
    Failed(#[source] io::Error),
    /// The backend has reset the stream, for this reason (RFC 9113 §7).
    #[error("upstream rejected request with error {0}")]
    Rejected(u32),
    /// The backend ends the connection, for this reason, without having processed the request.
    #[error("upstream sent goaway with error {0}")]
    GoneAway(u32),
    /// The head of the response is longer than [`limits::PROXY_HTTP2_HEAD`].
    #[error("upstream sent too big header")]
    TooBigHead,
    /// What the backend has sent is not HTTP/2, or contradicts itself.
    #[error("upstream sent invalid http2 data ({0})")]
    Invalid(Reason),
}

impl From<h2::Error> for Http2RequestError {
    fn from(error: h2::Error) -> Http2RequestError {
        let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        match () {
            () if error.is_reset() && error.is_remote() => Http2RequestError::Rejected(reason.into()),
            () if error.is_go_away() && error.is_remote() => Http2RequestError::GoneAway(reason.into()),
            () if error.is_reset() && reason == Reason::REFUSED_STREAM => Http2RequestError::TooBigHead,
            () if error.is_io() => match error.into_io() {
                Some(error) if !is_end(&error) => Http2RequestError::Failed(error),
                Some(_) | None => Http2RequestError::Closed,
            },
            () => Http2RequestError::Invalid(reason),
        }
    }
}

/// Whether an error is the crate's word for the end of a connection.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
}

impl Http2Backend {
    /// Begins a connection on a socket, in a worker's thread. Bound it with a timeout.
    ///
    /// # Errors
    ///
    /// The preface cannot be sent.
    pub async fn begin(socket: Arc<dyn Carrier>) -> io::Result<Http2Backend> {
        let traffic = Arc::new(Traffic::of_backend());
        let io = Http2Io::new(socket, Bytes::new(), traffic.clone());
        let (send, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(limits::PROXY_HTTP2_WINDOW)
            .initial_connection_window_size(limits::PROXY_HTTP2_WINDOW)
            .max_frame_size(limits::PROXY_HTTP2_FRAME)
            .max_header_list_size(limits::PROXY_HTTP2_HEAD)
            .max_concurrent_reset_streams(limits::HTTP2_LOCAL_RESETS)
            .max_send_buffer_size(limits::HTTP2_SEND_BUFFER)
            .handshake::<_, Bytes>(io)
            .await
            .map_err(|error| error.into_io().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))?;
        let (held, dropped) = oneshot::channel();
        let (ends, ended) = oneshot::channel::<Infallible>();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // How it ends shows in its streams.
            let is_dropped = tokio::select! {
                _ = &mut connection => false,
                _ = dropped => true,
            };
            if is_dropped {
                let _ = timeout(limits::HTTP2_LAST_WORDS, connection).await;
            }
            drop(ends);
        });
        Ok(Http2Backend { send, traffic, ended, _held: held })
    }

    /// Whether a request may be sent.
    pub fn is_usable(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let has_ended = self.ended.try_recv() != Err(oneshot::error::TryRecvError::Empty);
        !has_ended && matches!(self.send.poll_ready(&mut context), Poll::Ready(Ok(())))
    }

    /// Resolves when no further request may be sent; whether the backend has announced that it ends the connection is only noticed
    /// when this is called.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.ended).poll(cx).is_ready() || !self.is_usable() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Sends the head of a request; `ends` if no body follows.
    ///
    /// # Errors
    ///
    /// The connection is not usable, or the head is none.
    pub fn request(
        &mut self,
        head: Request<()>,
        ends: bool,
    ) -> Result<(Http2Request, Http2RequestBody), Http2RequestError> {
        let counts = self.traffic.counts();
        let (response, sending) = self.send.send_request(head, ends)?;
        let is_sent = Arc::new(AtomicBool::new(ends));
        let request = Http2Request {
            response,
            is_sent: is_sent.clone(),
            is_unwanted: false,
            receiving: None,
            received: Bytes::new(),
            is_received: false,
            traffic: self.traffic.clone(),
            before: counts,
        };
        let sending = (!ends).then_some(sending);
        Ok((request, Http2RequestBody { sending, is_sent, traffic: self.traffic.clone() }))
    }
}

impl fmt::Debug for Http2Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Backend").finish_non_exhaustive()
    }
}

/// A request to a backend. Dropped with its body before its end, it is cancelled.
pub struct Http2Request {
    response: ResponseFuture,
    /// Whether the body was sent to its end.
    is_sent: Arc<AtomicBool>,
    /// Whether the backend has said that it does not want the rest of the body.
    is_unwanted: bool,
    /// The body of the response, once its head has come.
    receiving: Option<RecvStream>,
    /// Bytes of it that were not taken yet.
    received: Bytes,
    is_received: bool,
    traffic: Arc<Traffic>,
    /// Bytes that the connection had received and sent before.
    before: (u64, u64),
}

/// The body of a request to a backend, which is sent beside the response.
pub struct Http2RequestBody {
    /// Until the end, or a failure.
    sending: Option<SendStream<Bytes>>,
    is_sent: Arc<AtomicBool>,
    traffic: Arc<Traffic>,
}

impl Http2RequestBody {
    /// Takes bytes of the body as far as the windows are open; resolves when all are taken.
    pub fn poll_send(
        &mut self,
        bytes: &mut Bytes,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Http2RequestError>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Err(Http2RequestError::Closed)) };
        while !bytes.is_empty() {
            if sending.capacity() == 0 {
                sending.reserve_capacity(bytes.len());
            }
            if sending.capacity() == 0 {
                match ready!(sending.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Poll::Ready(Err(self.not_sent(error))),
                    None => {
                        self.sending = None;
                        return Poll::Ready(Err(Http2RequestError::Closed));
                    }
                }
            }
            let part = bytes.split_to(sending.capacity().min(bytes.len()));
            self.traffic.sent_payload(part.len());
            if let Err(error) = sending.send_data(part, false) {
                return Poll::Ready(Err(self.not_sent(error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// The backend has reset the stream, or the connection has ended.
    pub fn end(&mut self) -> Result<(), Http2RequestError> {
        let Some(mut sending) = self.sending.take() else { return Ok(()) };
        sending.send_data(Bytes::new(), true)?;
        self.is_sent.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn not_sent(&mut self, error: h2::Error) -> Http2RequestError {
        self.sending = None;
        error.into()
    }
}

impl fmt::Debug for Http2RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2RequestBody").finish_non_exhaustive()
    }
}

impl Http2Request {
    /// Bytes received and sent for this request, with those of the connection.
    pub fn counts(&self) -> (u64, u64) {
        let (received, sent) = self.traffic.counts();
        (received.saturating_sub(self.before.0), sent.saturating_sub(self.before.1))
    }

    /// Resolves to the next head that the backend sends: an interim one (1xx), or that of the response. Not to be called after that.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<()>, Http2RequestError>> {
        if let Poll::Ready(Some(interim)) = self.response.poll_informational(cx) {
            return Poll::Ready(interim.map_err(Http2RequestError::from));
        }
        let response = ready!(Pin::new(&mut self.response).poll(cx))?;
        let (head, receiving) = response.into_parts();
        self.is_received = receiving.is_end_stream();
        self.receiving = Some(receiving);
        Poll::Ready(Ok(Response::from_parts(head, ())))
    }

    /// Resolves to the next bytes of the response's body, `room` at most; to none at its end. What is taken opens the window.
    pub fn poll_body(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<Result<Bytes, Http2RequestError>> {
        let Some(receiving) = &mut self.receiving else { return Poll::Pending };
        while self.received.is_empty() {
            if self.is_received {
                return Poll::Ready(Ok(Bytes::new()));
            }
            match ready!(receiving.poll_data(cx)) {
                Some(Ok(bytes)) => self.received = bytes,
                // RFC 9113 §8.1: the response is complete, and the rest of the request is not wanted.
                Some(Err(error)) if error.is_remote() && error.reason() == Some(Reason::NO_ERROR) => {
                    self.is_unwanted = true;
                    self.is_received = true;
                }
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => self.is_received = true,
            }
        }
        let bytes = self.received.split_to(room.min(self.received.len()));
        // It is no more than what has come.
        let _ = receiving.flow_control().release_capacity(bytes.len());
        Poll::Ready(Ok(bytes))
    }

    /// The trailers, behind the body's end.
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        let receiving = self.receiving.as_mut().filter(|_| self.is_received)?;
        match receiving.poll_trailers(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(trailers)) => trailers,
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Whether nothing more is sent and received, so that the connection may serve another request.
    pub fn is_done(&mut self) -> bool {
        if !self.is_received {
            let end = self.poll_body(usize::MAX, &mut Context::from_waker(Waker::noop()));
            self.is_received = matches!(end, Poll::Ready(Ok(bytes)) if bytes.is_empty());
        }
        let is_sent = self.is_sent.load(Ordering::Relaxed) && !self.is_unwanted;
        self.is_received && self.received.is_empty() && is_sent
    }

    /// Whether the end of the response has come.
    pub fn is_received(&self) -> bool {
        self.is_received
    }
}

impl fmt::Debug for Http2Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Request").finish_non_exhaustive()
    }
}
