//! Timer that notes counters for rates.

use std::sync::Arc;

use super::StatisticsSource;
use crate::limits;

/// Notes the counters every [`limits::RATE_INTERVAL`], on a blocking thread: all sessions are walked.
pub async fn run(source: Arc<StatisticsSource>) {
    loop {
        tokio::time::sleep(limits::RATE_INTERVAL).await;
        let source = source.clone();
        // After a panic, which was logged, the next turn is tried.
        let _ = tokio::task::spawn_blocking(move || source.note()).await;
    }
}
