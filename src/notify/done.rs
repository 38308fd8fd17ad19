//! Counts of `done` requests that did not reach the callback server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits;

/// Numbers of `done` requests waiting to be repeated, and of those given up.
#[derive(Debug, Default)]
pub(super) struct RepeatedEnds {
    waiting: AtomicUsize,
    lost_total: AtomicU64,
}

impl RepeatedEnds {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn lost_total(&self) -> u64 {
        self.lost_total.load(Ordering::Relaxed)
    }

    /// Counts a request that is given up, and returns their number.
    pub(super) fn give_up(&self) -> u64 {
        self.lost_total.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A waiting `done` request, counted while this is held.
pub(super) struct WaitingEnd(Arc<RepeatedEnds>);

impl WaitingEnd {
    pub(super) fn begin(ends: &Arc<RepeatedEnds>) -> Option<Self> {
        let waiting = WaitingEnd(ends.clone());
        (ends.waiting.fetch_add(1, Ordering::AcqRel) < limits::DONE_WAITING).then_some(waiting)
    }
}

impl Drop for WaitingEnd {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_ends_than_the_bound_do_not_wait() {
        let ends = Arc::new(RepeatedEnds::default());
        let all: Vec<_> =
            (0..limits::DONE_WAITING).map(|_| WaitingEnd::begin(&ends).expect("a place")).collect();
        assert!(WaitingEnd::begin(&ends).is_none());
        assert_eq!(ends.waiting(), limits::DONE_WAITING);
        drop(all);
        assert_eq!(ends.waiting(), 0);
    }
}
