//! Log lines of the mp4 module, with nginx's texts.

use std::path::Path;

use super::seek::Mp4Error;
use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::shown::Shown;

/// A file of which no part can be made.
pub(super) fn cut_failed(exchange: &Exchange<'_>, path: &Path, error: &Mp4Error) {
    let path = Shown::path(path).to_string();
    log::about(exchange, &error.text(path.as_bytes()));
}
