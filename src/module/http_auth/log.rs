//! Log lines of the http auth module, with nginx's texts.

use std::io;
use std::path::Path;

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::level::LogLevel;
use crate::log::os_text::os_text;
use crate::log::shown::Shown;

/// A request without user and password.
pub(super) fn no_user(exchange: &Exchange<'_>) {
    log::about_at(LogLevel::Info, exchange, &"no user/password was provided for basic authentication");
}

/// An unknown user, or a wrong password.
pub(super) fn refused(exchange: &Exchange<'_>, user: &[u8], file: &Path, is_known: bool) {
    let (user, file) = (Shown::new(user), Shown::path(file));
    if is_known {
        log::about(exchange, &format_args!("user \"{user}\": password mismatch"));
    } else {
        log::about(exchange, &format_args!("user \"{user}\" was not found in \"{file}\""));
    }
}

/// A user file that could not be read.
pub(super) fn open_failed(exchange: &Exchange<'_>, path: &Path, error: &io::Error) {
    let (path, error) = (Shown::path(path), os_text(error));
    log::about(exchange, &format_args!("open() \"{path}\" failed ({error})"));
}
