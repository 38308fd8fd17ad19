//! Log lines of the auth_request module, with nginx's texts.

use crate::http::exchange::Exchange;
use crate::http::log;

/// The subrequest was answered, perhaps by a backend, with a status that decides nothing.
pub(super) fn unexpected(exchange: &Exchange<'_>, status: u16, by_backend: bool) {
    match by_backend {
        // nginx names what it did last for the subrequest.
        true => {
            let text = format_args!("auth request unexpected status: {status} while sending to client");
            log::about(exchange, &text);
        }
        false => log::about(exchange, &format_args!("auth request unexpected status: {status}")),
    }
}
