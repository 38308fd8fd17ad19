//! Log lines about control requests.

use tracing::info;

use crate::log::arguments::Arguments;
use crate::log::shown::Shown;

/// A control request ended sessions.
pub fn dropped(count: usize, query: &[u8]) {
    info!("control: dropped {count} sessions, request: {}", Arguments::of_control(query));
}

/// A control request failed.
pub fn failed(why: &str, path: &[u8], query: &[u8]) {
    info!(target: "notice", "control: {why}, request: {}?{}", Shown::new(path), Arguments::of_control(query));
}
