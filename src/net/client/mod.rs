//! Outgoing connections: notifications and pulls.

use std::time::Duration;

pub mod conf;

/// `send_timeout` as the system takes it, in whole milliseconds; `None`, the system's own time, for 0.
pub fn send_time(timeout: Duration) -> Option<Duration> {
    (!timeout.is_zero()).then(|| timeout.min(Duration::from_millis(i32::MAX.unsigned_abs().into())))
}
