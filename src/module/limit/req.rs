//! `limit_req`: nginx's leaky bucket per key.
//!
//! A state's excess is the number of requests above the rate, in thousandths. Each request adds one and time takes off
//! the rate. The states of a zone are evicted from the one used longest ago.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::share::{self, ZoneIdentity};

/// Maximum length of a key in bytes; nginx ignores a limit for a longer one, with an error in the log.
pub const KEY_LENGTH: usize = 65_535;

/// Size in bytes of a state of nginx without its key.
const STATE: usize = 80;
/// Age in milliseconds from which a state without excess is removed.
const IDLE: u64 = 60_000;
/// One request, in thousandths.
const ONE: i64 = 1000;

/// The states of a zone, shared by all workers and kept over reloads.
#[derive(Debug)]
pub struct ReqStates {
    /// The zone.
    pub zone: ZoneIdentity,
    hasher: RandomState,
    shares: Vec<Mutex<Share>>,
}

/// One `limit_req` line.
#[derive(Clone, Debug)]
pub struct ReqLimit {
    /// The zone's states.
    pub states: Arc<ReqStates>,
    /// Requests per second in thousandths.
    pub rate: u64,
    /// Excess in thousandths above which requests are refused.
    pub burst: u64,
    /// Excess in thousandths above which requests are delayed.
    pub delay: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReqVerdict {
    /// No limit applies: there is none, or all keys are empty.
    Unlimited,
    /// It is within the limits.
    Pass,
    /// It waits.
    Delay {
        /// The wait in milliseconds.
        msec: u64,
        /// Excess in thousandths, for the log.
        excess: u64,
        /// Index of the limit that decides.
        by: usize,
    },
    /// It is refused.
    Reject {
        /// Excess in thousandths, for the log; `None` where the zone had no memory for the key.
        excess: Option<u64>,
        /// Index of the limit that decides.
        by: usize,
    },
}

#[derive(Debug)]
struct Share {
    states: LruCache<Box<[u8]>, State, RandomState>,
    /// Bytes in use and available, by nginx's count.
    used: u64,
    capacity: u64,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Excess in thousandths.
    excess: i64,
    /// Time of the last request in milliseconds; `None` before the first one is counted.
    last: Option<u64>,
    /// Number of requests that are being decided, which keep the state from eviction.
    pins: u32,
}

/// What one limit says.
enum Step {
    /// The request is refused.
    Busy(u64),
    /// The zone is full of states that are in use.
    Full,
    /// The request is within the burst.
    Fits(u64),
}

/// Decides about a request. `limits` have the text of their keys; `now` is a monotonic time in milliseconds.
///
/// As in nginx, the request is counted by all limits or by none, and empty or too long keys are not limited.
pub fn decide(limits: &[(&ReqLimit, &[u8])], now: u64) -> ReqVerdict {
    let applies = |key: &[u8]| !key.is_empty() && key.len() <= KEY_LENGTH;
    let mut pinned: Vec<usize> = Vec::new();
    // The last line counts at once, the others after it has agreed.
    let mut counted = None;
    for (at, (limit, key)) in limits.iter().enumerate().filter(|(_, (_, key))| applies(key)) {
        let is_last = at + 1 == limits.len();
        let excess = match limit.look_up(key, now, is_last) {
            Step::Fits(excess) => excess,
            refusal => {
                for pinned in pinned {
                    let (limit, key) = limits[pinned];
                    limit.states.share(key).lock().unpin(key);
                }
                let excess = if let Step::Busy(excess) = refusal { Some(excess) } else { None };
                return ReqVerdict::Reject { excess, by: at };
            }
        };
        if is_last {
            counted = Some((at, excess));
        } else {
            pinned.push(at);
        }
    }
    if counted.is_none() && pinned.is_empty() {
        return ReqVerdict::Unlimited;
    }
    let mut longest = (0, 0, 0);
    let mut consider = |at: usize, excess: u64| {
        let msec = limits[at].0.wait(excess);
        if msec > longest.0 {
            longest = (msec, excess, at);
        }
    };
    if let Some((at, excess)) = counted {
        consider(at, excess);
    }
    for at in pinned.into_iter().rev() {
        let (limit, key) = limits[at];
        consider(at, limit.count(key, now));
    }
    match longest {
        (0, ..) => ReqVerdict::Pass,
        (msec, excess, by) => ReqVerdict::Delay { msec, excess, by },
    }
}

impl ReqVerdict {
    /// The value of `$limit_req_status`; with `dry_run`, the request is let through all the same.
    pub fn status(self, dry_run: bool) -> Option<&'static str> {
        match (self, dry_run) {
            (ReqVerdict::Unlimited, _) => None,
            (ReqVerdict::Pass, _) => Some("PASSED"),
            (ReqVerdict::Delay { .. }, false) => Some("DELAYED"),
            (ReqVerdict::Delay { .. }, true) => Some("DELAYED_DRY_RUN"),
            (ReqVerdict::Reject { .. }, false) => Some("REJECTED"),
            (ReqVerdict::Reject { .. }, true) => Some("REJECTED_DRY_RUN"),
        }
    }
}

