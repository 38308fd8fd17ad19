//! Certificates whose files depend on requests or clients, kept for some time (`ssl_certificate_cache`).

use std::hash::{Hash, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

/// Files of a certificate and of its key.
pub(super) type Files = (PathBuf, PathBuf);

/// What was made of certificates and keys that were read, each with what it was made for.
#[derive(Debug)]
pub struct CertificateCache<K: Hash + Eq, V> {
    most: usize,
    inactive: Duration,
    valid: Duration,
    kept: Mutex<LruCache<K, Kept<V>, RandomState>>,
}

#[derive(Debug)]
struct Kept<V> {
    made: V,
    read: Instant,
    used: Instant,
}

impl<K: Hash + Eq, V: Clone> CertificateCache<K, V> {
    /// A cache of `most` files. As in nginx, a certificate and its key are two.
    pub fn new(most: u64, inactive: Duration, valid: Duration) -> CertificateCache<K, V> {
        let most = usize::try_from(most / 2).unwrap_or(usize::MAX);
        let kept = Mutex::new(LruCache::unbounded_with_hasher(RandomState::new()));
        CertificateCache { most, inactive, valid, kept }
    }

    /// What was read and used not too long before `now`.
    pub fn get(&self, files: &K, now: Instant) -> Option<V> {
        let mut kept = self.kept.lock();
        let is_old = |since: Instant, time: Duration| now.saturating_duration_since(since) >= time;
        while kept.peek_lru().is_some_and(|(_, kept)| is_old(kept.used, self.inactive)) {
            kept.pop_lru();
        }
        let found = kept.get_mut(files)?;
        if is_old(found.read, self.valid) {
            kept.pop(files);
            return None;
        }
        found.used = now;
        Some(found.made.clone())
    }

    /// Keeps what was made; what was used longest ago gives way.
    pub fn put(&self, files: K, made: V, now: Instant) {
        let mut kept = self.kept.lock();
        kept.put(files, Kept { made, read: now, used: now });
        while kept.len() > self.most {
            kept.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str) -> Files {
        (name.into(), name.into())
    }

    #[test]
    fn certificates_are_read_again_and_bounded() {
        let second = Duration::from_secs(1);
        let (cache, start) = (CertificateCache::new(4, second * 10, second * 15), Instant::now());
        let is_kept = |name: &str, at: u32| cache.get(&files(name), start + second * at).is_some();
        cache.put(files("a"), (), start);
        assert!(is_kept("a", 9) && is_kept("a", 14));
        assert!(!is_kept("a", 15), "it is read again, however much it is used");
        cache.put(files("a"), (), start);
        assert!(!is_kept("a", 10), "it was not used");
        for name in ["a", "b", "c"] {
            cache.put(files(name), (), start);
        }
        assert!(!is_kept("a", 1) && is_kept("b", 1) && is_kept("c", 1), "four files are two pairs");
    }
}
