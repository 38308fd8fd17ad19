//! Methods that a location's handler does not carry out.

use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode};

use super::{Body, Exchange, cors, plain};
use crate::config::model::Handler;

/// The answer to a method that must not reach the handler. `OPTIONS` asks what may be asked: it starts no stream and
/// drops no session.
pub(super) fn answer(exchange: &Exchange<'_>) -> Option<Response<Body>> {
    let is_live = match exchange.location.handler {
        Handler::FlvLive(_) | Handler::TsLive(_) | Handler::Hls2Live(_) => true,
        // As the original, these look at no other method: tools post to them.
        Handler::RtmpStat(..) | Handler::RtmpControl(_) => false,
        _ => return None,
    };
    let method = exchange.request.method();
    let status = match *method {
        Method::OPTIONS => StatusCode::NO_CONTENT,
        Method::GET | Method::HEAD => return None,
        _ if is_live => StatusCode::METHOD_NOT_ALLOWED,
        _ => return None,
    };
    let mut response = plain(status);
    let headers = response.headers_mut();
    let allowed = if is_live { "GET, HEAD, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    if is_live {
        cors::add(exchange, headers);
    }
    Some(response)
}
