//! Passes bodies on to backends as they come: before the response, and beside it if the backend answers early.

use std::pin::pin;

use tokio::time::timeout;

use super::attempt::{ForwardedRequest, HeadPatience};
use super::body_parts::chunk;
use super::doing::SENDING;
use super::failure::Failure;
use super::head::ResponseHead;
use super::http2::stream_failed;
use super::link::{BackendConnection, SendOutcome};
use super::log;
use crate::http::exchange::Exchange;
use crate::http::log::READING_UPSTREAM_HEAD;
use crate::http::rest_of_body::{BodySink, RestOfBody};

impl ForwardedRequest<'_> {
    /// Sends the client's body as it comes, until the backend answers: its connection then has the rest. Over HTTP/1, the head of the
    /// request is sent with what has come of the body.
    pub(super) async fn send_parts(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        in_chunks: bool,
    ) -> Result<SendOutcome, Failure> {
        let mut beginning = exchange.take_body_beginning();
        if !link.is_http2() {
            let mut first = self.head.bytes.clone();
            match in_chunks && !beginning.is_empty() {
                true => first.extend_from_slice(&chunk(&beginning)),
                false => first.extend_from_slice(&beginning),
            }
            beginning = first.into();
        }
        let begun = link.begin_parts(beginning, in_chunks, self.conf.send_timeout.duration());
        let mut parts = begun.map_err(|error| stream_failed(exchange, link, error, SENDING))?;
        let mut reader = exchange.body_parts();
        let outcome = loop {
            match link.pass_on(&mut parts).await {
                Ok(SendOutcome::All) if !parts.has_ended() => {}
                outcome => break outcome,
            }
            let part = tokio::select! {
                biased;
                part = exchange.next_body_part(&mut reader) => part,
                answered = link.answered() => break answered.map(|()| SendOutcome::Early),
            };
            match part.map_err(Failure::Client)? {
                Some(part) => parts.put(part),
                None => parts.end(),
            }
        };
        match outcome {
            Ok(SendOutcome::Early) => link.rest = Some(RestOfBody::new(Box::new(parts), reader)),
            Ok(SendOutcome::All) => {}
            Err(_) => exchange.end_parts(&mut reader),
        }
        outcome.map_err(|error| stream_failed(exchange, link, error, SENDING))
    }

    /// Reads the head of the response, while the rest of the request's body is passed on. As in nginx, the time of the head begins when
    /// that is over.
    pub(super) async fn read_beside(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
    ) -> Result<ResponseHead, Failure> {
        let Some(mut rest) = link.rest.take() else {
            return self.read(exchange, link, self.head_patience()).await;
        };
        let client = exchange.client_of_body();
        let head = {
            let mut head = pin!(self.read(exchange, link, HeadPatience::ENDLESS));
            tokio::select! {
                biased;
                head = head.as_mut() => Ok(Ok(head)),
                passed = rest.pass_on(client) => match passed {
                    Ok(()) => Ok(timeout(self.head_patience().left(), head).await),
                    Err(failure) => Err(failure),
                },
            }
        };
        let head = match head {
            Ok(Ok(head)) => head,
            Ok(Err(_)) => {
                log::timed_out(exchange, READING_UPSTREAM_HEAD);
                Err(Failure::Timeout)
            }
            Err(failure) => Err(Failure::Client(exchange.rest_failed(failure))),
        };
        match head {
            Ok(_) => link.rest = Some(rest),
            Err(_) => exchange.end_rest(rest),
        }
        head
    }

    async fn read(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        patience: HeadPatience,
    ) -> Result<ResponseHead, Failure> {
        match link.is_http2() {
            true => self.read_http2_head(exchange, link, patience).await,
            false => self.read_head(exchange, link, patience).await,
        }
    }
}
