//! Supervision of tasks: a panic ends only the task in which it occurs, so something must notice and restart it.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, take_hook};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::limits;
use crate::task::log;

/// Logs panics of all threads, in addition to the message on standard error.
pub(crate) fn log_panics() {
    let usual = take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload();
        let text = text
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| text.downcast_ref::<String>().map(String::as_str));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        log::panicked(thread.name().unwrap_or("unnamed"), text.unwrap_or("no text"), &place);
        usual(panic);
    }));
}

/// The work panicked; the text is in the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs `work` until it completes or panics.
///
/// # Errors
///
/// The task panicked.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    // Anything left incomplete is dropped with the work or is complete behind its lock.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// Runs the future from `begin` until it completes. After a panic, a new one is started after [`limits::REVIVE_AFTER`].
pub fn keep<F: Future<Output = ()> + Send + 'static>(
    name: impl Into<String>,
    mut begin: impl FnMut() -> F + Send + 'static,
) -> AbortHandle {
    let name = name.into();
    let kept = async move {
        while caught(async { begin().await }).await.is_err() {
            log::begun_anew(&name);
            tokio::time::sleep(limits::REVIVE_AFTER).await;
        }
    };
    tokio::spawn(kept).abort_handle()
}

/// Notifies supervisors on other threads that a task has died.
#[derive(Clone, Debug, Default)]
pub struct Deaths(watch::Sender<()>);

/// Guard held by a task: reports its death if dropped before [`Alive::ended`].
pub struct Alive {
    deaths: Deaths,
    died: Arc<AtomicBool>,
    ended: bool,
}

impl Deaths {
    /// Guard for a task, and a flag that is true once the task has died.
    pub fn watch(&self) -> (Alive, Arc<AtomicBool>) {
        let died = Arc::new(AtomicBool::new(false));
        (Alive { deaths: self.clone(), died: died.clone(), ended: false }, died)
    }

    /// Resolves some time after each death, so that a task that dies immediately is not restarted in a tight loop.
    pub fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut deaths = self.0.subscribe();
        async move {
            if deaths.changed().await.is_err() {
                return std::future::pending().await;
            }
            tokio::time::sleep(limits::REVIVE_AFTER).await;
        }
    }
}

impl Alive {
    /// Marks the regular end of the task.
    pub fn ended(mut self) {
        self.ended = true;
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if !self.ended {
            self.died.store(true, Ordering::Release);
            self.deaths.0.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_panics_is_begun_anew_until_it_ends() {
        let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (count, end) = (begun.clone(), done.clone());
        keep("a test", move || {
            let (count, end) = (count.clone(), end.clone());
            async move {
                tokio::task::yield_now().await;
                assert!(count.fetch_add(1, Ordering::Relaxed) == 1, "this test wants a panic");
                end.notify_one();
            }
        });
        done.notified().await;
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_death_is_told_and_an_end_is_not() {
        let deaths = Deaths::default();
        let (ending, ended) = deaths.watch();
        let (dying, died) = deaths.watch();
        let followed = deaths.follow();
        ending.ended();
        assert!(!ended.load(Ordering::Acquire));
        assert!(!deaths.0.subscribe().has_changed().unwrap());
        let task = tokio::spawn(async move {
            let _dying = dying;
            panic!("this test wants a panic");
        });
        followed.await;
        assert!(died.load(Ordering::Acquire) && task.await.is_err());
    }
}
