//! Retry delays of relays.

use std::time::Duration;

/// Retry delays of one relay: the first is `failed_reconnect`, each further one is doubled, and none exceeds
/// `relay_reconnect`.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Delay after another failure. `random` (any number) spreads relays that failed together over the last tenth of
    /// the delay.
    pub fn next(&mut self, first: Duration, most: Duration, random: u64) -> Duration {
        // 2^20 times the smallest unit, a millisecond, exceeds every sensible bound.
        let doubled = first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let delay = doubled.min(most);
        let spread = u64::try_from(delay.as_millis() / 10).unwrap_or(0);
        delay - Duration::from_millis(random % (spread + 1))
    }

    /// Resets the delay after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(4));
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..40).map(|_| backoff.next(first, most, 0).as_secs()).collect();
        assert_eq!(delays[..5], [1, 2, 4, 4, 4]);
        assert!(delays[5..].iter().all(|d| *d == 4));
        backoff.reset();
        assert_eq!(backoff.next(first, most, 0), first);
    }

    #[test]
    fn the_spread_is_a_tenth() {
        for random in [0, 1, 99, 100, 101, u64::MAX] {
            let delay = Backoff::default().next(Duration::from_secs(1), Duration::from_secs(9), random);
            assert!(delay >= Duration::from_millis(900) && delay <= Duration::from_secs(1));
        }
        assert_eq!(Backoff::default().next(Duration::ZERO, Duration::from_secs(9), 7), Duration::ZERO);
    }
}
