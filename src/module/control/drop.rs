//! `drop`: ends sessions.

use std::sync::Arc;

use super::log;
use crate::media::control::{ArgumentValue, ControlResult, ControlSection};
use crate::media::session::{Reason, Role, Session, Sessions};

/// Ends sessions of publishers, of players, or of both.
pub(super) struct DropSessions(pub(super) Arc<Sessions>);

/// Sessions that a request selects.
struct SessionSelection<'a> {
    serverid: ArgumentValue<'a>,
    app: ArgumentValue<'a>,
    name: ArgumentValue<'a>,
    clientid: ArgumentValue<'a>,
    addr: ArgumentValue<'a>,
    role: Option<Role>,
}

impl ControlSection for DropSessions {
    fn name(&self) -> &'static str {
        "drop"
    }

    fn carry_out(&self, method: &[u8], query: &[u8]) -> Result<String, &'static str> {
        let role = match method {
            b"publisher" => Some(Role::Publisher),
            b"subscriber" => Some(Role::Player),
            b"client" => None,
            _ => return Err("drop knows publisher, subscriber and client"),
        };
        let selection = SessionSelection {
            serverid: ArgumentValue::server(query)?,
            app: ArgumentValue::of(query, b"app"),
            name: ArgumentValue::of(query, b"name"),
            clientid: ArgumentValue::of(query, b"clientid"),
            addr: ArgumentValue::of(query, b"addr"),
            role,
        };
        let sessions = self.0.snapshot();
        let chosen: Vec<_> = sessions.iter().filter(|session| selection.has(session)).collect();
        for session in &chosen {
            session.close(Reason::ControlDrop);
        }
        log::dropped(chosen.len(), query);
        // As recorded from PingOS: only the number.
        Ok(chosen.len().to_string())
    }

    fn combine(&self, here: ControlResult, there: ControlResult) -> ControlResult {
        let count = |result: &str| result.parse::<u64>().unwrap_or(0);
        match (here, there) {
            (Ok(here), Ok(there)) => Ok((count(&here) + count(&there)).to_string()),
            (here, _) => here,
        }
    }
}

impl SessionSelection<'_> {
    fn has(&self, session: &Session) -> bool {
        self.serverid.is(&session.key.serverid)
            && self.app.fits(&session.key.app)
            && self.name.fits(&session.key.name)
            && self.clientid.fits(session.id.to_string().as_bytes())
            && self.addr.fits(session.peer.addr.as_bytes())
            && self.role.is_none_or(|role| role == session.role)
    }
}
