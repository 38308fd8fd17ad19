//! `rtmp_control`: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`.
//!
//! Sections that no module implements get 404.

use std::borrow::Cow;
use std::sync::Arc;

use bstr::ByteSlice;
use http::StatusCode;

use super::conf::{ControlParts, ServedSections};
use super::drop::DropSessions;
use super::log;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Answer, Handler, Methods};
use crate::http::response::Response;
use crate::limits;
use crate::media::control::{ControlResult, ControlSection};
use crate::media::counterpart::Counterpart;
use crate::media::counterpart::message::CounterpartRequest;
use crate::media::session::Sessions;

/// All sections of control requests.
pub struct ControlSections {
    sections: Vec<(ControlParts, Arc<dyn ControlSection>)>,
}

impl ControlSections {
    /// Adds the sections of other modules to the own one.
    pub fn new(
        sessions: Arc<Sessions>,
        sections: impl IntoIterator<Item = (ControlParts, Arc<dyn ControlSection>)>,
    ) -> Self {
        let own: (_, Arc<dyn ControlSection>) = (ControlParts::DROP, Arc::new(DropSessions(sessions)));
        ControlSections { sections: std::iter::once(own).chain(sections).collect() }
    }

    /// Carries out a request in this process alone.
    ///
    /// # Errors
    ///
    /// The reason why it failed.
    pub fn carry_out_here(&self, section: &[u8], method: &[u8], query: &[u8]) -> ControlResult {
        let section = self.find(section, ControlParts::all()).ok_or("there is no such section")?;
        Ok(section.carry_out(method, query)?)
    }

    fn find(&self, name: &[u8], served: ControlParts) -> Option<&dyn ControlSection> {
        let mut sections = self.sections.iter().filter(|(part, _)| served.contains(*part));
        sections.find(|(_, known)| name == known.name().as_bytes()).map(|(_, section)| &**section)
    }
}

/// Handler of `rtmp_control`.
pub struct ControlHandler {
    /// All sections.
    pub sections: Arc<ControlSections>,
    /// The other process of an upgrade, which carries out the same requests.
    pub counterpart: Arc<Counterpart>,
}

impl ControlHandler {
    async fn carry_out(&self, exchange: &Exchange<'_>, served: ControlParts) -> Response {
        let mut words = exchange.path.rsplit_str("/");
        let (method, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(section) = self.sections.find(name, served) else {
            return Response::page(StatusCode::NOT_FOUND);
        };
        let mut result = section.carry_out(method, exchange.query()).map_err(Cow::from);
        let request = CounterpartRequest::Control {
            section: name.into(),
            method: method.into(),
            query: exchange.query().into(),
        };
        if let Some(answer) = self.counterpart.answer(&request, limits::COUNTERPART_PATIENCE).await
            && let Ok(there) = serde_json::from_slice::<ControlResult>(&answer)
        {
            result = section.combine(result, there);
        }
        match result {
            // As recorded from PingOS, without Content-Type.
            Ok(text) => Response::new(StatusCode::OK, text),
            Err(why) => failed(exchange, &why),
        }
    }
}

impl Handler for ControlHandler {
    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<Answer<'a>> {
        let served = exchange.chosen_by::<ServedSections>().0?;
        Some(Box::pin(self.carry_out(exchange, served)))
    }
}

/// As recorded from PingOS, a request that cannot be executed is a server error. The reason is added here.
fn failed(exchange: &Exchange<'_>, why: &str) -> Response {
    log::failed(why, &exchange.path, exchange.query());
    let mut response = Response::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n"));
    response.content_type = Some("text/plain".into());
    response
}
