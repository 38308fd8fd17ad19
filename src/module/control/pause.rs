//! `pause` and `resume`: hold back what publishers send.
//!
//! Sessions stay connected. Media of a paused publisher is dropped, for players and recordings alike; after `resume` the
//! stream goes on with its next key frame. As recorded from PingOS, players count too, but their media goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::role::{filter_of, select};
use crate::media::control::{ControlOrder, ControlOutcome, ControlResult, ControlSection, ControlVerb};
use crate::media::session::{Role, Sessions};

/// Description of the section `pause`.
pub const PAUSE: ControlVerb = ControlVerb {
    name: "pause",
    takes: "publisher|subscriber|client [srv=] [app=] [name=] [clientid=] [addr=]",
    text: "hold back what publishers send; players are counted only",
    done: "paused",
};

/// Description of the section `resume`.
pub const RESUME: ControlVerb = ControlVerb {
    name: "resume",
    takes: "publisher|subscriber|client [srv=] [app=] [name=] [clientid=] [addr=]",
    text: "let paused publishers go on with their next key frame",
    done: "resumed",
};

/// Pauses publishers, or lets them go on.
pub(super) struct PauseSessions {
    pub(super) sessions: Arc<Sessions>,
    pub(super) pauses: bool,
}

impl ControlSection for PauseSessions {
    fn verb(&self) -> &'static ControlVerb {
        if self.pauses { &PAUSE } else { &RESUME }
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        let filter = filter_of(self.verb(), order.method)?;
        let chosen = select(&self.sessions, filter, order)?;
        for session in chosen.iter().filter(|session| session.role == Role::Publisher) {
            session.is_paused.store(self.pauses, Ordering::Relaxed);
        }
        Ok(ControlOutcome::Sessions(chosen.len() as u64))
    }
}
