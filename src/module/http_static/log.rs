//! Log lines of the http static module, with nginx's texts.

use std::io;
use std::path::Path;

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::limits;
use crate::log::level::LogLevel;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;

/// An index file that could not be opened.
pub(super) fn index_failed(exchange: &Exchange<'_>, path: &Path, error: &io::Error, what: &str) {
    let (path, error) = (Shown::path(path), os_text(error));
    log::about(exchange, &format_args!("\"{path}\" is {what} ({error})"));
}

/// A call for a directory or a file in it failed.
pub(super) fn call_failed(
    exchange: &Exchange<'_>,
    level: LogLevel,
    call: &str,
    path: &Path,
    error: &io::Error,
) {
    let (path, error) = (Shown::path(path), os_text(error));
    log::about_at(level, exchange, &format_args!("{call}() \"{path}\" failed ({error})"));
}

/// A directory has more files than are listed.
pub(super) fn too_many_files(exchange: &Exchange<'_>, path: &Path) {
    let (path, most) = (Shown::path(path), limits::HTTP_LISTED_FILES);
    log::about(exchange, &format_args!("directory \"{path}\" has more than {most} files"));
}

/// A listing was asked for with an invalid `callback`.
pub(super) fn invalid_callback(exchange: &Exchange<'_>, name: &[u8]) {
    let name = Shown::new(name);
    log::about_at(LogLevel::Info, exchange, &format_args!("client sent invalid callback name: \"{name}\""));
}
