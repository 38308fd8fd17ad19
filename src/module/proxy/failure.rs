//! Why attempts to forward a request fail, and the lines of the log about it.

use http::StatusCode;

use super::conf::NextUpstream;
use super::connect::ConnectError;
use super::doing::{CONNECTING, HANDSHAKING};
use super::link_error::LinkError;
use super::log;
use crate::http::exchange::{Decision, Exchange};
use crate::net::tls::backend::mistrust;

/// Why an attempt has failed.
pub(super) enum Failure {
    Error,
    Timeout,
    InvalidHeader,
    Status(u16),
    /// The client's body cannot be read.
    Client(Decision),
}

impl Failure {
    /// The case of `proxy_next_upstream`.
    pub(super) fn case(&self) -> NextUpstream {
        match self {
            Failure::Error | Failure::Client(_) => NextUpstream::ERROR,
            Failure::Timeout => NextUpstream::TIMEOUT,
            Failure::InvalidHeader => NextUpstream::INVALID_HEADER,
            Failure::Status(status) => case_of(*status).unwrap_or_default(),
        }
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Failure::Timeout => 504,
            Failure::Status(status) => *status,
            Failure::Error | Failure::InvalidHeader | Failure::Client(_) => 502,
        }
    }
}

/// The case of `proxy_next_upstream` that a status is.
pub(super) fn case_of(status: u16) -> Option<NextUpstream> {
    Some(match status {
        500 => NextUpstream::HTTP_500,
        502 => NextUpstream::HTTP_502,
        503 => NextUpstream::HTTP_503,
        504 => NextUpstream::HTTP_504,
        403 => NextUpstream::HTTP_403,
        404 => NextUpstream::HTTP_404,
        429 => NextUpstream::HTTP_429,
        _ => return None,
    })
}

pub(super) fn refused(exchange: &Exchange<'_>, what: &str) -> Failure {
    log::bad_response(exchange, what);
    Failure::InvalidHeader
}

pub(super) fn connect_failed(exchange: &Exchange<'_>, peer: &str, error: &ConnectError) -> Failure {
    match error {
        ConnectError::Failed(error) => {
            log::connect_failed(exchange, peer, error);
            Failure::Error
        }
        ConnectError::Unbound(addr, error) => {
            log::bind_failed(exchange, addr, error);
            // As in nginx, that is no failure of the peer.
            Failure::Client(Decision::page(StatusCode::INTERNAL_SERVER_ERROR))
        }
        ConnectError::Handshake(error) => {
            match mistrust(error) {
                Some(why) => log::not_trusted(exchange, &why),
                None => log::handshake_failed(exchange, error),
            }
            Failure::Error
        }
        ConnectError::TimedOut => {
            log::timed_out(exchange, CONNECTING);
            Failure::Timeout
        }
        ConnectError::NotHttp2 => {
            log::not_http2(exchange);
            Failure::Error
        }
        ConnectError::Preface(error) => {
            log::failed(exchange, "send", error, CONNECTING);
            Failure::Error
        }
        ConnectError::HandshakeTimedOut => {
            log::timed_out(exchange, HANDSHAKING);
            Failure::Timeout
        }
    }
}

pub(super) fn link_failed(exchange: &Exchange<'_>, error: &LinkError, doing: &str) -> Failure {
    match error {
        LinkError::Failed(call, error) => {
            log::failed(exchange, call, error, doing);
            Failure::Error
        }
        LinkError::Closed => {
            log::bad_response_while(exchange, "upstream prematurely closed connection", doing);
            Failure::Error
        }
        LinkError::TimedOut => {
            log::timed_out(exchange, doing);
            Failure::Timeout
        }
        LinkError::Stream(error) => {
            log::bad_response_while(exchange, &error.to_string(), doing);
            match error.is_of_connection() {
                true => Failure::Error,
                false => Failure::InvalidHeader,
            }
        }
    }
}
