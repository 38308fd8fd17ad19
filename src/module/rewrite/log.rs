//! Log lines of the rewrite module, with nginx's texts.

use crate::http::exchange::Exchange;
use crate::http::log;
use crate::log::level::LogLevel;
use crate::log::shown::Shown;

/// A rewrite, for `rewrite_log`.
pub(super) fn rewritten(exchange: &Exchange<'_>, what: &str, text: &[u8]) {
    let (text, args) = (Shown::new(text), Shown::new(&exchange.query));
    log::about_at(
        LogLevel::Notice,
        exchange,
        &format_args!("rewritten {what}: \"{text}\", args: \"{args}\""),
    );
}

/// A variable without a value was used.
pub(super) fn uninitialized(exchange: &Exchange<'_>, name: &[u8]) {
    let name = Shown::new(name);
    log::about_at(LogLevel::Warn, exchange, &format_args!("using uninitialized \"{name}\" variable"));
}