impl ReqStates {
    /// A zone without states.
    pub fn new(zone: ZoneIdentity) -> ReqStates {
        let shares = share::shares(zone.size);
        let capacity = share::capacity(zone.size) / shares as u64;
        let share = || {
            let states = LruCache::unbounded_with_hasher(RandomState::new());
            Mutex::new(Share { states, used: 0, capacity })
        };
        ReqStates { zone, hasher: RandomState::new(), shares: (0..shares).map(|_| share()).collect() }
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.shares.iter().map(|share| share.lock().states.len()).sum()
    }

    /// Whether there are no states.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn share(&self, key: &[u8]) -> &Mutex<Share> {
        let at =
            if self.shares.len() == 1 { 0 } else { self.hasher.hash_one(key) as usize % self.shares.len() };
        &self.shares[at]
    }
}

impl ReqLimit {
    /// Finds or makes the state of a key. `counts` adds the request; otherwise the state is pinned.
    fn look_up(&self, key: &[u8], now: u64, counts: bool) -> Step {
        let mut share = self.states.share(key).lock();
        let rate = self.rate;
        if let Some(state) = share.states.get_mut(key) {
            let (excess, last) = state.after(now, rate);
            if excess as u64 > self.burst {
                return Step::Busy(excess as u64);
            }
            if counts {
                (state.excess, state.last) = (excess, last);
            } else {
                state.pins += 1;
            }
            return Step::Fits(excess as u64);
        }
        let cost = share::cost(STATE + key.len());
        share.expire(now, rate, false);
        if share.used + cost > share.capacity {
            share.expire(now, rate, true);
        }
        if share.used + cost > share.capacity {
            return Step::Full;
        }
        share.used += cost;
        let state = match counts {
            true => State { excess: 0, last: Some(now), pins: 0 },
            false => State { excess: 0, last: None, pins: 1 },
        };
        share.states.put(key.into(), state);
        Step::Fits(0)
    }

    /// Adds the request to a pinned state, unpins it, and returns the excess.
    fn count(&self, key: &[u8], now: u64) -> u64 {
        let mut share = self.states.share(key).lock();
        let Some(state) = share.states.peek_mut(key) else { return 0 };
        (state.excess, state.last) = state.after(now, self.rate);
        state.pins -= 1;
        state.excess as u64
    }

    /// The wait for an excess, in milliseconds.
    fn wait(&self, excess: u64) -> u64 {
        excess.saturating_sub(self.delay).saturating_mul(1000) / self.rate.max(1)
    }
}

impl State {
    /// Excess, which is never negative, and time after one more request.
    fn after(&self, now: u64, rate: u64) -> (i64, Option<u64>) {
        let Some(last) = self.last else { return (0, Some(now)) };
        // A worker's clock may be a little behind that of another one.
        let elapsed = match now.checked_sub(last) {
            Some(elapsed) => elapsed,
            None if last - now > IDLE => 1,
            None => 0,
        };
        let excess = self.excess.saturating_sub(leaked(rate, elapsed)).saturating_add(ONE).max(0);
        (excess, Some(if elapsed > 0 { now } else { last }))
    }
}

/// What runs out of a bucket in a time, in thousandths of a request.
fn leaked(rate: u64, msec: u64) -> i64 {
    i64::try_from(rate.saturating_mul(msec) / 1000).unwrap_or(i64::MAX)
}

impl Share {
    /// Removes up to two states without excess, before them the oldest one in any case with `force`.
    fn expire(&mut self, now: u64, rate: u64, force: bool) {
        for round in usize::from(!force)..3 {
            let Some((key, state)) = self.states.peek_lru() else { return };
            if state.pins > 0 {
                return;
            }
            if round > 0 {
                let age = now.abs_diff(state.last.unwrap_or(0));
                if age < IDLE || state.excess > leaked(rate, age) {
                    return;
                }
            }
            self.used -= share::cost(STATE + key.len());
            self.states.pop_lru();
        }
    }

