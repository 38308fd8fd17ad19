//! Log lines about tasks that panic.

use tracing::error;

/// A thread panicked.
pub fn panicked(thread: &str, text: &str, place: &str) {
    error!(target: "alert", "thread {thread} panicked at {place}: {text}");
}

/// A task that panicked was restarted.
pub fn begun_anew(name: &str) {
    error!(target: "alert", "{name} has panicked and is restarted");
}
