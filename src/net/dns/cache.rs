//! DNS cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::answer::{Addresses, LookupError};
use crate::limits;

/// Entries by lower-case name.
#[derive(Default)]
pub(super) struct NameCache(HashMap<Box<str>, Arc<CachedName>>);

/// Cache entry of a name.
pub(super) struct CachedName {
    /// The name in lower case.
    pub(super) host: Box<str>,
    /// Held during a query.
    pub(super) turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

struct Known {
    /// The last answer, with its expiry.
    answer: Option<(Addresses, Instant)>,
    /// Error of the last query, with the time until which it is not repeated.
    failure: Option<(LookupError, Instant)>,
    /// Time of the last lookup.
    used: Instant,
}

impl NameCache {
    /// Entry of a name, created if necessary. A full cache evicts the least recently used entry.
    pub(super) fn entry(&mut self, host: &str, now: Instant) -> Arc<CachedName> {
        let host: Box<str> = host.to_ascii_lowercase().into();
        if let Some(entry) = self.0.get(&host) {
            entry.known.lock().used = now;
            return entry.clone();
        }
        if self.0.len() >= limits::DNS_NAMES {
            let oldest = self.0.values().min_by_key(|entry| entry.known.lock().used).map(|e| e.host.clone());
            oldest.map(|host| self.0.remove(&host));
        }
        let known = Known { answer: None, failure: None, used: now };
        let entry =
            Arc::new(CachedName { host: host.clone(), turn: Default::default(), known: Mutex::new(known) });
        self.0.insert(host, entry.clone());
        entry
    }

    /// Names in use whose answers expire before `next`. Names not looked up for long are skipped.
    pub(super) fn due(&self, now: Instant, next: Instant) -> Vec<Arc<CachedName>> {
        let wanted = |known: &Known| now.duration_since(known.used) < limits::DNS_IN_USE;
        let ends = |known: &Known| known.answer.as_ref().is_some_and(|(_, until)| *until < next);
        let is_due = |entry: &&Arc<CachedName>| {
            let known = entry.known.lock();
            wanted(&known) && ends(&known)
        };
        self.0.values().filter(is_due).cloned().collect()
    }

    /// Expires all answers; they are kept as a fallback for failures.
    pub(super) fn expire(&self) {
        let now = Instant::now();
        for entry in self.0.values() {
            let mut known = entry.known.lock();
            known.failure = None;
            if let Some((_, until)) = &mut known.answer {
                *until = now;
            }
        }
    }
}

impl CachedName {
    /// Cached result that is still valid at `now`.
    pub(super) fn known(&self, now: Instant) -> Option<Result<Addresses, LookupError>> {
        let known = self.known.lock();
        match (&known.answer, &known.failure) {
            (Some((addresses, until)), _) if now < *until => Some(Ok(addresses.clone())),
            (answer, Some((error, until))) if now < *until => Some(match answer {
                Some((addresses, _)) => Ok(addresses.clone()),
                None => Err(error.clone()),
            }),
            _ => None,
        }
    }

    /// The last answer, even if expired.
    pub(super) fn last(&self) -> Option<Addresses> {
        self.known.lock().answer.as_ref().map(|(addresses, _)| addresses.clone())
    }

    /// Stores an answer. Returns whether it ends a failure.
    pub(super) fn learned(&self, addresses: Addresses, lasts: Duration) -> bool {
        let mut known = self.known.lock();
        let again = known.failure.take().is_some();
        known.answer = Some((addresses, Instant::now() + lasts));
        again
    }

    /// Stores a failure for those that wait for it; the last answer is void. Returns that there is none, and whether the failure is new.
    pub(super) fn refused(&self, error: &LookupError) -> (Option<Addresses>, bool) {
        let mut known = self.known.lock();
        known.answer = None;
        (None, known.failure.replace((error.clone(), Instant::now())).is_none())
    }

