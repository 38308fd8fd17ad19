//! Log lines about snapshots.

use tracing::warn;

use super::decoder::DecodeError;
use crate::http::exchange::Exchange;
use crate::http::log;
use crate::hub::registry::StreamKey;
use crate::log::level::LogLevel;
use crate::log::shown::Shown;

/// No picture of this stream may be shown.
pub(super) fn forbidden(exchange: &Exchange<'_>, key: &StreamKey) {
    let name = Shown::new(&key.name);
    let what = format_args!("access forbidden, '{name}' is banned");
    log::about_at(LogLevel::Notice, exchange, &what);
}

/// A picture could not be made.
pub(super) fn failed(why: &DecodeError, key: &StreamKey) {
    warn!("snapshot: {why}, app: {}, name: {}", Shown::new(&key.app), Shown::new(&key.name));
}
