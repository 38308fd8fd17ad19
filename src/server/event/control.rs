//! What happens to the control socket and the generations of the configuration.

use std::fmt::Display;
use std::path::Path;

use tracing::{info, warn};

use super::Shown;
use crate::config::history::Generation;

/// Commands cannot reach the server.
pub fn not_listening(error: &str) {
    warn!("control socket: {error}");
}

/// A user who may not use the control socket.
pub fn stranger(user: u32) {
    warn!("control socket: refused user {user}");
}

/// What a reload has changed, one line of it.
pub fn change(line: &dyn Display) {
    info!(target: "notice", "reload: {line}");
}

/// A reload that had to be confirmed was not.
pub fn not_confirmed() {
    warn!("the reload was not confirmed in time, going back");
}

/// What the server has begun with.
pub fn in_force(generation: &Generation, conf: &Path) {
    let Generation { number, fingerprint, .. } = generation;
    info!(target: "notice", "configuration {} in force, generation {number}, {}", Shown::path(conf), fingerprint.short());
}

/// Generations cannot be kept on disk.
pub fn generations_unusable(error: &str) {
    warn!("conf_generations: {error}; a rollback is not possible after a restart");
}

/// Something in the directory of generations is left out.
pub fn generation_skipped(what: &str) {
    warn!("conf_generations: {what}, it is left out");
}

/// A generation is not on disk.
pub fn generation_not_kept(why: &str) {
    warn!("conf_generations: {why}; a rollback to it is not possible after a restart");
}

/// A reload has ended sessions, as the configuration wants it.
pub fn released(directive: &str, count: usize) {
    warn!("reload: {directive} ends {count} sessions");
}
