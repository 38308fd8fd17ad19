//! Log lines about `dynamic_conf`.

use tracing::{error, info};

use crate::log::level::LogLevel;

/// A message about the file, if there is no `dynamic_log`.
pub fn used(level: LogLevel, message: &str) {
    if level <= LogLevel::Error {
        error!("{message}");
    } else {
        info!(target: "notice", "{message}");
    }
}
