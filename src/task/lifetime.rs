//! Shutdown of the process, as seen by everything that runs in it.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::supervise::Deaths;

/// Shutdown signals, and the work for which the shutdown waits. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifetime {
    /// Cancelled when all sessions must end.
    pub shutdown: CancellationToken,
    /// Cancelled when idle connections must close, and busy ones as soon as they are idle.
    pub draining: CancellationToken,
    /// Work for which the shutdown waits: files being completed, sessions without a connection. Each item holds a
    /// token.
    pub unfinished: TaskTracker,
    /// Tasks that died and must be restarted.
    pub deaths: Deaths,
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
