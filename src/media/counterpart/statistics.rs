//! Statistics of both processes of an upgrade.

use super::Counterpart;
use super::message::CounterpartRequest;
use crate::limits;
use crate::media::listing::CarriedCounts;
use crate::media::statistics::{Statistics, StatisticsSource};

impl Counterpart {
    /// The answer of the counterpart for [`Counterpart::whole_statistics`]; `None` if there is none.
    pub async fn statistics(&self) -> Option<Vec<u8>> {
        self.answer(&CounterpartRequest::Statistics, limits::COUNTERPART_PATIENCE).await
    }

    /// Statistics of this process, and of the counterpart, which has answered `there`. Reads all sessions: call it on a blocking
    /// thread.
    pub fn whole_statistics(&self, here: &StatisticsSource, there: Option<Vec<u8>>) -> Statistics {
        let there = there.and_then(|answer| serde_json::from_slice::<Statistics>(&answer).ok());
        // It may have passed on its counters in the meantime; then they are in those of this process.
        let counts = self.counts();
        let mut statistics = here.whole();
        if let Some(mut there) = there {
            if !counts {
                there.counts = CarriedCounts::default();
            }
            statistics.add(there);
        }
        statistics
    }
}
