//! The servers of sessions, for `sticky learn`.

use std::hash::RandomState;

use bstr::{BStr, BString, ByteSlice};
use lru::LruCache;
use md5::{Digest, Md5};
use parking_lot::Mutex;

/// Bytes of a zone that a session takes. As in nginx, a megabyte is for about 4000 of them.
const SESSION: u64 = 256;
/// Bytes of a zone that are not for sessions: two pages.
const OTHERS: u64 = 2 * 4096;
/// Milliseconds between two log lines about a full zone.
const QUIET: u64 = 60_000;

/// A zone: its name and its size in bytes, which bounds the number of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionZone {
    pub(super) name: BString,
    pub(super) size: u64,
}

/// The sessions of a zone, in the order of their latest use. They outlive the configurations in which the zone stays the same.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) zone: SessionZone,
    most: usize,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// By MD5 of their names, whose lengths clients choose.
    sessions: LruCache<[u8; 16], Session, RandomState>,
    /// Millisecond of the latest log line about the bound.
    complained: Option<u64>,
}

#[derive(Debug)]
struct Session {
    /// The server.
    sid: BString,
    /// Millisecond of the latest use.
    used: u64,
}

/// Whether a full zone is to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FullZoneNotice {
    /// There was room, or it was logged a short while ago.
    Quiet,
    /// The oldest session was dropped.
    Full,
}

fn key(name: &[u8]) -> [u8; 16] {
    Md5::digest(name).into()
}

impl Sessions {
    pub(super) fn new(zone: SessionZone) -> Sessions {
        let most = (zone.size.saturating_sub(OTHERS) / SESSION).max(1);
        let sessions = LruCache::unbounded_with_hasher(RandomState::new());
        Sessions {
            zone,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            known: Mutex::new(Known { sessions, complained: None }),
        }
    }

    /// The server of a session that was used within `timeout` milliseconds.
    pub(super) fn find(&self, name: &[u8], timeout: u64, now: u64) -> Option<BString> {
        let known = self.known.lock();
        let session = known.sessions.peek(&key(name))?;
        (now.saturating_sub(session.used) < timeout).then(|| session.sid.clone())
    }

    /// Records that a session was used with a server. One that is not known begins only if `creates` says so.
    pub(super) fn learn(
        &self,
        name: &[u8],
        sid: &BStr,
        creates: bool,
        timeout: u64,
        now: u64,
    ) -> FullZoneNotice {
        let mut known = self.known.lock();
        let is_old = |session: &Session| now.saturating_sub(session.used) >= timeout;
        while known.sessions.peek_lru().is_some_and(|(_, session)| is_old(session)) {
            known.sessions.pop_lru();
        }
        let key = key(name);
        if let Some(session) = known.sessions.get_mut(&key) {
            session.used = now;
            if session.sid != sid {
                session.sid = sid.to_owned();
            }
            return FullZoneNotice::Quiet;
        }
        if !creates {
            return FullZoneNotice::Quiet;
        }
        let is_full = known.sessions.len() >= self.most;
        if is_full {
            known.sessions.pop_lru();
        }
        known.sessions.put(key, Session { sid: sid.as_bytes().into(), used: now });
        if is_full && known.complained.is_none_or(|at| now.saturating_sub(at) >= QUIET) {
            known.complained = Some(now);
            return FullZoneNotice::Full;
        }
        FullZoneNotice::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(size: u64) -> Sessions {
        Sessions::new(SessionZone { name: "z".into(), size })
    }

    #[test]
    fn sessions_last_for_their_time_after_each_use() {
        let sessions = sessions(32768);
        let server = |now| sessions.find(b"s", 100, now);
        sessions.learn(b"s", "a".into(), false, 100, 0);
        assert_eq!(server(0), None);
        sessions.learn(b"s", "a".into(), true, 100, 0);
        assert_eq!((server(99), server(100)), (Some("a".into()), None));
        sessions.learn(b"s", "b".into(), false, 100, 99);
        assert_eq!((server(198), server(199)), (Some("b".into()), None));
        // It is gone once another one is learned.
        sessions.learn(b"t", "a".into(), true, 100, 199);
        assert_eq!(sessions.known.lock().sessions.len(), 1);
    }

    #[test]
    fn a_full_zone_drops_the_session_that_was_used_longest_ago() {
        let sessions = sessions(32768);
        let learn = |name: &str, now| sessions.learn(name.as_bytes(), "a".into(), true, 1_000_000, now);
        for number in 0..96 {
            assert_eq!(learn(&number.to_string(), number), FullZoneNotice::Quiet);
        }
        assert_eq!(learn("0", 100), FullZoneNotice::Quiet);
        assert_eq!(learn("new", 100), FullZoneNotice::Full);
        assert_eq!(learn("newer", 101), FullZoneNotice::Quiet);
        assert_eq!(learn("newest", 100 + QUIET), FullZoneNotice::Full);
        let is_known = |name: &str| sessions.find(name.as_bytes(), 1_000_000, 200).is_some();
        assert_eq!(["0", "1", "2", "3", "4"].map(is_known), [true, false, false, false, true]);
        assert_eq!(sessions.known.lock().sessions.len(), 96);
        assert_eq!(Sessions::new(SessionZone { name: "z".into(), size: 1 << 20 }).most, 4064);
    }
}
