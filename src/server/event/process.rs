//! What the server logs about its own life: files that are watched, upgrades, the service manager.

use std::time::Duration;

use tracing::{info, warn};

/// `conf_watch` has found other contents.
pub fn configuration_changed() {
    info!(target: "notice", "configuration files have changed, reconfiguring");
}

/// The system cannot tell of changes.
pub fn configuration_not_watched(error: &str, poll: Duration) {
    warn!("conf_watch: {error}; looking every {}s instead", poll.as_secs());
}
