//! Implements the callbacks' view of sessions and applications.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::session::{Reason, Role, Session};
use super::view::AppView;
use crate::notify::conf::Current;
use crate::notify::{CallbackLines, Subject};

impl Subject for Session {
    fn id(&self) -> u64 {
        self.id
    }

    fn domain(&self) -> &[u8] {
        &self.identity.domain
    }

    fn app(&self) -> &[u8] {
        &self.identity.app
    }

    fn name(&self) -> &[u8] {
        &self.identity.name
    }

    fn epoch(&self) -> Option<u64> {
        Some(self.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch > 0)
    }

    fn is_publisher(&self) -> bool {
        self.role == Role::Publisher
    }

    fn answered(&self, status: Option<u16>) {
        self.notify_status.store(status.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }

    fn close_refused(&self) {
        self.close(Reason::NotifyRefused);
    }
}

impl CallbackLines for AppView {
    fn in_force(&self) -> Arc<Current> {
        self.current().share()
    }
}
