//! Methods that a location's handler does not support.

use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode};

use super::cors;
use super::exchange::{Exchange, Methods};
use super::reply::{Body, plain};

/// Response to a method that must not reach the handler. `OPTIONS` only queries the supported methods, so it must not
/// start a stream or drop a session.
pub(super) fn answer(exchange: &Exchange<'_>, methods: Methods) -> Option<Response<Body>> {
    let status = match (exchange.request.method(), methods) {
        (&Method::GET | &Method::HEAD, _) => return None,
        (_, Methods::Document) => return Some(not_allowed()),
        (&Method::OPTIONS, _) => StatusCode::NO_CONTENT,
        (_, Methods::Stream) => StatusCode::METHOD_NOT_ALLOWED,
        (_, Methods::Any) => return None,
    };
    let is_stream = methods == Methods::Stream;
    let mut response = plain(status);
    let headers = response.headers_mut();
    let allowed = if is_stream { "GET, HEAD, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    if is_stream {
        cors::add(exchange, headers);
    }
    Some(response)
}

/// Response to a method that files do not support.
pub(super) fn not_allowed() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
