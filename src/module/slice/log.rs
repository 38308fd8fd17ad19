//! Log lines of the slice module, with nginx's texts.

use super::range::WrongSlice;
use crate::http::exchange::Exchange;
use crate::http::log;

/// A response that is not the slice that was asked for.
pub(super) fn wrong_slice(exchange: &Exchange<'_>, wrong: &WrongSlice) {
    match wrong {
        WrongSlice::Status(status) => {
            let status = status.as_u16();
            log::about(exchange, &format_args!("unexpected status code {status} in slice response"));
        }
        WrongSlice::Tag => log::about(exchange, &"etag mismatch in slice response"),
        WrongSlice::NoRange => log::about(exchange, &"invalid range in slice response"),
        WrongSlice::NoLength => log::about(exchange, &"no complete length in slice response"),
        WrongSlice::Range(range) => {
            let (start, end) = (range.start, range.end);
            log::about(exchange, &format_args!("unexpected range in slice response: {start}-{end}"));
        }
    }
}

/// The line about a slice that lacks bytes of its range.
pub(super) fn shorter(missing: u64) -> String {
    format!("slice response is shorter than its range by {missing} bytes")
}
