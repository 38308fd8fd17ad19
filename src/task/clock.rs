//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the beginning of 1970 (UTC); zero while the system's clock is set before that.
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
