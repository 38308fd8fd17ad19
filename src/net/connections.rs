//! How many connections are open, and when there are enough.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::log;
use crate::task::lifetime::emptied;

/// Open connections.
#[derive(Debug, Default)]
pub struct Connections(TaskTracker);

impl Connections {
    /// Counts a connection until the result is dropped, unless `limit` are open.
    pub fn open(&self, limit: u64) -> Option<TaskTrackerToken> {
        let counted = self.0.token();
        if self.count() > limit {
            log::too_many_connections(limit);
            return None;
        }
        Some(counted)
    }

    /// Connections open now.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Waits until no connection is open.
    pub async fn drained(&self) {
        emptied(&self.0).await;
    }
}
