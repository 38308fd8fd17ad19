//! Log lines of the gzip module, with nginx's texts.

use std::fmt::Display;
use std::path::Path;

use tracing::error;

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::shown::Shown;

/// A compressed file that is a device or a pipe.
pub(super) fn not_a_file(exchange: &Exchange<'_>, path: &Path) {
    log::about(exchange, &format_args!("\"{}\" is not a regular file", Shown::path(path)));
}

/// A response that is not compressed as it says.
pub(super) fn inflate_failed(conn: u64, error: &dyn Display) {
    error!(conn, "inflate() failed: {error}");
}

/// A compressed response without its end.
pub(super) fn inflate_incomplete(conn: u64) {
    error!(conn, "inflate() returned -5 on response end");
}
