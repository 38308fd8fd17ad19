//! A timer for many waits one after the other, most of which end long before it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Longest time that is waited.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The end of a wait that begins now.
pub fn end_of(wait: Duration) -> Instant {
    end_since(Instant::now(), wait)
}

/// The end of a wait that began at this time.
pub fn end_since(began: Instant, wait: Duration) -> Instant {
    began + wait.min(FAR)
}

/// Ends waits at their times. Its timer stays registered from one wait to the next, and is set anew only when it has passed
/// or would be too late: to begin a timer for each wait costs more than many waits do. A task that has waited may be
/// woken once more.
#[derive(Debug, Default)]
pub struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// Resolves at this time; until then the task is woken when it comes.
    pub fn poll_over(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.into())));
        loop {
            let is_in_time = !timer.is_elapsed() && timer.deadline().into_std() <= until;
            if is_in_time && timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn each_wait_ends_at_its_own_time() {
        let mut patience = Patience::default();
        let began = Instant::now();
        // One that ends early, a later one, one before the registered time, and one that is over.
        let waker = std::task::Waker::noop();
        let far = began + Duration::from_secs(600);
        assert!(patience.poll_over(far, &mut Context::from_waker(waker)).is_pending());
        for wait in [20, 40, 30, 60] {
            let until = began + Duration::from_millis(wait);
            poll_fn(|cx| patience.poll_over(until, cx)).await;
            assert!(Instant::now() >= until);
        }
        assert!(patience.poll_over(far, &mut Context::from_waker(waker)).is_pending());
    }
}
