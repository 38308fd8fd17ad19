//! `redirect`: moves sessions to another stream of their application.
//!
//! A session of the old name ends, with its `done`, and one of the new name begins in the same connection, with its `start`
//! and all checks; PingOS only detaches it. The answer comes when the sessions have arrived, publishers with a key frame, so that
//! players of the new stream find it running. Relays, and players of HLS from memory, whose requests name the stream, stay.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::role::{filter_of, select};
use crate::hub::stream_key::StreamKey;
use crate::limits;
use crate::media::control::{
    ArgumentValue, ControlOrder, ControlOutcome, ControlRefusal, ControlResult, ControlSection, ControlVerb,
};
use crate::media::session::{Role, Session, Sessions};
use crate::media::split_query;

/// Description of the section.
pub const REDIRECT: ControlVerb = ControlVerb {
    name: "redirect",
    takes: "publisher|subscriber|client newname= [srv=] [app=] [name=] [clientid=] [addr=]",
    text: "move sessions to another stream of their application",
    done: "redirected",
};

/// Reason why no session is moved.
#[derive(Debug, thiserror::Error)]
enum RedirectError {
    /// A stream has one publisher.
    #[error("the new stream has a publisher, or more than one would move to it")]
    HasPublisher,
    #[error("newname= is longer than {} bytes", limits::REDIRECT_NAME)]
    LongName,
    #[error("newname= is missing: it names the stream to which sessions move")]
    NoName,
}

impl From<RedirectError> for ControlRefusal {
    fn from(error: RedirectError) -> ControlRefusal {
        ControlRefusal::section(error)
    }
}

/// Moves sessions.
pub(super) struct RedirectSessions(pub(super) Arc<Sessions>);

impl ControlSection for RedirectSessions {
    fn verb(&self) -> &'static ControlVerb {
        &REDIRECT
    }

    fn carry_out(&self, order: &ControlOrder<'_>) -> ControlResult {
        let filter = filter_of(&REDIRECT, order.method)?;
        let new_name = ArgumentValue::of(order.query, b"newname");
        let (name, _) = split_query(&Bytes::copy_from_slice(new_name.decoded()));
        if name.is_empty() {
            return Err(RedirectError::NoName.into());
        }
        if new_name.decoded().len() > limits::REDIRECT_NAME {
            return Err(RedirectError::LongName.into());
        }
        let mut chosen = select(&self.0, filter, order)?;
        // Those of the new stream are where they should be.
        chosen.retain(|session| session.key.name != name);
        self.check_publishers(&chosen, &name)?;
        let new_name = Bytes::copy_from_slice(new_name.decoded());
        let moves = chosen.iter().filter_map(|session| session.move_to(new_name.clone()));
        let moved = moves.map(|arrival| order.wait_for(arrival)).count();
        Ok(ControlOutcome::Sessions(moved as u64))
    }
}

impl RedirectSessions {
    /// A stream has one publisher.
    fn check_publishers(&self, chosen: &[Arc<Session>], name: &Bytes) -> Result<(), RedirectError> {
        let is_publisher = |session: &&Arc<Session>| session.role == Role::Publisher;
        let mut taken: HashSet<StreamKey> =
            self.0.snapshot().iter().filter(is_publisher).map(|session| session.key.clone()).collect();
        for session in chosen.iter().filter(is_publisher) {
            let key = StreamKey::new(session.key.serverid.clone(), session.key.app.clone(), name.clone());
            if !taken.insert(key) {
                return Err(RedirectError::HasPublisher);
            }
        }
        Ok(())
    }
}
