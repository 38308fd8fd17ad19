//! Certificates that depend on clients, kept for some time (`ssl_certificate_cache`).

use std::hash::RandomState;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;
use rustls::sign::CertifiedKey;

/// Files of a certificate and of its key.
pub(super) type Files = (PathBuf, PathBuf);

/// The certificates of a server that were read.
#[derive(Debug)]
pub(super) struct CertificateCache {
    most: usize,
    inactive: Duration,
    valid: Duration,
    kept: Mutex<LruCache<Files, Kept, RandomState>>,
}

#[derive(Debug)]
struct Kept {
    pair: Arc<CertifiedKey>,
    read: Instant,
    used: Instant,
}

impl CertificateCache {
    pub(super) fn new(most: u64, inactive: Duration, valid: Duration) -> CertificateCache {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let kept = Mutex::new(LruCache::unbounded_with_hasher(RandomState::new()));
        CertificateCache { most, inactive, valid, kept }
    }

    /// A certificate that was read and used not too long before `now`.
    pub(super) fn get(&self, files: &Files, now: Instant) -> Option<Arc<CertifiedKey>> {
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
        Some(found.pair.clone())
    }

    /// Keeps a certificate; the one that was used longest ago gives way.
    pub(super) fn put(&self, files: Files, pair: Arc<CertifiedKey>, now: Instant) {
        let mut kept = self.kept.lock();
        kept.put(files, Kept { pair, read: now, used: now });
        while kept.len() > self.most {
            kept.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring::sign::any_supported_type;
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn pair() -> Arc<CertifiedKey> {
        let key = rcgen::KeyPair::generate().unwrap().serialize_der();
        let key = any_supported_type(&PrivatePkcs8KeyDer::from(key).into()).unwrap();
        Arc::new(CertifiedKey::new(Vec::new(), key))
    }

    fn files(name: &str) -> Files {
        (name.into(), name.into())
    }

    #[test]
    fn certificates_are_read_again_and_bounded() {
        let second = Duration::from_secs(1);
        let (cache, start, pair) =
            (CertificateCache::new(2, second * 10, second * 15), Instant::now(), pair());
        let is_kept = |name: &str, at: u32| cache.get(&files(name), start + second * at).is_some();
        cache.put(files("a"), pair.clone(), start);
        assert!(is_kept("a", 9) && is_kept("a", 14));
        assert!(!is_kept("a", 15), "it is read again, however much it is used");
        cache.put(files("a"), pair.clone(), start);
        assert!(!is_kept("a", 10), "it was not used");
        for name in ["a", "b", "c"] {
            cache.put(files(name), pair.clone(), start);
        }
        assert!(!is_kept("a", 1) && is_kept("b", 1) && is_kept("c", 1));
    }
}
