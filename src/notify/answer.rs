//! Answers of callback servers.

use std::fmt;

use bytes::Bytes;

use crate::log::os_text;
use crate::net::dns::LookupError;
use crate::net::tls::handshake_failure;

/// An answer of a callback server, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackAnswer {
    /// An HTTP status. It counts as soon as the headers are complete.
    Status(u16),
    /// No answer.
    Failed(CallFailure),
    /// No answer within the hook's timeout.
    TimedOut,
}

/// The reason why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The host has no address, or the lookup failed.
    Lookup(String),
    /// The system's error at connecting, reading or writing, in nginx's form.
    System(String),
    /// The certificate was not accepted, or there is no common version or cipher.
    Tls(String),
    /// The connection was closed before the header was complete.
    Closed,
    /// The bytes received are not HTTP.
    NotHttp,
    /// The header is longer, or has more fields, than is read.
    TooLarge,
    /// The task that sent the request has ended without an answer.
    Abandoned,
    /// Anything else.
    Other(String),
}

/// An answer with the headers that count for some events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answer.
    pub answer: CallbackAnswer,
    /// The `Location` header.
    pub location: Option<Bytes>,
    /// The `Domain` header.
    pub domain: Option<Bytes>,
    /// The headers that limit what is published.
    pub limits: Option<Box<AnsweredLimits>>,
}

/// Headers of an answer to the `start` of `publish` that set limits for this publish, as they were received. They have no
/// counterpart in PingOS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsweredLimits {
    /// The `Max-Viewers` header: the value of `max_viewers` for the stream.
    pub max_viewers: Option<Bytes>,
    /// The `Max-Bitrate` header: the value of `max_bitrate` for the publisher.
    pub max_bitrate: Option<Bytes>,
}

impl CallbackAnswer {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        matches!(self, CallbackAnswer::Status(200..=299))
    }

    /// Whether the status is 4xx.
    pub fn is_client_error(&self) -> bool {
        matches!(self, CallbackAnswer::Status(400..=499))
    }

    /// Whether the callback server is unreachable: no answer, or an error response of a proxy in front of it.
    ///
    /// A server that accepts the request and answers slowly counts as reachable; repeating the request would slow it
    /// further.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, CallbackAnswer::Failed(_) | CallbackAnswer::Status(502..=504))
    }
}

impl Reply {
    /// A reply without headers.
    pub fn without(answer: CallbackAnswer) -> Self {
        Reply { answer, location: None, domain: None, limits: None }
    }
}

impl CallFailure {
    /// Finds the cause of an error of the HTTP client: the innermost error that has a text.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> CallFailure {
        let mut found = CallFailure::Other(String::new());
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(lookup) = error.downcast_ref::<LookupError>() {
                return CallFailure::Lookup(lookup.to_string());
            }
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return CallFailure::Tls(handshake_failure(tls));
            }
            if let Some(http) = error.downcast_ref::<hyper::Error>() {
                if http.is_parse_too_large() {
                    return CallFailure::TooLarge;
                }
                if http.is_parse() {
                    return CallFailure::NotHttp;
                }
                if http.is_incomplete_message() || http.is_canceled() || http.is_closed() {
                    found = CallFailure::Closed;
                }
            }
            cause = error.source();
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                // An error that wraps another one does not name it as its source.
                let inner = io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
                if inner.is_some() {
                    cause = inner;
                } else {
                    return CallFailure::System(os_text(io));
                }
            }
            if cause.is_none() && found == CallFailure::Other(String::new()) {
                found = CallFailure::Other(error.to_string());
            }
        }
        found
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallFailure::Lookup(text) | CallFailure::System(text) | CallFailure::Other(text) => {
                f.write_str(text)
            }
            CallFailure::Tls(text) => write!(f, "TLS: {text}"),
            CallFailure::Closed => f.write_str("the connection was closed"),
            CallFailure::NotHttp => f.write_str("it is not HTTP"),
            CallFailure::TooLarge => f.write_str("its header is too large"),
            CallFailure::Abandoned => f.write_str("it was given up"),
        }
    }
}

impl fmt::Display for CallbackAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallbackAnswer::Status(status) => write!(f, "status {status}"),
            CallbackAnswer::Failed(failure) => write!(f, "no answer ({failure})"),
            CallbackAnswer::TimedOut => f.write_str("timed out"),
        }
    }
}
