//! What the log says of `dynamic_conf`.

use tracing::{error, info};

use crate::log::level::LogLevel;

/// About the file of `dynamic_conf`, where it has no log of its own.
pub fn used(level: LogLevel, message: &str) {
    if level <= LogLevel::Error {
        error!("{message}");
    } else {
        info!(target: "notice", "{message}");
    }
}
