//! Sessions that an order is about: its method names their role, its arguments select them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::media::control::{ControlOrder, ControlSelection, ControlVerb};
use crate::media::session::{Role, Session, Sessions};

/// The role that a method names; `None` for both.
pub(super) fn filter_of(verb: &ControlVerb, method: &[u8]) -> Result<Option<Role>, Cow<'static, str>> {
    match method {
        b"publisher" => Ok(Some(Role::Publisher)),
        b"subscriber" => Ok(Some(Role::Player)),
        b"client" => Ok(None),
        _ => Err(format!("{} knows publisher, subscriber and client", verb.name).into()),
    }
}

/// The sessions of this role that an order selects.
pub(super) fn select(
    sessions: &Sessions,
    role: Option<Role>,
    order: &ControlOrder<'_>,
) -> Result<Vec<Arc<Session>>, Cow<'static, str>> {
    let selection = ControlSelection::of(order)?;
    let mut chosen = sessions.snapshot();
    chosen.retain(|session| role.is_none_or(|role| role == session.role) && selection.has(session));
    Ok(chosen)
}