    /// Stores a failure. Returns the last answer if it may still be used, and whether the failure is new.
    pub(super) fn failed(&self, error: &LookupError) -> (Option<Addresses>, bool) {
        let mut known = self.known.lock();
        // A name server that denies the name has answered, so the last answer is void (RFC 8767 §4).
        if matches!(error, LookupError::NotFound(_)) {
            known.answer = None;
        }
        let is_first = known.failure.is_none();
        known.failure = Some((error.clone(), Instant::now() + limits::DNS_RETRY));
        (known.answer.as_ref().map(|(addresses, _)| addresses.clone()), is_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(last: u8) -> Addresses {
        [std::net::IpAddr::from([192, 0, 2, last])].into()
    }

    fn failure() -> LookupError {
        LookupError::Failed("away".into())
    }

    #[test]
    fn an_answer_counts_for_its_time() {
        let now = Instant::now();
        let entry = NameCache::default().entry("Host.Example", now);
        assert_eq!(&*entry.host, "host.example");
        assert!(entry.known(now).is_none());
        assert!(!entry.learned(addresses(1), Duration::from_secs(60)));
        assert_eq!(entry.known(now), Some(Ok(addresses(1))));
        assert_eq!(entry.known(now + Duration::from_secs(61)), None);
        assert_eq!(entry.last(), Some(addresses(1)));
    }

    #[test]
    fn a_failure_leaves_the_last_answer_but_a_denial_does_not() {
        let now = Instant::now();
        let entry = NameCache::default().entry("h", now);
        assert_eq!(entry.failed(&failure()), (None, true));
        assert_eq!(entry.known(now), Some(Err(failure())), "no server is asked again at once");
        assert!(entry.learned(addresses(1), Duration::ZERO));
        assert_eq!(entry.failed(&failure()), (Some(addresses(1)), true));
        assert_eq!(entry.failed(&failure()), (Some(addresses(1)), false));
        assert_eq!(entry.known(Instant::now()), Some(Ok(addresses(1))));
        assert!(entry.learned(addresses(2), Duration::ZERO));
        let denial = LookupError::NotFound("h".into());
        assert_eq!(entry.failed(&denial), (None, true));
        assert_eq!(entry.last(), None);
    }

    #[test]
    fn a_refusal_leaves_nothing_but_for_those_that_wait() {
        let now = Instant::now();
        let entry = NameCache::default().entry("h", now);
        assert!(!entry.learned(addresses(1), Duration::from_secs(60)));
        assert_eq!(entry.refused(&failure()), (None, true));
        assert_eq!(entry.known(now), Some(Err(failure())));
        assert_eq!(entry.known(Instant::now() + Duration::from_millis(1)), None);
    }

    #[test]
    fn the_name_that_nobody_wants_goes_first() {
        let (mut cache, start) = (NameCache::default(), Instant::now());
        let at = |n: usize| start + Duration::from_millis(n as u64);
        for n in 0..limits::DNS_NAMES {
            cache.entry(&format!("h{n}"), at(n));
        }
        cache.entry("h0", at(limits::DNS_NAMES));
        cache.entry("one-more", at(limits::DNS_NAMES + 1));
        assert_eq!(cache.0.len(), limits::DNS_NAMES);
        assert!(cache.0.contains_key("h0") && !cache.0.contains_key("h1"));
    }

    #[test]
    fn names_in_use_are_due_before_their_time_ends() {
        let (mut cache, now) = (NameCache::default(), Instant::now());
        for (host, seconds) in [("soon", 1), ("late", 100)] {
            cache.entry(host, now).learned(addresses(1), Duration::from_secs(seconds));
        }
        cache.entry("unknown", now);
        let due = |at: Instant| {
            let due = cache.due(at, at + Duration::from_secs(5));
            due.iter().map(|entry| entry.host.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(due(now), ["soon"]);
        assert!(due(now + limits::DNS_IN_USE).is_empty());
        cache.expire();
        assert_eq!(cache.due(now, now + Duration::from_secs(5)).len(), 2);
    }
}
