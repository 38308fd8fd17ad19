//! `empty_gif`: a transparent GIF of one pixel, as nginx sends it.

use std::future;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LAST_MODIFIED};
use http::{Response, StatusCode};

use super::conf::Current;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::precondition;
use crate::http::reply::{Body, full, plain};

/// nginx's file, byte for byte.
const GIF: &[u8; 43] = b"GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff\
    !\xf9\x04\x01\x00\x00\x01\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;";

/// The time of modification that nginx tells, in seconds since 1970 and as a date.
const MODIFIED: (u64, &str) = (23_349_600, "Mon, 28 Sep 1970 06:00:00 GMT");

/// Handler of `empty_gif`.
pub struct EmptyGifHandler;

impl Handler for EmptyGifHandler {
    fn methods(&self) -> Methods {
        Methods::Document
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>> {
        exchange.chosen_by::<Current>().empty_gif.0.as_ref()?;
        Some(Box::pin(future::ready(response(exchange))))
    }
}

fn response(exchange: &Exchange<'_>) -> Response<Body> {
    let (seconds, date) = MODIFIED;
    let instead = precondition::status_instead(exchange.request.headers(), seconds, date.as_bytes());
    let mut response = match instead {
        Some(StatusCode::NOT_MODIFIED) => plain(StatusCode::NOT_MODIFIED),
        Some(refused) => return plain(refused),
        None => {
            let mut response = Response::new(full(Bytes::from_static(GIF)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
            response
        }
    };
    response.headers_mut().insert(LAST_MODIFIED, HeaderValue::from_static(date));
    response
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_date_is_the_one_in_seconds() {
        let (seconds, date) = MODIFIED;
        assert_eq!(httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)), date);
    }
}
