//! Rates of counters over the last seconds.
//!
//! The workers only add to counters. A timer of the control thread notes them every [`limits::RATE_INTERVAL`], and a reader of
//! statistics compares the present values with those noted [`limits::RATE_WINDOW`] ago.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::limits;

/// Shortest time over which a rate is computed: what has just begun has not sent at its rate yet.
const LEAST_SPAN: Duration = Duration::from_secs(1);

/// Values of `N` counters at several times, oldest first.
#[derive(Debug)]
struct Window<const N: usize> {
    noted: VecDeque<(Instant, [u64; N])>,
}

/// Counters of one kind of thing, by number.
#[derive(Debug)]
pub struct Rates<const N: usize> {
    windows: FxHashMap<u64, Window<N>>,
}

impl<const N: usize> Default for Rates<N> {
    fn default() -> Self {
        Rates { windows: FxHashMap::default() }
    }
}

impl<const N: usize> Window<N> {
    fn note(&mut self, now: Instant, values: [u64; N]) {
        // The oldest one is needed until the next one is old enough.
        while self.noted.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= limits::RATE_WINDOW) {
            self.noted.pop_front();
        }
        self.noted.push_back((now, values));
    }
}

impl<const N: usize> Rates<N> {
    /// Notes the counters of all things that exist now: number, time since which it counts from 0, values. Others are
    /// forgotten.
    pub fn note(&mut self, now: Instant, all: impl IntoIterator<Item = (u64, Instant, [u64; N])>) {
        for (number, began, values) in all {
            let begin = || Window { noted: VecDeque::from([(began, [0; N])]) };
            self.windows.entry(number).or_insert_with(begin).note(now, values);
        }
        self.windows.retain(|_, window| window.noted.back().is_some_and(|(at, _)| *at == now));
    }

    /// What a thing's counters add per second. `began` is the time since which it counts from 0, for one that was not
    /// noted so far. A counter that is lower than before has rate 0.
    pub fn per_second(&self, number: u64, began: Instant, now: Instant, values: [u64; N]) -> [f64; N] {
        let first = self.windows.get(&number).and_then(|window| window.noted.front());
        let (since, from) = first.copied().unwrap_or((began, [0; N]));
        let span = now.saturating_duration_since(since).max(LEAST_SPAN).as_secs_f64();
        std::array::from_fn(|n| values[n].saturating_sub(from[n]) as f64 / span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(1, start, at(4), [400, 8]), [100.0, 2.0], "never noted: since it began");
        assert_eq!(rates.per_second(1, start, start, [400, 8]), [400.0, 8.0], "a moment counts as a second");
        for second in 0..60 {
            rates.note(at(second), [(1, start, [second * 100, 0])]);
        }
        assert_eq!(rates.per_second(1, start, at(60), [6000, 0])[0], 100.0);
        let window = limits::RATE_WINDOW.as_secs();
        for second in 60..=60 + window {
            rates.note(at(second), [(1, start, [6000, 0])]);
        }
        let now = at(61 + window);
        assert_eq!(rates.per_second(1, start, now, [6000, 0])[0], 0.0, "it has stopped");
        assert_eq!(rates.per_second(1, start, now, [5, 0])[0], 0.0, "a counter does not fall");
        assert!(rates.windows[&1].noted.len() <= window as usize + 2);
        rates.note(now, []);
        assert!(rates.windows.is_empty(), "what has ended is forgotten");
    }
}
