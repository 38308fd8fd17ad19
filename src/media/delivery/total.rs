//! Backlog of all players of the server together (`total_backlog`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::net::memory;

/// Divisor of the available memory for the default of `total_backlog`.
const SHARE: u64 = 4;

/// Backlog of each worker.
#[derive(Debug)]
pub struct BacklogTotal {
    waits: Vec<AtomicUsize>,
    /// Default limit in bytes.
    most: usize,
}

impl BacklogTotal {
    /// For this number of workers.
    pub fn new(workers: usize) -> Arc<Self> {
        let most = memory::usable().and_then(|bytes| usize::try_from(bytes / SHARE).ok());
        let waits = std::iter::repeat_with(AtomicUsize::default).take(workers).collect();
        Arc::new(BacklogTotal { waits, most: most.unwrap_or(usize::MAX) })
    }

    /// Backlog of each worker in bytes, as it told last.
    pub fn bytes(&self) -> impl Iterator<Item = usize> {
        self.waits.iter().map(|waits| waits.load(Ordering::Relaxed))
    }

    /// Sets the backlog of this worker's players; `most` is the configured limit for all workers together. Returns the
    /// number of bytes by which this worker must reduce its backlog: its share of the excess.
    pub(super) fn tell(&self, worker: usize, bytes: usize, most: Option<usize>) -> usize {
        self.waits[worker].store(bytes, Ordering::Relaxed);
        let all: u128 = self.waits.iter().map(|waits| waits.load(Ordering::Relaxed) as u128).sum();
        let over = all.saturating_sub(most.unwrap_or(self.most) as u128);
        let own = (bytes as u128 * over).div_ceil(all.max(1));
        usize::try_from(own).expect("it is a part of its own bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_gives_up_its_share() {
        let total = BacklogTotal::new(3);
        assert_eq!(total.tell(0, 600, Some(1000)), 0);
        assert_eq!(total.tell(1, 400, Some(1000)), 0);
        assert_eq!(total.tell(2, 1000, Some(1000)), 500);
        assert_eq!(total.tell(0, 600, Some(1000)), 300);
        assert_eq!(total.tell(2, 0, Some(1000)), 0);
        assert_eq!(total.tell(0, 600, Some(1000)), 0);
        assert_eq!(total.tell(0, 1 << 60, Some(0)), 1 << 60);
    }
}
