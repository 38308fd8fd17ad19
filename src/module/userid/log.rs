//! Log lines of `userid`.

use bstr::BString;

use crate::http::exchange::Exchange;
use crate::http::log::about_at;
use crate::log::level::LogLevel;

/// A cookie that the client gets anew because `$uid_reset` says so.
pub(super) fn cookie_reset(exchange: &Exchange<'_>, cookie: &BString) {
    about_at(LogLevel::Notice, exchange, &format_args!("userid cookie \"{cookie}\" was reset"));
}
