//! Shutdown of the process, as seen by everything that runs in it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::supervise::Deaths;

/// Shutdown signals, and the work for which the shutdown waits. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifetime {
    /// Cancelled when all sessions must end.
    pub shutdown: StopSignal,
    /// Cancelled when idle connections must close, and busy ones as soon as they are idle.
    pub draining: StopSignal,
    /// Work for which the shutdown waits: files being completed, sessions without a connection. Each item holds a
    /// token.
    pub unfinished: TaskTracker,
    /// Tasks that died and must be restarted.
    pub deaths: Deaths,
}

/// A [`CancellationToken`] that can be asked for its state without a lock. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    token: CancellationToken,
    is_given: Arc<AtomicBool>,
}

impl StopSignal {
    /// Gives the signal.
    pub fn cancel(&self) {
        self.is_given.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Whether the signal was given.
    pub fn is_cancelled(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }
}

impl Deref for StopSignal {
    type Target = CancellationToken;

    fn deref(&self) -> &CancellationToken {
        &self.token
    }
}

impl Lifetime {
    /// Waits until no unfinished work is left.
    pub async fn finished(&self) {
        emptied(&self.unfinished).await;
    }
}

/// Waits until nothing is tracked, including work that is added while the last item ends.
pub async fn emptied(tracked: &TaskTracker) {
    tracked.close();
    while !tracked.is_empty() {
        tracked.wait().await;
    }
}
