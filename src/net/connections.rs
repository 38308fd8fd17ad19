//! Counting and limiting open connections.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::log;
use crate::task::lifetime::emptied;

/// Open connections.
#[derive(Debug, Default)]
pub struct Connections(TaskTracker);

impl Connections {
    /// Counts a connection until the returned token is dropped; `None` if `limit` connections are open.
    pub fn open(&self, limit: u64) -> Option<TaskTrackerToken> {
        let counted = self.0.token();
        if self.count() > limit {
            log::too_many_connections(limit);
            return None;
        }
        Some(counted)
    }

    /// Number of open connections.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Waits until no connection is open.
    pub async fn drained(&self) {
        emptied(&self.0).await;
    }
}
