//! `rtmp_control`: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`.
//!
//! Sections that no module implements get 404.

use std::sync::Arc;

use bstr::ByteSlice;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::conf::{ControlParts, ServedSections};
use super::drop::DropSessions;
use super::log;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::reply::{Body, full, plain};
use crate::media::control::ControlSection;
use crate::media::session::Sessions;

/// Handler of `rtmp_control`.
pub struct ControlHandler {
    sections: Vec<(ControlParts, Arc<dyn ControlSection>)>,
}

impl ControlHandler {
    /// Adds the sections of other modules to the own one.
    pub fn new(
        sessions: Arc<Sessions>,
        sections: impl IntoIterator<Item = (ControlParts, Arc<dyn ControlSection>)>,
    ) -> Self {
        let own: (_, Arc<dyn ControlSection>) = (ControlParts::DROP, Arc::new(DropSessions(sessions)));
        ControlHandler { sections: std::iter::once(own).chain(sections).collect() }
    }

    fn carry_out(&self, exchange: &Exchange<'_>, served: ControlParts) -> Response<Body> {
        let mut words = exchange.path.rsplit_str("/");
        let (method, section) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut sections = self.sections.iter().filter(|(part, _)| served.contains(*part));
        let Some((_, section)) = sections.find(|(_, known)| section == known.name().as_bytes()) else {
            return plain(StatusCode::NOT_FOUND);
        };
        match section.carry_out(method, exchange.query()) {
            // As recorded from PingOS, without Content-Type.
            Ok(text) => Response::new(full(Bytes::from(text))),
            Err(why) => failed(exchange, why),
        }
    }
}

impl Handler for ControlHandler {
    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>> {
        let served = exchange.chosen_by::<ServedSections>().0?;
        Some(Box::pin(async move { self.carry_out(exchange, served) }))
    }
}

/// As recorded from PingOS, a request that cannot be executed is a server error. The reason is added here.
fn failed(exchange: &Exchange<'_>, why: &'static str) -> Response<Body> {
    log::failed(why, exchange.path, exchange.query());
    let mut response = Response::new(full(Bytes::from(format!("{why}\n"))));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
