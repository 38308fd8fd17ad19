//! Sessions that are kept for resumption (`ssl_session_cache`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

use crate::limits;

/// Sessions of all servers that name the same cache.
pub(super) struct SessionCache(Mutex<Sessions>);

struct Sessions {
    held: LruCache<Vec<u8>, (Instant, Vec<u8>)>,
    bytes: usize,
    bound: Bound,
}

/// How much a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Bytes.
    Bytes(usize),
    /// Sessions.
    Sessions(usize),
}

impl SessionCache {
    pub(super) fn new(bound: Bound) -> SessionCache {
        SessionCache(Mutex::new(Sessions { held: LruCache::unbounded(), bytes: 0, bound }))
    }

    /// Applies another bound, when a reload changes it.
    pub(super) fn rebound(&self, bound: Bound) {
        let mut sessions = self.0.lock();
        sessions.bound = bound;
        sessions.shrink();
    }
}

impl Sessions {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.remove(&key);
        self.bytes += cost(&key, &value);
        self.held.put(key, (Instant::now(), value));
        self.shrink();
    }

    fn remove(&mut self, key: &[u8]) -> Option<(Instant, Vec<u8>)> {
        let (key, value) = self.held.pop_entry(key)?;
        self.bytes -= cost(&key, &value.1);
        Some(value)
    }

    /// Removes the sessions that were used least recently.
    fn shrink(&mut self) {
        while match self.bound {
            Bound::Bytes(most) => self.bytes > most,
            Bound::Sessions(most) => self.held.len() > most,
        } {
            let Some((key, (_, value))) = self.held.pop_lru() else { return };
            self.bytes -= cost(&key, &value);
        }
    }
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + limits::TLS_SESSION_OVERHEAD
}

/// A server's part of a cache.
pub(super) struct ServerSessions {
    pub(super) cache: Arc<SessionCache>,
    /// Identifies what the sessions were made with: those of other servers are not resumed.
    pub(super) context: Vec<u8>,
    pub(super) lifetime: Duration,
}

impl std::fmt::Debug for ServerSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSessions").finish_non_exhaustive()
    }
}

impl ServerSessions {
    fn key(&self, id: &[u8]) -> Vec<u8> {
        [&self.context[..], id].concat()
    }

    fn young(&self, (begun, value): (Instant, Vec<u8>)) -> Option<Vec<u8>> {
        (begun.elapsed() <= self.lifetime).then_some(value)
    }
}

impl StoresServerSessions for ServerSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        if value.len() > limits::TLS_SESSION_BYTES {
            return false;
        }
        self.cache.0.lock().put(self.key(&key), value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.cache.0.lock().held.get(&self.key(key)).cloned()?;
        self.young(found)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.cache.0.lock().remove(&self.key(key))?;
        self.young(found)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// `ssl_session_cache none`: sessions get identifiers, and none is kept.
#[derive(Debug)]
pub(super) struct KeepsNone;

impl StoresServerSessions for KeepsNone {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        false
    }

    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(cache: &Arc<SessionCache>, context: &str) -> ServerSessions {
        ServerSessions {
            cache: cache.clone(),
            context: context.as_bytes().to_vec(),
            lifetime: Duration::from_secs(300),
        }
    }

    #[test]
    fn a_full_cache_forgets_what_was_used_least_recently() {
        let cache = Arc::new(SessionCache::new(Bound::Sessions(2)));
        let (one, other) = (part(&cache, "1"), part(&cache, "2"));
        assert!(one.put(b"a".to_vec(), b"x".to_vec()));
        assert!(one.put(b"b".to_vec(), b"y".to_vec()));
        assert!(other.get(b"a").is_none(), "another server's");
        assert_eq!(one.get(b"a").unwrap(), b"x");
        assert!(other.put(b"c".to_vec(), b"z".to_vec()));
        assert!(one.get(b"b").is_none());
        assert_eq!(one.take(b"a").unwrap(), b"x");
        assert!(one.take(b"a").is_none());
        assert!(!one.put(b"d".to_vec(), vec![0; limits::TLS_SESSION_BYTES + 1]));
        cache.rebound(Bound::Bytes(2 * limits::TLS_SESSION_OVERHEAD));
        assert!(one.put(b"e".to_vec(), vec![0; limits::TLS_SESSION_OVERHEAD]));
        assert!(other.get(b"c").is_none());
        cache.rebound(Bound::Bytes(0));
        assert_eq!(cache.0.lock().bytes, 0);
    }

    #[test]
    fn a_session_ends_with_its_lifetime() {
        let cache = Arc::new(SessionCache::new(Bound::Sessions(2)));
        let short = ServerSessions { lifetime: Duration::ZERO, ..part(&cache, "1") };
        assert!(short.put(b"a".to_vec(), b"x".to_vec()));
        std::thread::sleep(Duration::from_millis(2));
        assert!(short.get(b"a").is_none());
    }
}
