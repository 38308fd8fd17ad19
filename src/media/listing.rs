//! List of all media sessions with their traffic, for statistics and control.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::session::Session;

/// Bytes received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes from publishers.
    pub received: u64,
    /// Bytes to players.
    pub sent: u64,
}

/// All media sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    live: Mutex<LiveSessions>,
    ids: AtomicU64,
    accepted_total: AtomicU64,
}

/// Changed and read under one lock, so that a session's traffic counts exactly once.
#[derive(Debug, Default)]
struct LiveSessions {
    sessions: BTreeMap<u64, Arc<Session>>,
    /// Traffic of ended sessions.
    ended: Traffic,
    /// Traffic of ended sessions by stream, for streams that have a session.
    streams: HashMap<u64, EndedSessions>,
}

#[derive(Debug, Default)]
struct EndedSessions {
    sessions: usize,
    ended: Traffic,
}

/// Consistent snapshot of the sessions.
#[derive(Debug)]
pub struct Snapshot {
    /// Sessions by number.
    pub sessions: Vec<Arc<Session>>,
    /// Traffic of ended sessions, so that counters never decrease.
    pub ended: Traffic,
    /// Traffic of ended sessions by stream number.
    pub of_streams: HashMap<u64, Traffic>,
}

/// Removes its session from [`Sessions`] when dropped.
#[derive(Debug)]
pub struct ListedSession {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
}

/// Counters that a process passes to its successor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedCounts {
    traffic: Traffic,
    accepted: u64,
}

impl Sessions {
    /// Continues the counters of the preceding process.
    pub fn beginning(carried: CarriedCounts) -> Sessions {
        let live = LiveSessions { ended: carried.traffic, ..LiveSessions::default() };
        let accepted_total = AtomicU64::new(carried.accepted);
        Sessions { live: Mutex::new(live), ids: AtomicU64::default(), accepted_total }
    }

    /// Counters for the succeeding process.
    pub fn carried(&self) -> CarriedCounts {
        let Snapshot { sessions, ended: mut traffic, .. } = self.at_once();
        sessions.iter().for_each(|session| traffic += session.traffic());
        CarriedCounts { traffic, accepted: self.accepted_total() }
    }

    /// Number for a new connection, which counts as accepted.
    pub fn next_id(&self) -> u64 {
        self.accepted_total.fetch_add(1, Ordering::Relaxed);
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Number for a session without its own connection.
    pub fn next_session_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Number of connections accepted so far.
    pub fn accepted_total(&self) -> u64 {
        self.accepted_total.load(Ordering::Relaxed)
    }

    /// Lists a session until the result is dropped.
    pub fn list(self: &Arc<Self>, session: Arc<Session>) -> ListedSession {
        let mut live = self.live.lock();
        live.sessions.insert(session.id, session.clone());
        if let Some(stream) = session.stream_id() {
            live.streams.entry(stream).or_default().sessions += 1;
        }
        drop(live);
        ListedSession { sessions: self.clone(), session }
    }

    /// All current sessions, by number.
    pub fn snapshot(&self) -> Vec<Arc<Session>> {
        self.live.lock().sessions.values().cloned().collect()
    }

    /// All sessions, with the traffic of ended ones.
    pub fn at_once(&self) -> Snapshot {
        let live = self.live.lock();
        Snapshot {
            sessions: live.sessions.values().cloned().collect(),
            ended: live.ended,
            of_streams: live.streams.iter().map(|(stream, past)| (*stream, past.ended)).collect(),
        }
    }
}

impl Drop for ListedSession {
    fn drop(&mut self) {
        let mut live = self.sessions.live.lock();
        live.sessions.remove(&self.session.id);
        let traffic = self.session.traffic();
        live.ended += traffic;
        let Some(stream) = self.session.stream_id() else { return };
        if let Some(past) = live.streams.get_mut(&stream) {
            past.ended += traffic;
            past.sessions -= 1;
            if past.sessions == 0 {
                live.streams.remove(&stream);
            }
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.received = self.received.wrapping_add(other.received);
        self.sent = self.sent.wrapping_add(other.sent);
    }
}

impl std::fmt::Display for CarriedCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.traffic.received, self.traffic.sent, self.accepted)
    }
}

impl FromStr for CarriedCounts {
    type Err = ();

    fn from_str(text: &str) -> Result<CarriedCounts, ()> {
        let mut numbers = text.split(' ').map(|word| word.parse().map_err(drop));
        let mut next = || numbers.next().unwrap_or(Err(()));
        Ok(CarriedCounts { traffic: Traffic { received: next()?, sent: next()? }, accepted: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_on_is_read_back() {
        let carried = CarriedCounts { traffic: Traffic { received: 1, sent: u64::MAX }, accepted: 3 };
        assert_eq!(carried.to_string().parse(), Ok(carried));
        assert_eq!("1 2".parse::<CarriedCounts>(), Err(()));
        assert_eq!(Sessions::beginning(carried).carried(), carried);
    }
}
