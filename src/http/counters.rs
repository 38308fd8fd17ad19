//! Numbers of connections and requests, for `stub_status`.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

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
    threads: Mutex<Vec<Arc<ThreadCounters>>>,
}

/// Numbers of the connections of one thread. Only that thread changes them, and no other thread's are on the same line of the processor's
/// cache: each request changes several, which would be slow if workers shared them.
#[derive(Debug, Default)]
#[repr(align(128))]
struct ThreadCounters {
    accepted: AtomicU64,
    requests: AtomicU64,
    active: AtomicU64,
    reading: AtomicU64,
    writing: AtomicU64,
}

thread_local! {
    /// The latest counters of this thread.
    static LATEST: RefCell<Weak<ThreadCounters>> = const { RefCell::new(Weak::new()) };
}

/// A counted connection. It stays on its thread.
pub(super) struct CountedConnection {
    counters: Arc<ThreadCounters>,
    doing: ConnectionActivity,
}

impl HttpCounters {
    /// Counts a new connection until the result is dropped.
    pub(super) fn connection(&self) -> CountedConnection {
        let counters = self.of_thread();
        for number in [&counters.accepted, &counters.active, &counters.reading] {
            add(number);
        }
        CountedConnection { counters, doing: ConnectionActivity::Reading }
    }

    /// The counters of the calling thread.
    fn of_thread(&self) -> Arc<ThreadCounters> {
        LATEST.with_borrow_mut(|latest| {
            let mut threads = self.threads.lock();
            let known = latest.upgrade().filter(|own| threads.iter().any(|known| Arc::ptr_eq(known, own)));
            known.unwrap_or_else(|| {
                let own = Arc::<ThreadCounters>::default();
                *latest = Arc::downgrade(&own);
                threads.push(own.clone());
                own
            })
        })
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.sum(|counters| &counters.accepted)
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.sum(|counters| &counters.requests)
    }

    /// Connections doing this now.
    pub fn doing(&self, doing: ConnectionActivity) -> u64 {
        let reading = || self.sum(|counters| &counters.reading);
        let writing = || self.sum(|counters| &counters.writing);
        match doing {
            ConnectionActivity::Reading => reading(),
            ConnectionActivity::Writing => writing(),
            ConnectionActivity::Waiting => self.active().saturating_sub(reading() + writing()),
        }
    }

    /// Open connections.
    pub fn active(&self) -> u64 {
        self.sum(|counters| &counters.active)
    }

    fn sum(&self, number: impl Fn(&ThreadCounters) -> &AtomicU64) -> u64 {
        self.threads.lock().iter().map(|counters| number(counters).load(Ordering::Relaxed)).sum()
    }
}

impl ThreadCounters {
    /// The number of connections doing this. That of waiting ones is what is left of all, so that each request changes two numbers
    /// instead of four.
    fn of(&self, doing: ConnectionActivity) -> Option<&AtomicU64> {
        match doing {
            ConnectionActivity::Reading => Some(&self.reading),
            ConnectionActivity::Writing => Some(&self.writing),
            ConnectionActivity::Waiting => None,
        }
    }
}

/// Adds 1 to a number that only the calling thread changes.
fn add(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Subtracts 1 from a number that only the calling thread changes.
fn subtract(number: &AtomicU64) {
    number.store(number.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
}

impl CountedConnection {
    /// Counts a request.
    pub(super) fn request(&mut self) {
        add(&self.counters.requests);
        self.does(ConnectionActivity::Writing);
    }

    /// Changes what the connection is doing.
    pub(super) fn does(&mut self, doing: ConnectionActivity) {
        if doing != self.doing {
            self.counters.of(doing).map(add);
            self.counters.of(self.doing).map(subtract);
            self.doing = doing;
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.counters.of(self.doing).map(subtract);
        subtract(&self.counters.active);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_of_all_threads_are_counted() {
        let counters = HttpCounters::default();
        let all = || {
            let doing =
                [ConnectionActivity::Reading, ConnectionActivity::Writing, ConnectionActivity::Waiting];
            (counters.accepted(), counters.requests(), doing.map(|doing| counters.doing(doing)))
        };
        let mut one = counters.connection();
        let other = counters.connection();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut third = counters.connection();
                third.request();
                assert_eq!(all(), (3, 1, [2, 1, 0]));
                third.does(ConnectionActivity::Waiting);
                assert_eq!(all(), (3, 1, [2, 0, 1]));
            });
        });
        one.request();
        one.request();
        assert_eq!(all(), (3, 3, [1, 1, 0]));
        drop((one, other));
        assert_eq!((all(), counters.active()), ((3, 3, [0, 0, 0]), 0));
        // Another process's, so to say.
        let others = HttpCounters::default();
        let _fourth = others.connection();
        assert_eq!((others.accepted(), counters.accepted()), (1, 3));
    }
}
