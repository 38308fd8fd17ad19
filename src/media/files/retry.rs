//! Retry delays of a recorder.

use std::time::Duration;

use crate::limits;

/// Number of consecutive failures.
#[derive(Default)]
pub struct Retry {
    failures: u32,
}

impl Retry {
    /// Records a failure: of creating a file (`None`), or after the file was written for this time. Returns the delay
    /// before the next attempt.
    pub fn failed(&mut self, lasted: Option<Duration>) -> Duration {
        // Files can still be created on a full disk; only a file that was written for a while shows that the disk had
        // recovered.
        if lasted.is_some_and(|lasted| lasted >= limits::RECORD_RETRY) {
            self.failures = 0;
        }
        let wait = limits::RECORD_RETRY.saturating_mul(1 << self.failures.min(u32::BITS / 2));
        self.failures = self.failures.saturating_add(1);
        wait.min(limits::RECORD_RETRY_MAX)
    }

    /// Records that a file was completed.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_begin_anew_after_success() {
        let mut retry = Retry::default();
        let seconds: Vec<_> = (0..7).map(|_| retry.failed(Some(Duration::ZERO)).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(retry.failed(Some(limits::RECORD_RETRY)).as_secs(), 10);
        assert_eq!(retry.failed(None).as_secs(), 20);
        retry.succeeded();
        assert_eq!(retry.failed(None).as_secs(), 10);
        assert!((0..100).all(|_| retry.failed(None) <= limits::RECORD_RETRY_MAX));
    }
}
