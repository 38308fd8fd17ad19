//! `empty_gif`: a transparent GIF of one pixel, as nginx sends it.

use std::future;

use bytes::Bytes;

use super::conf::Current;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::response::Response;
use crate::http::routes::Location;

/// nginx's file, byte for byte.
const GIF: &[u8; 43] = b"GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff\
    !\xf9\x04\x01\x00\x00\x01\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;";

/// The time of modification that nginx tells, in seconds since 1970: Mon, 28 Sep 1970 06:00:00 GMT.
const MODIFIED: i64 = 23_349_600;

/// Handler of `empty_gif`.
pub struct EmptyGifHandler;

impl Handler for EmptyGifHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("empty_gif")
    }

    fn methods(&self) -> Methods {
        Methods::Document
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        exchange.chosen_by::<Current>().empty_gif.0.as_ref()?;
        Some(Box::pin(future::ready(response())))
    }
}

fn response() -> Response {
    let mut response = Response::ok("image/gif", Bytes::from_static(GIF));
    response.last_modified = Some(MODIFIED);
    response
}
