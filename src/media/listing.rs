//! List of all media sessions with their traffic, for statistics and control.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use strum::EnumCount;

use super::session::{Protocol, Reason, Role, Session};

/// Bytes received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    totals: SessionTotals,
    /// Attempts of relays.
    pub relays: RelayCounters,
}

/// Attempts of relays so far, by direction.
#[derive(Debug, Default)]
pub struct RelayCounters {
    /// From other servers.
    pub pull: RelayCounter,
    /// To other servers.
    pub push: RelayCounter,
}

/// Attempts of relays of one direction so far.
#[derive(Debug, Default)]
pub struct RelayCounter {
    /// Connections begun.
    pub attempts: AtomicU64,
    /// Those through which media flowed.
    pub started: AtomicU64,
    /// Those that failed or were refused.
    pub failed: AtomicU64,
}

/// Numbers of sessions so far.
#[derive(Debug, Default)]
struct SessionTotals {
    /// By [`Protocol`] and [`Role`].
    begun: [[AtomicU64; 2]; 4],
    /// By [`Reason`].
    ended: [AtomicU64; Reason::COUNT],
}

/// Changed and read under one lock, so that a session's traffic counts exactly once.
#[derive(Debug, Default)]
struct LiveSessions {
    sessions: BTreeMap<u64, Arc<Session>>,
    /// Traffic of ended sessions.
    ended: Traffic,
    /// Traffic of ended sessions by stream, for streams that have a session.
    streams: HashMap<u64, EndedSessions>,
    /// What the other process of an upgrade has counted already.
    passed_on: CarriedCounts,
    /// Number of processes that were to replace this one. Each numbers its sessions in a range of its own.
    successors: u64,
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

/// Counters that a process passes to the other one of an upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedCounts {
    /// Traffic of all sessions so far.
    pub traffic: Traffic,
    /// Number of connections accepted so far.
    pub accepted: u64,
    /// Highest session number so far.
    ids: u64,
}

/// Distance between the session numbers of the two processes of an upgrade: both go on counting.
const ID_DISTANCE: u64 = 1_000_000;

impl Sessions {
    /// Continues the counters of the preceding process.
    pub fn beginning(carried: CarriedCounts) -> Sessions {
        let live = LiveSessions { ended: carried.traffic, passed_on: carried, ..LiveSessions::default() };
        let accepted_total = AtomicU64::new(carried.accepted);
        let ids = match carried.ids {
            // It replaces no process.
            0 => 0,
            ids => (ids / ID_DISTANCE + 1).wrapping_mul(ID_DISTANCE),
        };
        Sessions {
            live: Mutex::new(live),
            ids: AtomicU64::new(ids),
            accepted_total,
            totals: SessionTotals::default(),
            relays: RelayCounters::default(),
        }
    }

    /// Counters for the succeeding process, which continues them.
    pub fn pass_on(&self) -> CarriedCounts {
        let counted = self.counted();
        let mut live = self.live.lock();
        live.passed_on = counted;
        live.successors += 1;
        let ids = counted.ids.max(1).saturating_add((live.successors - 1) * ID_DISTANCE);
        CarriedCounts { ids, ..counted }
    }

    /// What was counted since the counters were passed on to the other process of the upgrade, or taken over from it.
    pub fn remainder(&self) -> CarriedCounts {
        let (counted, passed_on) = (self.counted(), self.live.lock().passed_on);
        let since = |count: fn(&CarriedCounts) -> u64| count(&counted).wrapping_sub(count(&passed_on));
        let traffic = Traffic { received: since(|c| c.traffic.received), sent: since(|c| c.traffic.sent) };
        CarriedCounts { traffic, accepted: since(|c| c.accepted), ids: counted.ids }
    }

    /// Adds the remainder of the other process, which ends.
    pub fn take_over(&self, remainder: CarriedCounts) {
        self.live.lock().ended += remainder.traffic;
        self.accepted_total.fetch_add(remainder.accepted, Ordering::Relaxed);
    }

    /// All that was counted so far.
    pub fn counted(&self) -> CarriedCounts {
        let Snapshot { sessions, ended: mut traffic, .. } = self.at_once();
        sessions.iter().for_each(|session| traffic += session.traffic());
        CarriedCounts { traffic, accepted: self.accepted_total(), ids: self.ids.load(Ordering::Relaxed) }
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

    /// Sessions that this process has begun.
    pub fn begun_total(&self, protocol: Protocol, role: Role) -> u64 {
        self.totals.begun[protocol as usize][role as usize].load(Ordering::Relaxed)
    }

    /// Sessions that have ended in this process for a reason.
    pub fn ended_total(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.totals.ended.iter().enumerate().filter_map(|(number, count)| {
            let reason = u8::try_from(number).ok().and_then(Reason::from_repr)?;
            Some((reason, count.load(Ordering::Relaxed)))
        })
    }

    /// Lists a session until the result is dropped.
    pub fn list(self: &Arc<Self>, session: Arc<Session>) -> ListedSession {
        self.totals.begun[session.protocol as usize][session.role as usize].fetch_add(1, Ordering::Relaxed);
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
        self.sessions.totals.ended[self.session.reason() as usize].fetch_add(1, Ordering::Relaxed);
        let mut live = self.sessions.live.lock();
        // A connection that changes to another stream may have listed its next session.
        if live.sessions.get(&self.session.id).is_some_and(|listed| Arc::ptr_eq(listed, &self.session)) {
            live.sessions.remove(&self.session.id);
        }
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
        write!(f, "{} {} {} {}", self.traffic.received, self.traffic.sent, self.accepted, self.ids)
    }
}

impl FromStr for CarriedCounts {
    type Err = ();

    fn from_str(text: &str) -> Result<CarriedCounts, ()> {
        let mut numbers = text.split(' ').map(|word| word.parse().map_err(drop));
        let mut next = || numbers.next().unwrap_or(Err(()));
        let traffic = Traffic { received: next()?, sent: next()? };
        Ok(CarriedCounts { traffic, accepted: next()?, ids: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_on_is_read_back() {
        let carried = CarriedCounts { traffic: Traffic { received: 1, sent: u64::MAX }, accepted: 3, ids: 7 };
        assert_eq!(carried.to_string().parse(), Ok(carried));
        assert_eq!("1 2".parse::<CarriedCounts>(), Err(()));
        let sessions = Sessions::beginning(carried);
        assert_eq!(sessions.counted(), CarriedCounts { ids: ID_DISTANCE, ..carried });
        assert_eq!(sessions.next_id(), ID_DISTANCE + 1);
        let remainder = sessions.remainder();
        assert_eq!((remainder.traffic, remainder.accepted), (Traffic::default(), 1));
        let old = Sessions::beginning(CarriedCounts::default());
        old.take_over(remainder);
        assert_eq!(old.counted().accepted, 1);
        let ranges = [old.pass_on(), old.pass_on()].map(|carried| Sessions::beginning(carried).next_id());
        assert_eq!(ranges, [ID_DISTANCE + 1, 2 * ID_DISTANCE + 1]);
        assert_eq!(old.remainder().accepted, 0);
    }
}
