//! Log lines of the gzip module, with nginx's texts.

use std::path::Path;

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::shown::Shown;

/// A compressed file that is a device or a pipe.
pub(super) fn not_a_file(exchange: &Exchange<'_>, path: &Path) {
    log::about(exchange, &format_args!("\"{}\" is not a regular file", Shown::path(path)));
}
