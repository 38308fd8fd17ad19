//! Sessions that an order is about: its method names their role, its arguments select them.

use std::sync::Arc;

use crate::media::control::{ControlOrder, ControlRefusal, ControlSelection, ControlVerb};
use crate::media::session::{Role, Session, Sessions};

/// A method names no role.
#[derive(Debug, thiserror::Error)]
#[error("{0} knows publisher, subscriber and client")]
pub(super) struct UnknownRole(&'static str);

impl From<UnknownRole> for ControlRefusal {
    fn from(error: UnknownRole) -> ControlRefusal {
        ControlRefusal::section(error)
    }
}

/// The role that a method names; `None` for both.
pub(super) fn filter_of(verb: &ControlVerb, method: &[u8]) -> Result<Option<Role>, UnknownRole> {
    match method {
        b"publisher" => Ok(Some(Role::Publisher)),
        b"subscriber" => Ok(Some(Role::Player)),
        b"client" => Ok(None),
        _ => Err(UnknownRole(verb.name)),
    }
}

/// The sessions of this role that an order selects.
pub(super) fn select(
    sessions: &Sessions,
    role: Option<Role>,
    order: &ControlOrder<'_>,
) -> Result<Vec<Arc<Session>>, ControlRefusal> {
    let selection = ControlSelection::of(order)?;
    let mut chosen = sessions.snapshot();
    chosen.retain(|session| role.is_none_or(|role| role == session.role) && selection.has(session));
    Ok(chosen)
}
