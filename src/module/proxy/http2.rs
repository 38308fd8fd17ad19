//! Attempts to forward a request over HTTP/2, as nginx makes them since 1.29.4.

use http::StatusCode;
use http::uri::Scheme;

use super::attempt::{ForwardedRequest, HeadPatience, Outgoing};
use super::doing::SENDING;
use super::failure::{Failure, link_failed, refused};
use super::head::ResponseHead;
use super::http2_fields::Http2Fields;
use super::link::{BackendConnection, SendOutcome};
use super::link_error::LinkError;
use super::log;
use super::stream::StreamError;
use crate::http::body_reader::BodyReader;
use crate::http::exchange::{Decision, Exchange};
use crate::http::log::READING_UPSTREAM_HEAD;
use crate::http::response::Body;
use crate::net::http2::Http2RequestError;

impl ForwardedRequest<'_> {
    /// Sends the request.
    pub(super) async fn send_http2(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        fields: &Http2Fields,
    ) -> Result<SendOutcome, Failure> {
        let scheme = if self.connect.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let Some(head) = fields.request(&self.head.method, scheme, &self.head.uri) else {
            log::no_http2_head(exchange, &self.head.method, &fields.host);
            return Err(Failure::Client(Decision::page(StatusCode::INTERNAL_SERVER_ERROR)));
        };
        let patience = self.conf.send_timeout.duration();
        let begun = link.begin_stream(head, matches!(self.body, Outgoing::None));
        begun.map_err(|error| stream_failed(exchange, link, error, SENDING))?;
        let body = match &self.body {
            Outgoing::None => return Ok(SendOutcome::All),
            Outgoing::Bytes(bytes) => Body::from(bytes.clone()),
            Outgoing::Collected(body) => Body::Pieces(body.pieces()),
            Outgoing::Streamed { .. } => return self.send_parts(exchange, link, false).await,
        };
        let sent = link.send_body(BodyReader::new(body), patience).await;
        sent.map_err(|error| stream_failed(exchange, link, error, SENDING))
    }

    /// Reads the head of the response; interim ones before it are passed over.
    pub(super) async fn read_http2_head(
        &self,
        exchange: &mut Exchange<'_>,
        link: &mut BackendConnection,
        patience: HeadPatience,
    ) -> Result<ResponseHead, Failure> {
        let size = usize::try_from(self.conf.buffer_size.0.0).unwrap_or(usize::MAX).max(1);
        loop {
            let received = link.receive_head(patience.left()).await;
            self.attempts.latest(|attempt| link.count(attempt));
            let head =
                received.map_err(|error| stream_failed(exchange, link, error, READING_UPSTREAM_HEAD))?;
            let (mut head, bytes) = ResponseHead::of_http2(&head).map_err(|bad| refused(exchange, &bad.0))?;
            if bytes > size {
                return Err(refused(exchange, "upstream sent too big header"));
            }
            match head.status {
                101 => return Err(refused(exchange, "upstream sent unexpected :status \"101\"")),
                103 => exchange.pass_early_hints(&head.headers).await,
                100..200 => {}
                _ => {
                    let is_never_sent = matches!(head.status, 204 | 304) || self.head.method == "HEAD";
                    if link.has_ended() && !is_never_sent {
                        head.length = Some(0);
                    }
                    return Ok(head);
                }
            }
        }
    }
}

/// What the failure of a request means. As in nginx, what a backend rejects is an invalid response; but one that has closed a connection
/// that was idle did so before it saw the request.
pub(super) fn stream_failed(
    exchange: &Exchange<'_>,
    link: &BackendConnection,
    error: LinkError,
    doing: &str,
) -> Failure {
    let has_left = matches!(&error, LinkError::Stream(StreamError::Request(Http2RequestError::GoneAway(_))));
    match link_failed(exchange, &error, doing) {
        Failure::InvalidHeader if has_left && link.is_cached => Failure::Error,
        failure => failure,
    }
}
