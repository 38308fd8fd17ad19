//! Refusal of banned clients: publishers and players of every protocol, and all requests over HTTP.

use std::sync::Arc;

use http::StatusCode;

use super::bans::Bans;
use super::log;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::routes::Location;
use crate::hub::stream_key::StreamKey;
use crate::media::extension::{AdmissionRule, StreamRule};
use crate::media::session::Session;

/// Refuses banned publishers and players.
pub struct BanRule(pub Arc<Bans>);

impl AdmissionRule for BanRule {
    fn refuses(&self, session: &Session) -> bool {
        let banned = self.0.find(|ban| ban.is_address(session.peer.ip) || ban.is_stream(&session.key));
        if let Some(ban) = &banned {
            log::refused(session, ban);
        }
        banned.is_some()
    }
}

impl StreamRule for Bans {
    fn forbids(&self, key: &StreamKey) -> bool {
        self.find(|ban| ban.is_stream(key)).is_some()
    }
}

/// Refuses requests of banned clients over HTTP. It runs behind `realip`, in both of its phases.
pub struct BanCheck(pub Arc<Bans>);

impl PhaseCheck for BanCheck {
    fn applies_to(&self, _: &Location) -> bool {
        true
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let ip = exchange.peer().ip;
        match self.0.find(|ban| ban.is_address(ip)) {
            Some(ban) => {
                log::request_refused(exchange, &ban);
                Check::Now(Decision::page(StatusCode::FORBIDDEN))
            }
            None => Check::Now(Decision::Next),
        }
    }
}
