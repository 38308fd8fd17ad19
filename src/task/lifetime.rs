//! The end of the process, as everything that runs in it sees it.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::supervise::Deaths;

/// When the process ends, and the work that its end waits for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifetime {
    /// Cancelled once all sessions have to end.
    pub shutdown: CancellationToken,
    /// Cancelled once idle connections have to end, and busy ones when they become idle.
    pub draining: CancellationToken,
    /// Work that the end waits for: files being completed, sessions without a connection. Each piece holds a token.
    pub unfinished: TaskTracker,
    /// Tasks that have died and are to be begun anew.
    pub deaths: Deaths,
}

impl Lifetime {
    /// Waits until no work is unfinished.
    pub async fn finished(&self) {
        emptied(&self.unfinished).await;
    }
}

/// Waits until nothing is tracked, also of what comes while the last of it ends.
pub async fn emptied(tracked: &TaskTracker) {
    tracked.close();
    while !tracked.is_empty() {
        tracked.wait().await;
    }
}
