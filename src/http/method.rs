//! Methods that a location's handler does not support.

use http::{Method, StatusCode};

use super::cors;
use super::exchange::{Exchange, Methods};
use super::response::Response;

/// Response to a method that must not reach the handler. `OPTIONS` only queries the supported methods, so it must not
/// start a stream or drop a session.
pub(super) fn answer(exchange: &Exchange<'_>, methods: Methods) -> Option<Response> {
    let status = match (exchange.method(), methods) {
        (&Method::GET | &Method::HEAD, _) => return None,
        (_, Methods::Document) => return Some(Response::page(StatusCode::METHOD_NOT_ALLOWED)),
        (&Method::OPTIONS, _) => StatusCode::NO_CONTENT,
        (_, Methods::Stream) => StatusCode::METHOD_NOT_ALLOWED,
        (_, Methods::Any) => return None,
    };
    let is_stream = methods == Methods::Stream;
    let mut response = Response::page(status);
    let allowed = if is_stream { "GET, HEAD, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
    response.headers.append("Allow", allowed);
    if is_stream {
        cors::add(exchange, &mut response.headers);
    }
    Some(response)
}
