//! Number of lost lines.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of lines that a log could not accept, for example because the disk was full or a FIFO had no reader.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Number of lines lost since the start.
pub fn lines_lost_total() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

pub(super) fn count_lost(lines: u64) {
    LINES_LOST.fetch_add(lines, Ordering::Relaxed);
}
