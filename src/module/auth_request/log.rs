//! Log lines of the auth_request module, with nginx's texts.

use crate::http::exchange::Exchange;
use crate::http::log;

/// The subrequest was answered with a status that decides nothing.
pub(super) fn unexpected(exchange: &Exchange<'_>, status: u16) {
    log::about(exchange, &format_args!("auth request unexpected status: {status}"));
}
