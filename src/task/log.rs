//! What the log says of tasks that die.

use tracing::error;

/// A thread has panicked.
pub fn panicked(thread: &str, text: &str, place: &str) {
    error!(target: "alert", "thread {thread} panicked at {place}: {text}");
}

/// A task that has panicked goes on.
pub fn begun_anew(name: &str) {
    error!(target: "alert", "{name} has died by a panic and is begun anew");
}
