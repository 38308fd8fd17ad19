//! Work that a stop waits for: files being completed, sessions without a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts unfinished work.
#[derive(Clone, Debug, Default)]
pub struct Pending(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    unfinished: AtomicUsize,
    none: Notify,
}

/// A piece of work; finished when dropped.
#[derive(Debug)]
pub struct Unfinished(Arc<Count>);

impl Pending {
    /// Counts a piece of work until the result is dropped.
    pub fn begin(&self) -> Unfinished {
        self.0.unfinished.fetch_add(1, Ordering::AcqRel);
        Unfinished(self.0.clone())
    }

    /// Pieces of work that are unfinished.
    pub fn count(&self) -> usize {
        self.0.unfinished.load(Ordering::Acquire)
    }

    /// Waits until nothing is unfinished.
    pub async fn finished(&self) {
        loop {
            let changed = self.0.none.notified();
            if self.0.unfinished.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.0.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
