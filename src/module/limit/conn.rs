//! `limit_conn`: number of requests in progress per key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::share::{self, ZoneIdentity};

/// Maximum length of a key in bytes; nginx ignores a limit for a longer one, with an error in the log.
pub const KEY_LENGTH: usize = 255;

/// Size in bytes of a state of nginx without its key.
const STATE: usize = 36;

/// The counters of a zone, shared by all workers and kept over reloads.
#[derive(Debug)]
pub struct ConnStates {
    /// The zone.
    pub zone: ZoneIdentity,
    hasher: RandomState,
    shares: Vec<Mutex<HashMap<Box<[u8]>, u32>>>,
    /// Bytes in use, by nginx's count.
    used: AtomicU64,
}

/// One `limit_conn` line.
#[derive(Clone, Debug)]
pub struct ConnLimit {
    /// The zone's counters.
    pub states: Arc<ConnStates>,
    /// Maximum number per key.
    pub most: u64,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum ConnVerdict {
    /// It is within the limits, and counted until the guards are dropped. Without a guard no limit applies.
    Pass(Vec<ConnGuard>),
    /// It is refused, and not counted.
    Reject {
        /// Index of the limit that decides.
        by: usize,
        /// Whether the zone had no memory for the key.
        is_full: bool,
    },
}

/// A counted request; dropping it ends the count.
#[derive(Debug)]
pub struct ConnGuard {
    states: Arc<ConnStates>,
    key: Box<[u8]>,
}

/// Decides about a request. `limits` have the text of their keys; empty or too long keys are not limited.
pub fn decide(limits: &[(&ConnLimit, &[u8])]) -> ConnVerdict {
    let mut guards = Vec::new();
    for (at, (limit, key)) in limits.iter().enumerate() {
        if key.is_empty() || key.len() > KEY_LENGTH {
            continue;
        }
        match limit.count(key) {
            Ok(guard) => guards.push(guard),
            // Dropping the guards takes back what has been counted.
            Err(is_full) => return ConnVerdict::Reject { by: at, is_full },
        }
    }
    ConnVerdict::Pass(guards)
}

impl ConnVerdict {
    /// The value of `$limit_conn_status`; with `dry_run`, the request is let through all the same.
    pub fn status(&self, dry_run: bool) -> Option<&'static str> {
        match self {
            ConnVerdict::Pass(guards) => (!guards.is_empty()).then_some("PASSED"),
            ConnVerdict::Reject { .. } if dry_run => Some("REJECTED_DRY_RUN"),
            ConnVerdict::Reject { .. } => Some("REJECTED"),
        }
    }
}

impl ConnStates {
    /// A zone without counters.
    pub fn new(zone: ZoneIdentity) -> ConnStates {
        ConnStates {
            hasher: RandomState::new(),
            shares: (0..share::shares(zone.size)).map(|_| Mutex::default()).collect(),
            zone,
            used: AtomicU64::new(0),
        }
    }

    fn share(&self, key: &[u8]) -> &Mutex<HashMap<Box<[u8]>, u32>> {
        &self.shares[self.hasher.hash_one(key) as usize % self.shares.len()]
    }
}

impl ConnLimit {
    /// Counts a request, or says whether the zone is full.
    fn count(&self, key: &[u8]) -> Result<ConnGuard, bool> {
        let states = &self.states;
        match states.share(key).lock().entry(key.into()) {
            Entry::Occupied(mut counter) => {
                if u64::from(*counter.get()) >= self.most {
                    return Err(false);
                }
                *counter.get_mut() += 1;
            }
            Entry::Vacant(vacant) => {
                let cost = share::cost(STATE + key.len());
                let before = states.used.fetch_add(cost, Ordering::Relaxed);
                if before + cost > share::capacity(states.zone.size) {
                    states.used.fetch_sub(cost, Ordering::Relaxed);
                    return Err(true);
                }
                vacant.insert(1);
            }
        }
        Ok(ConnGuard { states: states.clone(), key: key.into() })
    }
}

impl Drop for ConnGuard {
    fn drop(&mut self) {
        let mut share = self.states.share(&self.key).lock();
        let Some(count) = share.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            share.remove(&self.key);
            self.states.used.fetch_sub(share::cost(STATE + self.key.len()), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(most: u64) -> ConnLimit {
        ConnLimit {
            states: Arc::new(ConnStates::new(ZoneIdentity {
                name: "a".into(),
                size: 32 * 1024,
                key: "$http_x".into(),
            })),
            most,
        }
    }

    #[test]
    fn a_key_is_counted_until_its_guard_is_dropped() {
        let limit = limit(2);
        let ask = || decide(&[(&limit, b"k")]);
        let (one, two) = (ask(), ask());
        assert_eq!((one.status(false), two.status(true)), (Some("PASSED"), Some("PASSED")));
        let refused = ask();
        assert!(matches!(refused, ConnVerdict::Reject { by: 0, is_full: false }));
        assert_eq!(
            (refused.status(false), refused.status(true)),
            (Some("REJECTED"), Some("REJECTED_DRY_RUN"))
        );
        assert_eq!(decide(&[(&limit, b"other")]).status(false), Some("PASSED"));
        drop(one);
        assert_eq!(ask().status(false), Some("PASSED"));
        drop(two);
        assert_eq!(limit.states.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_refused_request_is_counted_by_no_limit() {
        let (wide, narrow) = (limit(9), limit(1));
        let held = decide(&[(&narrow, b"k")]);
        assert!(matches!(decide(&[(&wide, b"k"), (&narrow, b"k")]), ConnVerdict::Reject { by: 1, .. }));
        assert!(wide.states.shares.iter().all(|share| share.lock().is_empty()));
        drop(held);
    }

    #[test]
    fn empty_and_too_long_keys_are_not_limited() {
        let limit = limit(1);
        assert_eq!(decide(&[(&limit, b""), (&limit, &[b'k'; 256])]).status(false), None);
        assert_eq!(decide(&[(&limit, &[b'k'; 255])]).status(false), Some("PASSED"));
    }

    #[test]
    fn a_full_zone_refuses_new_keys() {
        let limit = limit(9);
        let states = share::capacity(32 * 1024) / share::cost(40);
        let mut held: Vec<_> = (0..states as u32).map(|n| decide(&[(&limit, &n.to_be_bytes())])).collect();
        assert!(held.iter().all(|verdict| matches!(verdict, ConnVerdict::Pass(_))));
        let another = || decide(&[(&limit, b"more")]);
        assert!(matches!(another(), ConnVerdict::Reject { by: 0, is_full: true }));
        held.pop();
        assert!(matches!(another(), ConnVerdict::Pass(_)));
    }
}
