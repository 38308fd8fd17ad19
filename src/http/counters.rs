//! Numbers of connections and requests, for `stub_status`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Activity of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionActivity {
    /// Receiving a request head.
    Reading = 0,
    /// Answering a request.
    Writing = 1,
    /// Waiting for the next request.
    Waiting = 2,
}

/// Numbers of all HTTP connections of this process.
#[derive(Debug, Default)]
pub struct HttpCounters {
    accepted: AtomicU64,
    requests: AtomicU64,
    doing: [AtomicU64; 3],
}

/// A counted connection.
pub(super) struct CountedConnection<'c> {
    counters: &'c HttpCounters,
    doing: ConnectionActivity,
}

impl HttpCounters {
    /// Counts a new connection until the result is dropped.
    pub(super) fn connection(&self) -> CountedConnection<'_> {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.doing[ConnectionActivity::Reading as usize].fetch_add(1, Ordering::Relaxed);
        CountedConnection { counters: self, doing: ConnectionActivity::Reading }
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Connections doing this now.
    pub fn doing(&self, doing: ConnectionActivity) -> u64 {
        self.doing[doing as usize].load(Ordering::Relaxed)
    }

    /// Open connections.
    pub fn active(&self) -> u64 {
        self.doing.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl CountedConnection<'_> {
    /// Counts a request.
    pub(super) fn request(&mut self) {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.does(ConnectionActivity::Writing);
    }

    /// Changes what the connection is doing.
    pub(super) fn does(&mut self, doing: ConnectionActivity) {
        if doing != self.doing {
            self.counters.doing[doing as usize].fetch_add(1, Ordering::Relaxed);
            self.counters.doing[self.doing as usize].fetch_sub(1, Ordering::Relaxed);
            self.doing = doing;
        }
    }
}

impl Drop for CountedConnection<'_> {
    fn drop(&mut self) {
        self.counters.doing[self.doing as usize].fetch_sub(1, Ordering::Relaxed);
    }
}
