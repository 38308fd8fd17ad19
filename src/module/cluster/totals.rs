//! Numbers of events, and how far the watch is behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use strum::VariantArray;

use super::etcd::{EtcdError, EtcdErrorKind};
use super::tenure::Revision;

/// Numbers of events so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) granted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Names that were taken over from other servers.
    pub(super) taken_over: AtomicU64,
    pub(super) leases: AtomicU64,
    /// Failed requests, by [`EtcdErrorKind`].
    pub(super) errors: [AtomicU64; EtcdErrorKind::VARIANTS.len()],
}

/// How far the watch is behind this server's own writes.
#[derive(Debug, Default)]
pub(super) struct WatchLag {
    written: Mutex<Option<(Revision, Instant)>>,
}

impl Totals {
    /// A request has failed.
    pub(super) fn failed(&self, error: &EtcdError) {
        self.errors[EtcdErrorKind::from(error) as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Number of failed requests.
    pub(super) fn failures(&self) -> u64 {
        self.errors.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl WatchLag {
    /// This server has written a key at this revision. The oldest write that the watch has not shown counts.
    pub(super) fn wrote(&self, revision: Revision, seen: Revision) {
        let mut written = self.written.lock();
        if revision > seen && written.is_none_or(|(oldest, _)| oldest <= seen) {
            *written = Some((revision, Instant::now()));
        }
    }

    /// Milliseconds since the oldest write that the watch, which is at `seen`, has not shown.
    pub(super) fn behind(&self, seen: Revision) -> u64 {
        let written = *self.written.lock();
        let behind = written.filter(|(revision, _)| *revision > seen);
        behind.map_or(0, |(_, at)| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_is_behind_until_it_shows_what_was_written() {
        let lag = WatchLag::default();
        assert_eq!(lag.behind(3), 0);
        lag.wrote(5, 4);
        let began = lag.written.lock().map(|(_, at)| at);
        lag.wrote(7, 4);
        assert_eq!(lag.written.lock().map(|(_, at)| at), began, "the oldest write counts");
        lag.wrote(9, 6);
        assert_eq!(lag.written.lock().map(|(revision, _)| revision), Some(9));
        assert_eq!(lag.behind(9), 0);
        lag.wrote(9, 9);
        assert_eq!(lag.behind(9), 0);
    }
}
