//! Log lines about logs.

use tracing::error;

/// Lines of a log were lost.
pub(super) fn lines_lost(why: &str, lines: u64) {
    let what = if lines == 1 { "line was" } else { "lines were" };
    // As in nginx, that a file cannot be opened is critical, and that it cannot be written an alert.
    if why.starts_with("open() ") {
        error!(target: "crit", "{why}, {lines} log {what} lost");
    } else if why.starts_with("send() ") {
        error!("{why}, {lines} log {what} lost");
    } else {
        error!(target: "alert", "{why}, {lines} log {what} lost");
    }
}

/// A log has no writer.
pub(super) fn no_thread(name: &str, error: &str) {
    error!(target: "alert", "the thread of the log \"{name}\" could not be started ({error}), its lines are lost");
}
