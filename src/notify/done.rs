//! `done` requests that a callback server has not taken notice of are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::hook::Hook;
use super::ledger::Decision;
use super::request::Stage;
use super::subject::Subject;
use super::{EventRequest, Notifier, send};
use crate::limits;
use crate::notify::log;
use crate::task::backoff::Backoff;

/// Counts of the `done` requests that wait to be sent again, and of those that were given up.
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
}

/// Repeats a `done` that the callback server has not taken notice of, for as long as `patience`. At most
/// [`limits::DONE_WAITING`] wait; one more is given up at once.
pub(super) async fn repeat_done(
    notifier: Notifier,
    request: EventRequest,
    session: Arc<dyn Subject>,
    hook: Arc<Hook>,
    patience: Duration,
) {
    let waiting = WaitingEnd::begin(&notifier.ends);
    let began = Instant::now();
    let mut backoff = Backoff::default();
    let mut hope = waiting.is_some();
    while hope {
        let delay = backoff.next(limits::DONE_RETRY_FIRST, limits::DONE_RETRY_MOST, crate::task::random());
        tokio::time::sleep(delay).await;
        hope = began.elapsed() < patience;
        let sending = send(notifier.clone(), request.clone(), session.clone(), hook.clone(), Stage::Done);
        let (reply, receipt) = sending.await;
        if !reply.answer.is_away() {
            return;
        }
        receipt.decided(if hope { Decision::TellAgain } else { Decision::GiveUp });
    }
    let lost = notifier.ends.lost_total.fetch_add(1, Ordering::Relaxed) + 1;
    log::done_lost(&*session, request.event, &hook, lost);
}

/// One of the `done` requests that wait, counted while it is held.
struct WaitingEnd(Arc<RepeatedEnds>);

impl WaitingEnd {
    fn begin(ends: &Arc<RepeatedEnds>) -> Option<Self> {
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
