//! How long peers take to answer, as nginx measures it for `least_time`.

/// What a balancing method needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Whether it is the time until the head of a response, instead of its end.
    pub of_head: bool,
    /// Whether requests in progress count, too.
    pub counts_pending: bool,
}

/// Greatest time that is told from others, in milliseconds: peers that take longer are equally bad.
const MOST: u64 = 5000;

/// Times that differ by less count as the same, in milliseconds.
const STEP: u64 = 20;

/// Times of a peer in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AnswerTimes {
    /// Average time until the head of a response.
    head: u64,
    /// Average time until its end.
    whole: u64,
    /// Number of requests in progress.
    pending: u64,
    /// Time that those had spent, all together, at `changed`.
    spent: u64,
    changed: u64,
    /// Average of what requests in progress had spent when it was asked.
    pending_time: u64,
}

/// Half of an average is what came last.
fn learn(average: &mut u64, last: u64) {
    *average = if *average == 0 { last } else { average.midpoint(last) };
}

impl AnswerTimes {
    /// Learns from an answer.
    pub(super) fn learn(&mut self, head: u64, whole: u64) {
        learn(&mut self.head, head);
        learn(&mut self.whole, whole);
    }

    /// The time that a request is expected to take. It was halved `rests` times because the peer was not asked for long: so a
    /// slow peer gets another chance.
    pub(super) fn expected(&mut self, of_head: bool, rests: u64, now: u64) -> u64 {
        let average = if of_head { self.head } else { self.whole };
        let mut time = u32::try_from(rests).ok().and_then(|rests| average.checked_shr(rests)).unwrap_or(0);
        if let Some(spent) = self.spent.checked_div(self.pending) {
            learn(&mut self.pending_time, spent.saturating_add(now.saturating_sub(self.changed)));
            // Requests that take longer than others did are a sign of a peer that has become slow.
            time = time.max(self.pending_time);
        }
        if time > MOST { MOST } else { time + STEP - time % STEP }
    }

    /// A request has begun.
    pub(super) fn pending(&mut self, now: u64) {
        self.spend(now);
        self.pending += 1;
    }

    /// A request that took this time is no longer in progress.
    pub(super) fn no_longer_pending(&mut self, took: u64, now: u64) {
        self.spend(now);
        self.pending = self.pending.saturating_sub(1);
        self.spent = if self.pending == 0 { 0 } else { self.spent.saturating_sub(took) };
    }

    /// Forgets the requests in progress, whose ends another list counts.
    pub(super) fn forget_pending(&mut self) {
        (self.pending, self.spent) = (0, 0);
    }

    fn spend(&mut self, now: u64) {
        self.spent += now.saturating_sub(self.changed) * self.pending;
        self.changed = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_averages_in_steps() {
        let mut times = AnswerTimes::default();
        assert_eq!(times.expected(true, 0, 0), 20);
        times.learn(10, 4000);
        assert_eq!((times.expected(true, 0, 0), times.expected(false, 0, 0)), (20, 4020));
        times.learn(50, 0);
        assert_eq!((times.expected(true, 0, 0), times.expected(false, 0, 0)), (40, 2020));
        times.learn(0, 60_000);
        assert_eq!(times.expected(false, 0, 0), 5000);
    }

    #[test]
    fn a_slow_peer_gets_another_chance() {
        let mut times = AnswerTimes::default();
        times.learn(0, 4000);
        assert_eq!((times.expected(false, 6, 0), times.expected(false, 8, 0)), (80, 20));
        assert_eq!(times.expected(false, u64::MAX, 0), 20);
    }

    #[test]
    fn requests_in_progress_count() {
        let mut times = AnswerTimes::default();
        times.learn(0, 100);
        times.pending(1000);
        times.pending(1500);
        assert_eq!(times.expected(false, 0, 2500), 1260, "500 of one, and 1000 of both since");
        times.no_longer_pending(1500, 2500);
        times.no_longer_pending(1000, 2500);
        assert_eq!(times.expected(false, 0, 9000), 120);
        times.pending(9000);
        times.forget_pending();
        assert_eq!(times.expected(false, 0, 99_000), 120);
    }
}
