//! Logging of a relay that fails repeatedly.

use std::time::{Duration, Instant};

/// Maximum number of distinct reasons.
const REASONS: usize = 8;
/// Time to the first summary; doubled for each further one, up to [`RAREST`].
const FIRST: Duration = Duration::from_secs(10);
const RAREST: Duration = Duration::from_secs(3600);

/// Failures of one relay since it last worked. The first one of each reason is logged, then occasional summaries.
#[derive(Debug, Default)]
pub struct Complaints {
    failing: Option<Failing>,
    /// Destinations of attempts before the first failure.
    tried: Vec<String>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    failures: u64,
    reasons: Vec<String>,
    /// Destinations of attempts.
    tried: Vec<String>,
    summary_at: Instant,
    interval: Duration,
}

/// What to log about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDecision {
    /// The failure, because its reason is new.
    Failure,
    /// A summary: number of failures and their duration.
    Summary(u64, Duration),
    /// Nothing.
    Nothing,
}

impl Complaints {
    /// Records a failure.
    pub fn failed(&mut self, why: &str, now: Instant) -> LogDecision {
        let failing = self.failing.get_or_insert_with(|| Failing {
            since: now,
            failures: 0,
            reasons: Vec::new(),
            tried: std::mem::take(&mut self.tried),
            summary_at: now + FIRST,
            interval: FIRST,
        });
        failing.failures += 1;
        if failing.reasons.len() < REASONS && !failing.reasons.iter().any(|known| known == why) {
            failing.reasons.push(why.to_owned());
            return LogDecision::Failure;
        }
        if now < failing.summary_at {
            return LogDecision::Nothing;
        }
        failing.interval = failing.interval.saturating_mul(2).min(RAREST);
        failing.summary_at = now + failing.interval;
        LogDecision::Summary(failing.failures, now.duration_since(failing.since))
    }

    /// Records success: the next failure is new again.
    pub fn worked(&mut self) {
        *self = Complaints::default();
    }

    /// Records the start of an attempt. Returns whether to log it: while the relay fails, each destination is logged
    /// once.
    pub fn tries(&mut self, destination: &str) -> bool {
        let tried = self.failing.as_mut().map_or(&mut self.tried, |failing| &mut failing.tried);
        let is_new = tried.len() < REASONS && !tried.iter().any(|known| known == destination);
        if is_new {
            tried.push(destination.to_owned());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_then_summaries_follow_ever_more_rarely() {
        let begin = Instant::now();
        let mut complaints = Complaints::default();
        assert_eq!(complaints.failed("refused", begin), LogDecision::Failure);
        assert_eq!(complaints.failed("refused", begin), LogDecision::Nothing);
        assert_eq!(complaints.failed("timed out", begin), LogDecision::Failure);
        let mut summaries = Vec::new();
        for second in 1..=20_000 {
            let now = begin + Duration::from_secs(second);
            if let LogDecision::Summary(count, since) = complaints.failed("refused", now) {
                assert_eq!((count, since.as_secs()), (second + 3, second));
                summaries.push(second);
            }
        }
        assert_eq!(summaries, [10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 8710, 12310, 15910, 19510]);
        complaints.worked();
        assert_eq!(complaints.failed("refused", begin), LogDecision::Failure);
    }

    #[test]
    fn each_destination_is_named_once_while_it_fails() {
        let mut complaints = Complaints::default();
        assert!(complaints.tries("a"));
        complaints.failed("refused", Instant::now());
        assert!(!complaints.tries("a") && complaints.tries("b") && !complaints.tries("b"));
        complaints.worked();
        assert!(complaints.tries("a"));
    }

    #[test]
    fn reasons_without_number_are_no_lines_without_number() {
        let now = Instant::now();
        let mut complaints = Complaints::default();
        let said =
            (0..100).filter(|n| complaints.failed(&n.to_string(), now) == LogDecision::Failure).count();
        assert_eq!(said, REASONS);
    }
}
