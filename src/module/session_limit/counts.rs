//! Players of each stream and publishers of each address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answered::answered;
use super::bitrate::BitrateWatch;
use super::conf::Current;
use super::log;
use crate::directive::number;
use crate::hub::stream_key::StreamKey;
use crate::media::extension::{AdmissionRule, OnStream, PublishObserver, Running, SessionObserver};
use crate::media::session::{Reason, Role, Session};

/// Numbers of sessions, which limits refer to. Sessions count without a limit too: a reload may set one.
#[derive(Default)]
pub struct SessionLimits {
    viewers: Arc<Counts<StreamKey>>,
    publishers: Arc<Counts<IpAddr>>,
    /// Limits of viewers that callbacks have answered, by stream.
    answered: Arc<AnsweredViewers>,
}

/// Limits of viewers by stream, each with the number of the publisher's session; bounded by the publishers. A second
/// publisher of a name, which is refused, comes after the first.
#[derive(Default)]
struct AnsweredViewers(Mutex<HashMap<StreamKey, Vec<(u64, u64)>>>);

/// A limit that holds until it is dropped.
struct AnsweredLimit {
    answered: Arc<AnsweredViewers>,
    key: StreamKey,
    session: u64,
}

/// Number of sessions by what is limited; bounded by the sessions.
struct Counts<K>(Mutex<HashMap<K, u64>>);

/// A session that counts until it is dropped.
struct Counted<K: Eq + Hash> {
    counts: Arc<Counts<K>>,
    key: K,
}

impl AdmissionRule for SessionLimits {
    fn admit(&self, on: OnStream<'_>) -> Result<Option<Running>, Reason> {
        let application = on.view.current();
        let conf = application.get::<Current>();
        match on.session.role {
            Role::Player => {
                let most = self.answered.limit(&on.session.key).unwrap_or(conf.max_viewers);
                let counted = self.viewers.count(&on.session.key, most);
                let counted = counted.ok_or_else(|| log::too_many_viewers(on.session, most));
                Ok(Some(Box::new(counted.map_err(|()| Reason::OverLimit)?)))
            }
            Role::Publisher => {
                let answered = self.answered.set(on.session);
                let Some(ip) = on.session.peer.ip.map(|ip| ip.to_canonical()) else {
                    return Ok(Some(Box::new(answered)));
                };
                let counted = self.publishers.count(&ip, conf.max_publishers);
                let counted =
                    counted.ok_or_else(|| log::too_many_publishers(on.session, conf.max_publishers));
                Ok(Some(Box::new((counted.map_err(|()| Reason::OverLimit)?, answered))))
            }
        }
    }
}

impl SessionObserver for SessionLimits {
    fn publishing(self: Arc<Self>, publisher: OnStream<'_>) -> Option<Box<dyn PublishObserver>> {
        Some(Box::new(BitrateWatch::new(publisher.view, publisher.session)))
    }
}

impl AnsweredViewers {
    /// Sets the limit of the answer to this publisher's `start`, if there is one.
    fn set(self: &Arc<Self>, session: &Session) -> Option<AnsweredLimit> {
        let most = answered(session, |limits| &limits.max_viewers, "Max-Viewers", number::digits)?;
        let (key, session) = (session.key.clone(), session.id);
        self.0.lock().entry(key.clone()).or_default().push((session, most));
        Some(AnsweredLimit { answered: self.clone(), key, session })
    }

    fn limit(&self, key: &StreamKey) -> Option<u64> {
        self.0.lock().get(key)?.first().map(|(_, most)| *most)
    }
}

impl Drop for AnsweredLimit {
    fn drop(&mut self) {
        let mut answered = self.answered.0.lock();
        if let Some(limits) = answered.get_mut(&self.key) {
            limits.retain(|(session, _)| *session != self.session);
            if limits.is_empty() {
                answered.remove(&self.key);
            }
        }
    }
}

impl<K: Clone + Eq + Hash> Counts<K> {
    /// Counts a session; `None` if there are `most` already. 0 is no limit.
    fn count(self: &Arc<Self>, key: &K, most: u64) -> Option<Counted<K>> {
        let mut counts = self.0.lock();
        let count = counts.get(key).copied().unwrap_or_default();
        if most > 0 && count >= most {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        Some(Counted { counts: self.clone(), key: key.clone() })
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Counts(Mutex::default())
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_count_until_they_end_and_nothing_is_left_behind() {
        let counts: Arc<Counts<u8>> = Arc::default();
        let first = counts.count(&1, 0).unwrap();
        let second = counts.count(&1, 2).unwrap();
        assert!(counts.count(&1, 2).is_none() && counts.count(&2, 2).is_some());
        drop(first);
        let third = counts.count(&1, 2).unwrap();
        drop((second, third));
        assert!(counts.0.lock().is_empty());
    }
}
