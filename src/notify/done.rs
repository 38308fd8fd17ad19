//! Repetition of `done` requests that did not reach the callback server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::hook::Hook;
use super::ledger::CallDecision;
use super::request::Stage;
use super::subject::Subject;
use super::{EventRequest, Notifier, send};
use crate::limits;
use crate::notify::log;
use crate::task::backoff::Backoff;

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
}

/// Repeats a `done` that did not reach the callback server, for at most `patience`. At most [`limits::DONE_WAITING`]
/// wait; further ones are given up at once.
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
        receipt.decided(if hope { CallDecision::TellAgain } else { CallDecision::GiveUp });
    }
    let lost = notifier.ends.lost_total.fetch_add(1, Ordering::Relaxed) + 1;
    log::done_lost(&*session, request.event, &hook, lost);
}

/// A waiting `done` request, counted while this is held.
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
