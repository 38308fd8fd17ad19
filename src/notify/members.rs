//! The sessions of a stream, for the event that is about all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::media::session::{Role, Session};

/// Who is on a stream, and in whose name its event speaks: the session that opened the stream, until the answer to an
/// update cuts it.
#[derive(Debug, Default)]
pub struct Members {
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    publishers: BTreeMap<u64, Arc<Session>>,
    players: BTreeMap<u64, Arc<Session>>,
    named: Option<Arc<Session>>,
    /// The named session was cut and names nothing any more once there is another one.
    is_cut: bool,
}

impl Members {
    /// A session has come.
    pub fn add(&self, session: &Arc<Session>) {
        self.lock().of(session.role).insert(session.id, session.clone());
    }

    /// It has left. Requests go on to name it where they did, as start and done name the same session.
    pub fn remove(&self, session: &Session) {
        self.lock().of(session.role).remove(&session.id);
    }

    /// The session to name from now on.
    pub fn set_named(&self, session: &Arc<Session>) {
        self.lock().named = Some(session.clone());
    }

    /// The session that requests name.
    pub(super) fn named(&self) -> Option<Arc<Session>> {
        let mut present = self.lock();
        if present.is_cut
            && let Some(heir) = present.heir()
        {
            present.named = Some(heir);
            present.is_cut = false;
        }
        present.named.clone()
    }

    /// The named session was cut: another one, a publisher first, is named from the next request on.
    pub(super) fn cut(&self) {
        let mut present = self.lock();
        present.is_cut = true;
        // It may take a while to leave, and names nothing meanwhile.
        if let Some(named) = present.named.clone() {
            present.of(named.role).remove(&named.id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn of(&mut self, role: Role) -> &mut BTreeMap<u64, Arc<Session>> {
        match role {
            Role::Publisher => &mut self.publishers,
            Role::Player => &mut self.players,
        }
    }

    fn heir(&self) -> Option<Arc<Session>> {
        self.publishers.values().chain(self.players.values()).next().cloned()
    }
}
