//! Sessions of a stream, for the event that covers all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::subject::Subject;

/// Sessions of a stream, including the one named in requests: the session that opened the stream, until it leaves or an
/// answer to an update cuts it.
#[derive(Default)]
pub struct Members {
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    publishers: BTreeMap<u64, Arc<dyn Subject>>,
    players: BTreeMap<u64, Arc<dyn Subject>>,
    named: Option<Arc<dyn Subject>>,
    /// Whether the named session was cut. It is replaced as soon as there is another one.
    is_cut: bool,
}

impl Members {
    /// Adds a session.
    pub fn add(&self, session: Arc<dyn Subject>) {
        self.present.lock().like(&*session).insert(session.id(), session);
    }

    /// Removes a session that has left. Requests that named it continue to do so, because `start` and `done` name the
    /// same session.
    pub fn remove(&self, session: &dyn Subject) {
        self.present.lock().like(session).remove(&session.id());
    }

    /// Sets the session named in requests.
    pub fn set_named(&self, session: Arc<dyn Subject>) {
        self.present.lock().named = Some(session);
    }

    /// The session named in requests.
    pub(super) fn named(&self) -> Option<Arc<dyn Subject>> {
        let mut present = self.present.lock();
        if present.is_cut
            && let Some(heir) = present.heir()
        {
            present.named = Some(heir);
            present.is_cut = false;
        }
        present.named.clone()
    }

    /// Records that the named session was cut: the next request names another one, publishers before players.
    pub(super) fn cut(&self) {
        let mut present = self.present.lock();
        present.is_cut = true;
        // It may take a while to leave, and must not be named meanwhile.
        if let Some(named) = present.named.clone() {
            present.like(&*named).remove(&named.id());
        }
    }
}

impl Present {
    /// Sessions with the same role as this one.
    fn like(&mut self, session: &dyn Subject) -> &mut BTreeMap<u64, Arc<dyn Subject>> {
        if session.is_publisher() { &mut self.publishers } else { &mut self.players }
    }

    fn heir(&self) -> Option<Arc<dyn Subject>> {
        self.publishers.values().chain(self.players.values()).next().cloned()
    }
}
