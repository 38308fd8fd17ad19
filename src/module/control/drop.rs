//! `drop`: ends sessions.

use std::sync::Arc;

use super::role::{filter_of, select};
use crate::media::control::{ControlOrder, ControlOutcome, ControlResult, ControlSection, ControlVerb};
use crate::media::session::{Reason, Sessions};

/// Description of the section.
pub const DROP: ControlVerb = ControlVerb {
    name: "drop",
    takes: "publisher|subscriber|client [srv=] [app=] [name=] [clientid=] [addr=]",
    text: "end sessions",
    done: "dropped",
};

/// Ends sessions of publishers, of players, or of both.
pub(super) struct DropSessions(pub(super) Arc<Sessions>);

impl ControlSection for DropSessions {
    fn verb(&self) -> &'static ControlVerb {
        &DROP
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        let filter = filter_of(&DROP, order.method)?;
        let chosen = select(&self.0, filter, order)?;
        for session in &chosen {
            session.close(Reason::ControlDrop);
        }
        Ok(ControlOutcome::Sessions(chosen.len() as u64))
    }
}
