//! Bound on what the serving process may request.

use std::time::Instant;

use crate::limits;

/// A token bucket: requests beyond the bound are refused until time has passed.
#[derive(Debug)]
pub(super) struct Budget {
    left: f64,
    counted: Instant,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Budget {
        Budget { left: limits::HELPER_BURST, counted: now }
    }

    /// Takes the cost of a request. Returns whether there was enough.
    pub(super) fn take(&mut self, cost: f64, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = now;
        self.left = (self.left + since * limits::HELPER_PER_SECOND).min(limits::HELPER_BURST);
        let is_enough = self.left >= cost;
        if is_enough {
            self.left -= cost;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_beyond_the_bound_wait_for_time_to_pass() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        let burst = (0..100_000).take_while(|_| budget.take(1.0, now)).count();
        assert!((burst as f64 - limits::HELPER_BURST).abs() < 1.0);
        let later = now + Duration::from_secs(1);
        let more = (0..100_000).take_while(|_| budget.take(1.0, later)).count();
        assert!((more as f64 - limits::HELPER_PER_SECOND).abs() <= 1.0);
        assert!(budget.take(limits::HELPER_BURST, later + Duration::from_secs(86_400)));
    }
}
