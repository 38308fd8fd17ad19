//! Receives what a client sends while no head is waited for, and drops bodies that nothing reads.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use http::Version;
use tokio::time::timeout;

use super::answering::AfterTimes;
use super::exchange::{Exchange, HttpConnection};
use super::input::BadBody;
use super::leaving::OnLeaving;
use super::log;
use super::request::UniqueHeader;
use super::request_body::BodyFailure;
use crate::limits;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl HttpConnection {
    /// Receives more bytes into the buffer; 0 if the client has closed.
    ///
    /// # Errors
    ///
    /// Errors of the system; [`io::ErrorKind::TimedOut`] if nothing came in time.
    pub(super) async fn receive(&self, patience: Duration) -> io::Result<usize> {
        loop {
            let read = {
                let mut input = self.input.lock();
                self.socket.read_some(&mut input.buffer, limits::HTTP_READ_BYTES)
            };
            match read {
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            timeout(patience, self.socket.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }

    /// Resolves when the client has closed while a response is being made, if that ends the request. What it sends meanwhile is
    /// kept, up to a bound. While the request's body is read, its reader sees that the client has closed.
    pub(super) async fn client_left(&self) {
        self.client_closed().await;
        if self.socket.http2().is_some() {
            return;
        }
        // It may have closed its sending direction only: then it waits for the response, which a disk may delay.
        let mut wait = pin!(tokio::time::sleep(limits::HTTP_HALF_CLOSED));
        poll_fn(|cx| match self.input.lock().on_leaving {
            OnLeaving::Ends => Poll::Ready(()),
            // The task that changes this polls it again.
            OnLeaving::GoesOn => Poll::Pending,
            OnLeaving::EndsLater => wait.as_mut().poll(cx),
        })
        .await;
    }

    /// Resolves when the client has closed the connection, or its sending direction.
    pub(super) async fn client_closed(&self) {
        poll_fn(|cx| {
            loop {
                let mut input = self.input.lock();
                if input.is_reading
                    || input.on_leaving == OnLeaving::GoesOn
                    || input.buffer.len() >= limits::HTTP_READ_BYTES
                {
                    // The task that reads the body, and takes from the buffer, polls this again.
                    return Poll::Pending;
                }
                if let Some(stream) = self.socket.http2() {
                    // The end of the client's body tells nothing.
                    drop(input);
                    return stream.poll_gone(cx);
                }
                if ready!(self.socket.poll_read_ready(cx)).is_err() {
                    return Poll::Ready(());
                }
                match self.socket.read_some(&mut input.buffer, limits::HTTP_READ_BYTES) {
                    Ok(0) => return Poll::Ready(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Poll::Ready(()),
                }
            }
        })
        .await;
    }

    /// Drops what has come of the request's body, unless it was read, after asking for it if the client waits to be asked. Returns
    /// whether it is complete.
    pub(super) async fn discard(&self, exchange: &mut Exchange<'_>) -> Result<bool, BadBody> {
        if exchange.body.is_some() {
            let is_done = {
                let mut input = self.input.lock();
                // What was to be passed on may be left over from a response that another one has replaced.
                input.is_reading = false;
                input.is_body_done()
            };
            exchange.keeps_alive &= is_done;
            return Ok(is_done || !exchange.keeps_alive);
        }
        match exchange.is_body_discarded {
            true => Ok(self.input.lock().is_body_done() || !exchange.keeps_alive),
            false => {
                // `post_action` does not find it any more.
                exchange.is_body_discarded = true;
                exchange.ask_for_body().await;
                exchange.drop_received_body()
            }
        }
    }

    /// Receives and drops the rest of the request's body. Returns whether it is complete.
    pub(super) async fn discard_rest(&self, exchange: &mut Exchange<'_>) -> bool {
        let core = exchange.core();
        let patience = core.lingering_timeout.duration();
        let deadline = Instant::now() + core.lingering_time.duration();
        loop {
            match exchange.drop_body(true) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(bad) => {
                    log::body_failed(exchange, &BodyFailure::Bad(bad));
                    return false;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receive(patience.min(left)).await {
                Ok(length) if length > 0 => {}
                _ => return false,
            }
        }
    }

    /// Closes after reading what the client still sends, so that it receives the response before a reset.
    pub(super) async fn linger(&self, times: AfterTimes) {
        self.socket.shutdown_write();
        let deadline = Instant::now() + times.lingering_time;
        loop {
            self.input.lock().buffer.clear();
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receive(times.lingering_timeout.min(left)).await {
                Ok(length) if length > 0 => {}
                _ => return,
            }
        }
    }
}

impl Exchange<'_> {
    /// Sends `100 Continue` if the client waits for it; as in nginx 1.22, also where the request has no body.
    pub(super) async fn ask_for_body(&mut self) {
        let asked = std::mem::replace(&mut self.is_continued, true);
        // As in nginx, the client of HTTP/2 is not asked.
        let waits = !asked
            && self.request.has(UniqueHeader::Expect)
            && self.connection.socket.http2().is_none()
            && self.request.version() >= Version::HTTP_11
            && self.header("expect").eq_ignore_ascii_case(b"100-continue");
        if waits {
            // Boxed, because few clients wait. A failure shows when the response is written.
            let _ = Box::pin(self.connection.socket.write_all(CONTINUE)).await;
            // nginx counts these bytes, as of a body.
            self.sent.bytes += CONTINUE.len() as u64;
            self.sent.body_bytes = self.sent.bytes;
        }
    }

    /// Whether the client sends no body, and does not wait to be asked for one.
    pub(super) fn has_nothing_to_discard(&self) -> bool {
        !self.has_body() && !self.request.has(UniqueHeader::Expect)
    }

    /// Discards the body of the request, once, before content answers: as in nginx, a malformed one is answered with an error instead of
    /// the response. Returns whether it was understood.
    pub async fn discard_body(&mut self) -> bool {
        if self.is_subrequest() || self.body.is_some() || std::mem::replace(&mut self.is_body_discarded, true)
        {
            return true;
        }
        self.ask_for_body().await;
        let dropped = self.drop_received_body();
        if let Err(bad) = dropped {
            log::body_failed(self, &BodyFailure::Bad(bad));
            self.keeps_alive = false;
        }
        dropped.is_ok()
    }

    /// Drops the received part of the request's body, and the part that is in the socket. Returns whether the body is complete.
    pub(super) fn drop_received_body(&mut self) -> Result<bool, BadBody> {
        if !self.has_body() {
            return Ok(true);
        }
        let mut received = 0;
        loop {
            if self.drop_body(received > 0)? {
                return Ok(true);
            }
            let mut input = self.connection.input.lock();
            match self.connection.socket.read_some(&mut input.buffer, limits::HTTP_READ_BYTES) {
                Ok(length) if length > 0 && received < limits::HTTP_DISCARD_BYTES => received += length,
                Ok(0) => match input.ends_with_stream() {
                    Ok(true) => {}
                    Ok(false) => return Ok(false),
                    // As in nginx, the length of what is dropped does not matter.
                    Err(_) => return Ok(true),
                },
                _ => return Ok(false),
            }
        }
    }

    /// Drops what was received of the request's body; `again` if more than what came with the head was. Returns whether the body is
    /// complete.
    fn drop_body(&mut self, again: bool) -> Result<bool, BadBody> {
        let mut input = self.connection.input.lock();
        // As in nginx, what is dropped of a body over HTTP/2 has no length.
        let is_chunked = input.is_chunked() && self.connection.socket.http2().is_none();
        let is_done = input.discard_body()?;
        if is_chunked {
            let next = self.core().large_client_header_buffers.size.0;
            self.chunked_length = Some(if is_done { 0 } else { next.max(input.next_chunk_bytes()) });
            if is_done && again {
                // As in nginx, what belongs to the next request is subtracted, though it was not added.
                self.body_length -= i64::try_from(input.buffer.len()).unwrap_or(0);
            }
        }
        Ok(is_done)
    }
}
