//! Log lines of the rewrite module, with nginx's texts.

use tracing::{info, warn};

use crate::http::exchange::Exchange;
use crate::log::shown::Shown;

/// A rewrite, for `rewrite_log`.
pub(super) fn rewritten(exchange: &Exchange<'_>, what: &str, text: &[u8]) {
    let (conn, text, args) = (exchange.id(), Shown::new(text), Shown::new(&exchange.query));
    info!(target: "notice", conn, "rewritten {what}: \"{text}\", args: \"{args}\"");
}

/// A variable without a value was used.
pub(super) fn uninitialized(exchange: &Exchange<'_>, name: &[u8]) {
    let (conn, name) = (exchange.id(), Shown::new(name));
    warn!(conn, "using uninitialized \"{name}\" variable");
}
