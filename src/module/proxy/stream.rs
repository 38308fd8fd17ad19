//! A request over HTTP/2 on its connection: sends the body while the response is read, as nginx does.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};

use crate::http::body_reader::BodyReader;
use crate::limits;
use crate::net::http2::{Http2Backend, Http2Request, Http2RequestBody, Http2RequestError};

/// Why a request over HTTP/2 has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// By the backend, or the connection to it.
    #[error(transparent)]
    Request(#[from] Http2RequestError),
    /// The client's body cannot be read from its file.
    #[error("pread() failed ({0})")]
    File(#[source] io::Error),
    /// There are more interim responses than [`limits::PROXY_INTERIM`], or they are longer than [`limits::PROXY_HTTP2_HEAD`].
    #[error("upstream sent too many interim responses")]
    TooManyInterim,
}

impl StreamError {
    /// Whether the connection has failed, and not what the backend has sent.
    pub(super) fn is_of_connection(&self) -> bool {
        match self {
            StreamError::Request(Http2RequestError::Closed | Http2RequestError::Failed(_))
            | StreamError::File(_) => true,
            StreamError::Request(_) | StreamError::TooManyInterim => false,
        }
    }
}

/// A request whose head was sent.
pub(super) struct RequestStream {
    request: Http2Request,
    /// The sending of the body, unless it was given away.
    sending: Option<Http2RequestBody>,
    /// The rest of the body.
    body: Option<BodyReader>,
    /// Its next bytes.
    part: Bytes,
    /// Heads that were not taken yet.
    heads: VecDeque<Response<()>>,
    /// Number and bytes of interim ones so far.
    interim: (usize, usize),
    /// Whether the head of the response has come.
    is_answered: bool,
    /// Bytes of the body that were passed on.
    passed: u64,
}

impl std::fmt::Debug for RequestStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestStream").finish_non_exhaustive()
    }
}

impl RequestStream {
    /// Sends a head; `ends` if no body follows.
    pub(super) fn begin(
        backend: &mut Http2Backend,
        head: Request<()>,
        ends: bool,
    ) -> Result<RequestStream, StreamError> {
        let (request, sending) = backend.request(head, ends)?;
        Ok(RequestStream {
            request,
            sending: Some(sending),
            body: None,
            part: Bytes::new(),
            heads: VecDeque::new(),
            interim: (0, 0),
            is_answered: false,
            passed: 0,
        })
    }

    /// Sends a whole body.
    pub(super) fn set_body(&mut self, body: BodyReader) {
        self.body = Some(body);
    }

    /// Gives the sending of the body away: it is sent by what takes this.
    pub(super) fn take_sending(&mut self) -> Option<Http2RequestBody> {
        self.sending.take()
    }

    /// Bytes of the body that were passed on.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Passes the body on; resolves when all that is known of it is.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        let Some(sending) = &mut self.sending else { return Poll::Ready(Ok(())) };
        loop {
            while !self.part.is_empty() {
                let before = self.part.len();
                let sent = sending.poll_send(&mut self.part, cx);
                self.passed += (before - self.part.len()) as u64;
                ready!(sent)?;
            }
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
            match ready!(body.poll_bytes(cx)) {
                Some(Ok(bytes)) => self.part = bytes,
                Some(Err(error)) => {
                    self.body = None;
                    return Poll::Ready(Err(StreamError::File(error)));
                }
                None => {
                    self.body = None;
                    sending.end()?;
                }
            }
        }
    }

    /// Resolves when the head of the response has come; interim ones are kept until they are taken.
    pub(super) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        while !self.is_answered {
            let head = ready!(self.request.poll_head(cx))?;
            self.is_answered = !head.status().is_informational() || head.status().as_u16() == 101;
            if !self.is_answered {
                self.interim.0 += 1;
                self.interim.1 += bytes_of(head.headers());
            }
            let (number, bytes) = self.interim;
            if number > limits::PROXY_INTERIM || bytes > limits::PROXY_HTTP2_HEAD as usize {
                return Poll::Ready(Err(StreamError::TooManyInterim));
            }
            self.heads.push_back(head);
        }
        Poll::Ready(Ok(()))
    }

    /// Resolves to the next head, an interim one or that of the response.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<()>, StreamError>> {
        self.go_on(cx)?;
        if let Poll::Ready(Err(error)) = self.poll_answered(cx) {
            return Poll::Ready(Err(error));
        }
        self.heads.pop_front().map_or(Poll::Pending, |head| Poll::Ready(Ok(head)))
    }

    /// Appends at most `room` bytes of the response's body; resolves to their number, 0 at its end.
    pub(super) fn poll_received(
        &mut self,
        received: &mut BytesMut,
        room: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, StreamError>> {
        self.go_on(cx)?;
        let bytes = ready!(self.request.poll_body(room, cx))?;
        received.extend_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Passes the body on beside the response. What the backend does with it then shows in the response.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Result<(), StreamError> {
        match self.poll_body(cx) {
            Poll::Ready(Err(error @ StreamError::File(_))) => return Err(error),
            Poll::Ready(Err(_)) => (self.body, self.part) = (None, Bytes::new()),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        Ok(())
    }

    /// The trailers of a response that has ended.
    pub(super) fn trailers(&mut self) -> Option<HeaderMap> {
        self.request.trailers()
    }

    /// Whether the end of the response has come.
    pub(super) fn is_received(&self) -> bool {
        self.request.is_received()
    }

    /// Whether the connection may serve another request.
    pub(super) fn is_done(&mut self) -> bool {
        self.request.is_done()
    }

    /// Bytes received and sent for the request.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.request.counts()
    }
}

/// Bytes of names and values.
pub(super) fn bytes_of(fields: &HeaderMap) -> usize {
    fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
