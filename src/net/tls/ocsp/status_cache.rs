//! Cache of the statuses of clients' certificates (`ssl_ocsp_cache`).

use lru::LruCache;
use parking_lot::Mutex;

use super::message::{CertId, CertStatus};
use crate::limits;

/// Statuses, for all servers that name the same cache.
pub(in crate::net::tls) struct StatusCache(Mutex<Statuses>);

struct Statuses {
    /// Each with the moment up to which it counts, in seconds since 1970.
    held: LruCache<CertId, (CertStatus, i64)>,
    bytes: usize,
    most: usize,
}

impl StatusCache {
    /// A cache of so many bytes.
    pub(in crate::net::tls) fn new(most: usize) -> StatusCache {
        StatusCache(Mutex::new(Statuses { held: LruCache::unbounded(), bytes: 0, most }))
    }

    /// Applies another bound, when a reload changes it.
    pub(in crate::net::tls) fn rebound(&self, most: usize) {
        let mut statuses = self.0.lock();
        statuses.most = most;
        statuses.shrink();
    }

    pub(super) fn get(&self, id: &CertId, now: i64) -> Option<CertStatus> {
        let mut statuses = self.0.lock();
        match statuses.held.get(id) {
            Some((status, valid)) if *valid > now => Some(*status),
            Some(_) => {
                statuses.held.pop(id);
                statuses.bytes -= cost(id);
                None
            }
            None => None,
        }
    }

    pub(super) fn put(&self, id: CertId, status: CertStatus, valid: i64) {
        let mut statuses = self.0.lock();
        let added = cost(&id);
        if statuses.held.put(id, (status, valid)).is_none() {
            statuses.bytes += added;
        }
        statuses.shrink();
    }
}

impl Statuses {
    /// Removes the statuses that were used least recently.
    fn shrink(&mut self) {
        while self.bytes > self.most {
            let Some((id, _)) = self.held.pop_lru() else { return };
            self.bytes -= cost(&id);
        }
    }
}

fn cost(id: &CertId) -> usize {
    id.size() + limits::OCSP_STATUS_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_forgets_what_was_used_least_recently_and_what_is_too_old() {
        let id = |serial: u8| CertId::sample(serial);
        let one = cost(&id(1));
        let cache = StatusCache::new(2 * one);
        cache.put(id(1), CertStatus::Good, 100);
        cache.put(id(2), CertStatus::Revoked, 100);
        cache.put(id(2), CertStatus::Revoked, 200);
        assert_eq!(cache.get(&id(1), 50), Some(CertStatus::Good));
        cache.put(id(3), CertStatus::Unknown, 100);
        assert_eq!(cache.get(&id(2), 50), None);
        assert_eq!(cache.get(&id(3), 99), Some(CertStatus::Unknown));
        assert_eq!(cache.get(&id(3), 100), None);
        assert_eq!(cache.0.lock().bytes, one);
        cache.rebound(0);
        assert!(cache.get(&id(1), 50).is_none() && cache.0.lock().bytes == 0);
    }
}
