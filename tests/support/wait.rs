//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before a test is given up.
pub const PATIENCE: Duration = Duration::from_secs(20);

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks again and again until there is something, and returns it.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// As [`until`], for something that is true or not.
#[track_caller]
pub fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(()));
}
