//! Numbers of connections and requests, for `stub_status`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Activity of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionActivity {
    /// Receiving a request head.
    Reading,
    /// Answering a request.
    Writing,
    /// Waiting for the next request.
    Waiting,
}

/// Numbers of all HTTP connections of this process.
#[derive(Debug, Default)]
pub struct HttpCounters {
    accepted: AtomicU64,
    requests: AtomicU64,
    active: AtomicU64,
    reading: AtomicU64,
    writing: AtomicU64,
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
        self.active.fetch_add(1, Ordering::Relaxed);
        self.reading.fetch_add(1, Ordering::Relaxed);
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
        match self.of(doing) {
            Some(number) => number.load(Ordering::Relaxed),
            None => {
                let busy = [&self.reading, &self.writing].map(|number| number.load(Ordering::Relaxed));
                self.active().saturating_sub(busy.iter().sum())
            }
        }
    }

    /// Open connections.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    /// The number of connections doing this. That of waiting ones is what is left of all, so that each request changes two numbers
    /// instead of four.
    fn of(&self, doing: ConnectionActivity) -> Option<&AtomicU64> {
        match doing {
            ConnectionActivity::Reading => Some(&self.reading),
            ConnectionActivity::Writing => Some(&self.writing),
            ConnectionActivity::Waiting => None,
        }
    }

    fn begins(&self, doing: ConnectionActivity) {
        if let Some(number) = self.of(doing) {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ends(&self, doing: ConnectionActivity) {
        if let Some(number) = self.of(doing) {
            number.fetch_sub(1, Ordering::Relaxed);
        }
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
            self.counters.begins(doing);
            self.counters.ends(self.doing);
            self.doing = doing;
        }
    }
}

impl Drop for CountedConnection<'_> {
    fn drop(&mut self) {
        self.counters.ends(self.doing);
        self.counters.active.fetch_sub(1, Ordering::Relaxed);
    }
}