    fn unpin(&mut self, key: &[u8]) {
        if let Some(state) = self.states.peek_mut(key) {
            state.pins -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: u64, burst: u64, delay: u64) -> ReqLimit {
        let states =
            ReqStates::new(ZoneIdentity { name: "a".into(), size: 32 * 1024, key: "$http_x".into() });
        ReqLimit { states: Arc::new(states), rate, burst: burst * 1000, delay: delay * 1000 }
    }

    fn at(limit: &ReqLimit, now: u64) -> ReqVerdict {
        decide(&[(limit, b"key")], now)
    }

    #[test]
    fn requests_within_the_rate_pass_and_others_are_refused() {
        let limit = limit(1000, 0, 0);
        assert_eq!(at(&limit, 0), ReqVerdict::Pass);
        assert_eq!(at(&limit, 1), ReqVerdict::Reject { excess: Some(999), by: 0 });
        assert_eq!(at(&limit, 999), ReqVerdict::Reject { excess: Some(1), by: 0 });
        assert_eq!(at(&limit, 1000), ReqVerdict::Pass);
        assert_eq!(at(&limit, 1000).status(true), Some("REJECTED_DRY_RUN"));
    }

    #[test]
    fn a_burst_is_delayed_by_its_excess() {
        let limit = limit(2000, 2, 1);
        let verdicts: Vec<_> = (0..4).map(|_| at(&limit, 5)).collect();
        assert_eq!(
            verdicts,
            [
                ReqVerdict::Pass,
                ReqVerdict::Pass,
                ReqVerdict::Delay { msec: 500, excess: 2000, by: 0 },
                ReqVerdict::Reject { excess: Some(3000), by: 0 },
            ]
        );
    }

    #[test]
    fn without_delay_a_burst_passes() {
        let limit = ReqLimit { delay: u64::MAX, ..limit(1000, 3, 0) };
        let refused = (0..10).filter(|_| matches!(at(&limit, 0), ReqVerdict::Reject { .. })).count();
        assert_eq!(refused, 6);
    }

    #[test]
    fn a_refused_request_is_counted_by_no_limit() {
        let (wide, narrow) = (limit(1000, 5, 5), limit(1000, 0, 0));
        let both = |now| decide(&[(&wide, b"k"), (&narrow, b"k")], now);
        assert_eq!(both(0), ReqVerdict::Pass);
        for _ in 0..20 {
            assert_eq!(both(0), ReqVerdict::Reject { excess: Some(1000), by: 1 });
        }
        assert_eq!(decide(&[(&wide, b"k")], 0), ReqVerdict::Pass);
        let pins: u32 = wide.states.shares[0].lock().states.iter().map(|(_, state)| state.pins).sum();
        assert_eq!(pins, 0);
    }

    #[test]
    fn the_longest_delay_of_several_limits_decides() {
        let (slow, fast) = (limit(500, 5, 0), limit(1000, 5, 0));
        let both = |now| decide(&[(&slow, b"k"), (&fast, b"k")], now);
        both(0);
        assert_eq!(both(0), ReqVerdict::Delay { msec: 2000, excess: 1000, by: 0 });
    }

    #[test]
    fn empty_and_too_long_keys_are_not_limited() {
        let limit = limit(1, 0, 0);
        let long = vec![b'k'; KEY_LENGTH + 1];
        for key in [&b""[..], &long] {
            assert_eq!(decide(&[(&limit, key)], 0), ReqVerdict::Unlimited);
        }
        assert!(limit.states.is_empty());
        // The last line is skipped: the line before it counts all the same.
        let two = |now| decide(&[(&limit, b"k"), (&limit, b"")], now);
        assert_eq!(two(0), ReqVerdict::Pass);
        assert_eq!(two(0), ReqVerdict::Reject { excess: Some(1000), by: 0 });
    }

    #[test]
    fn a_full_zone_forgets_the_key_used_longest_ago() {
        let limit = limit(1, 0, 0);
        let ask = |n: u32| decide(&[(&limit, &n.to_be_bytes())], 0);
        let states = (share::capacity(32 * 1024) / share::cost(84)) as u32;
        for n in 0..states {
            assert_eq!(ask(n), ReqVerdict::Pass, "{n}");
        }
        // This one becomes the latest used.
        assert!(matches!(ask(0), ReqVerdict::Reject { .. }));
        assert_eq!(ask(states), ReqVerdict::Pass);
        assert_eq!(limit.states.len(), states as usize);
        assert!(matches!(ask(0), ReqVerdict::Reject { .. }));
        assert_eq!(ask(1), ReqVerdict::Pass, "it had been forgotten");
    }

    #[test]
    fn a_key_larger_than_the_zone_is_refused() {
        let limit = limit(1, 0, 0);
        let key = vec![b'k'; 40_000];
        assert_eq!(decide(&[(&limit, &key)], 0), ReqVerdict::Reject { excess: None, by: 0 });
    }

    #[test]
    fn idle_states_are_removed_when_others_come() {
        let limit = limit(1000, 0, 0);
        for n in 0..10_u32 {
            decide(&[(&limit, &n.to_be_bytes())], 0);
        }
        for n in 10..15_u32 {
            decide(&[(&limit, &n.to_be_bytes())], 60_000);
        }
        assert_eq!(limit.states.len(), 5);
    }
}
