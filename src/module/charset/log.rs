//! Log lines of the charset module, with nginx's texts.

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::shown::Shown;

/// A response that cannot be recoded, and is sent as it is.
pub(super) fn no_map(exchange: &Exchange<'_>, from: &[u8], to: &[u8]) {
    let (from, to) = (Shown::new(from), Shown::new(to));
    log::about(exchange, &format_args!("no \"charset_map\" between the charsets \"{from}\" and \"{to}\""));
}

/// A charset that another server asks for and nothing else names.
pub(super) fn unknown(exchange: &Exchange<'_>, charset: &[u8]) {
    log::about(exchange, &format_args!("unknown charset \"{}\" to override", Shown::new(charset)));
}
