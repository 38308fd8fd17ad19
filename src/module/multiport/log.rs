//! Log lines of the multiport module, with the original's texts.

use bstr::BStr;

use crate::http::exchange::Exchange;
use crate::http::log;

/// A worker's answer is left out.
pub(super) fn worker_failed(exchange: &Exchange<'_>, status: u16) {
    log::about(exchange, &format_args!("broadcast subrequest send non 200 response: {status}"));
}

/// The address of a worker cannot be made.
pub(super) fn no_address(exchange: &Exchange<'_>, base: &BStr, worker: usize) {
    log::about(exchange, &format_args!("broadcast get port error, {base} {worker}"));
}
