//! Answers requests for FLV files.

use bytes::Bytes;

use crate::directive::number;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::response::{Body, Piece};
use crate::http::routes::Location;
use crate::media::variables::query_argument;

/// Header of a file with audio and video, and the size of the tag before the first one.
const HEADER: &[u8; 13] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// Answers in locations with `flv`.
pub struct FlvFileCheck;

impl PhaseCheck for FlvFileCheck {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("flv")
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        match exchange.part_request() {
            Some(decision) => Check::Now(decision),
            None => Check::Later(Box::pin(serve(exchange))),
        }
    }
}

async fn serve(exchange: &mut Exchange<'_>) -> Decision {
    let (_, file) = match exchange.requested_file().await {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    exchange.doing = Some("sending flv to client");
    let mut response = exchange.file_response(&file);
    if let Some(start) = start(query_argument(exchange.query(), b"start"), file.size) {
        let header = Piece::Memory(Bytes::from_static(HEADER));
        let rest = file.part(start, file.size - start);
        response.body = Body::Pieces([header].into_iter().chain(rest).collect());
        exchange.tag_part(&mut response, &file);
    }
    Decision::Done(Box::new(response))
}

/// The offset that is asked for; `None` for the whole file.
fn start(text: &[u8], size: u64) -> Option<u64> {
    number::digits(text).filter(|start| (1..size).contains(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_outside_of_the_file_is_its_beginning() {
        assert_eq!(start(b"1", 10), Some(1));
        assert_eq!(start(b"9", 10), Some(9));
        for text in ["", "0", "10", "99999999999999999999999", "-1", "1.5", "x"] {
            assert_eq!(start(text.as_bytes(), 10), None, "{text}");
        }
    }
}
