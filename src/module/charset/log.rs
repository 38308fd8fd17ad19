//! Log lines of the charset module, with nginx's texts.

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::shown::Shown;

/// A response that cannot be recoded, and is sent as it is.
pub(super) fn no_map(exchange: &Exchange<'_>, from: &[u8], to: &[u8]) {
    let (from, to) = (Shown::new(from), Shown::new(to));
    log::about(exchange, &format_args!("no \"charset_map\" between the charsets \"{from}\" and \"{to}\""));
}
