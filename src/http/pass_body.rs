//! Passes the bodies of requests on part by part, also while the response is made and sent.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use tokio::task::yield_now;

use super::exchange::{Decision, Exchange, HttpConnection};
use super::request_body::BodyFailure;
use super::rest_of_body::{PartReader, RestOfBody};
use crate::limits;

/// The client, whose body can be read while something else is done for its request.
#[derive(Clone, Copy)]
pub struct Client<'c>(&'c HttpConnection);

/// Why the rest of a body cannot be read.
#[derive(Debug)]
pub struct RestFailure(pub(super) BodyFailure);

impl PartReader {
    /// The next part; `None` at the end of the body. Nothing is lost where this is dropped before it resolves.
    pub(super) async fn next(&mut self, connection: &HttpConnection) -> Result<Option<Bytes>, BodyFailure> {
        loop {
            if let Some(part) = self.take(connection)? {
                return Ok(Some(part));
            }
            if connection.input.lock().is_body_done() {
                return Ok(None);
            }
            let received = connection.receive_body(self.size - self.filled, self.patience).await?;
            self.filled = (self.filled + received) % self.size;
        }
    }

    /// What was received. As in nginx, bytes that were received together with an error do not count.
    fn take(&mut self, connection: &HttpConnection) -> Result<Option<Bytes>, BodyFailure> {
        let mut input = connection.input.lock();
        let before = input.buffer.len();
        let mut part = BytesMut::new();
        while let Some(bytes) = input.take_body(self.most).map_err(BodyFailure::Bad)? {
            part.extend_from_slice(&bytes);
        }
        self.length += before - input.buffer.len();
        Ok(Some(part.freeze()).filter(|part| !part.is_empty()))
    }
}

impl RestOfBody {
    /// Passes the body on, as fast as it is taken, until its end or until no more is wanted. Dropped before that, this may be called
    /// again.
    ///
    /// # Errors
    ///
    /// The body cannot be read.
    pub async fn pass_on(&mut self, client: Client<'_>) -> Result<(), RestFailure> {
        let mut turns = 0;
        while !self.is_over {
            if !poll_fn(|cx| self.sink.poll_passed(cx)).await || self.is_received {
                self.is_over = true;
                client.0.input.lock().is_reading = false;
                break;
            }
            match self.parts.next(client.0).await {
                Ok(Some(part)) => self.sink.put(part),
                Ok(None) => {
                    self.sink.end();
                    self.is_received = true;
                }
                Err(failure) => {
                    self.is_over = true;
                    return Err(RestFailure(failure));
                }
            }
            turns += 1;
            // The end is passed on at once: the response may be over by the next turn.
            if turns % limits::HTTP_BODY_TURNS == 0 && !self.is_received {
                yield_now().await;
            }
        }
        Ok(())
    }
}

impl<'a> Exchange<'a> {
    /// The client.
    pub fn client_of_body(&self) -> Client<'a> {
        Client(self.connection)
    }

    /// Ends the passing on of a body.
    pub fn end_rest(&mut self, mut rest: RestOfBody) {
        self.end_parts(&mut rest.parts);
    }

    /// The decision about a request the rest of whose body cannot be read.
    pub fn rest_failed(&mut self, failure: RestFailure) -> Decision {
        self.body_failed(failure.0)
    }
}
