//! Log lines of the http static module, with nginx's texts.

use std::io;
use std::path::Path;

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;

/// An index file that could not be opened.
pub(super) fn index_failed(exchange: &Exchange<'_>, path: &Path, error: &io::Error, what: &str) {
    let (path, error) = (Shown::path(path), os_text(error));
    log::about(exchange, &format_args!("\"{path}\" is {what} ({error})"));
}
