//! Methods that a location's handler does not support.

use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode};

use super::cors;
use super::exchange::Exchange;
use super::reply::{Body, plain};

/// Response to a method that must not reach the handler. `OPTIONS` only queries the supported methods, so it must not
/// start a stream or drop a session.
pub(super) fn answer(exchange: &Exchange<'_>, is_read_only: bool) -> Option<Response<Body>> {
    let status = match *exchange.request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT,
        Method::GET | Method::HEAD => return None,
        _ if is_read_only => StatusCode::METHOD_NOT_ALLOWED,
        _ => return None,
    };
    let mut response = plain(status);
    let headers = response.headers_mut();
    let allowed = if is_read_only { "GET, HEAD, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    if is_read_only {
        cors::add(exchange, headers);
    }
    Some(response)
}
