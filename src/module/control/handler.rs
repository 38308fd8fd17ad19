//! `rtmp_control`: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`, and all sections of control requests.

use std::sync::Arc;

use bstr::ByteSlice;
use http::StatusCode;
use tokio::time::timeout;

use super::conf::{ControlParts, ServedSections};
use super::drop::DropSessions;
use super::log;
use super::pause::PauseSessions;
use super::redirect::RedirectSessions;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Handler, Methods, ResponseFuture};
use crate::http::response::Response;
use crate::http::routes::Location;
use crate::limits;
use crate::media::control::{
    ControlCaller, ControlOrder, ControlOutcome, ControlRefusal, ControlResult, ControlSection, ControlVerb,
};
use crate::media::counterpart::Counterpart;
use crate::media::counterpart::message::CounterpartRequest;
use crate::media::session::Sessions;

/// All sections of control requests.
pub struct ControlSections {
    sections: Vec<(ControlParts, Arc<dyn ControlSection>)>,
    counterpart: Arc<Counterpart>,
}

impl ControlSections {
    /// Adds the sections of other modules to the own ones. A section with no parts is served over the control socket only.
    /// The other process of an upgrade carries out the same requests.
    pub fn new(
        sessions: Arc<Sessions>,
        counterpart: Arc<Counterpart>,
        others: impl IntoIterator<Item = (ControlParts, Arc<dyn ControlSection>)>,
    ) -> Self {
        let pause = |pauses| PauseSessions { sessions: sessions.clone(), pauses };
        let own: [(_, Arc<dyn ControlSection>); 4] = [
            (ControlParts::DROP, Arc::new(DropSessions(sessions.clone()))),
            (ControlParts::REDIRECT, Arc::new(RedirectSessions(sessions.clone()))),
            (ControlParts::PAUSE, Arc::new(pause(true))),
            (ControlParts::RESUME, Arc::new(pause(false))),
        ];
        ControlSections { sections: own.into_iter().chain(others).collect(), counterpart }
    }

    /// Carries out an order in all processes of the server; `None` if there is no such section.
    pub async fn carry_out(&self, section: &[u8], order: &ControlOrder<'_>) -> Option<ControlResult> {
        let found = self.sections.iter().find(|(_, known)| section == known.verb().name.as_bytes())?;
        let mut result = carry_out(&*found.1, order);
        let request = CounterpartRequest::Control {
            section: section.into(),
            method: order.method.into(),
            query: order.query.into(),
            caller: order.caller.clone(),
        };
        if let Some(answer) = self.counterpart.answer(&request, limits::COUNTERPART_PATIENCE).await
            && let Ok(there) = serde_json::from_slice::<ControlResult>(&answer)
        {
            result = ControlOutcome::combine(result, there);
        }
        let waits = std::mem::take(&mut *order.waits.lock());
        let all = async {
            for arrival in waits {
                arrival.await;
            }
        };
        let _ = timeout(limits::REDIRECT_PATIENCE, all).await;
        if let Err(why) = &result {
            log::failed(why, section, order);
        }
        Some(result)
    }

    /// Carries out an order in this process alone.
    ///
    /// # Errors
    ///
    /// The reason why it failed.
    pub fn carry_out_here(&self, section: &[u8], order: &ControlOrder<'_>) -> ControlResult {
        let found = self.sections.iter().find(|(_, known)| section == known.verb().name.as_bytes());
        carry_out(&*found.ok_or(ControlRefusal::NoSection)?.1, order)
    }

    /// Descriptions of all sections.
    pub fn verbs(&self) -> impl Iterator<Item = &'static ControlVerb> {
        self.sections.iter().map(|(_, section)| section.verb())
    }

    /// Whether a location with these parts serves a section.
    fn serves(&self, section: &[u8], parts: ControlParts) -> bool {
        let name = |known: &Arc<dyn ControlSection>| section == known.verb().name.as_bytes();
        self.sections.iter().any(|(part, known)| !part.is_empty() && parts.contains(*part) && name(known))
    }
}

fn carry_out(section: &dyn ControlSection, order: &ControlOrder<'_>) -> ControlResult {
    let result = section.carry_out(order);
    if let Ok(outcome) = &result {
        log::carried_out(section.verb(), outcome, order);
    }
    result
}

/// Handler of `rtmp_control`.
pub struct ControlHandler {
    /// All sections.
    pub sections: Arc<ControlSections>,
}

impl ControlHandler {
    async fn carry_out(&self, exchange: &Exchange<'_>, served: ControlParts) -> Response {
        let mut words = exchange.path.rsplit_str("/");
        let (method, section) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // As recorded from PingOS.
        if !self.sections.serves(section, served) {
            return Response::page(StatusCode::NOT_FOUND);
        }
        let caller = ControlCaller::Client(exchange.peer().addr.clone());
        let order = ControlOrder::new(method, exchange.query(), &caller);
        match self.sections.carry_out(section, &order).await {
            // As recorded from PingOS, without Content-Type.
            Some(Ok(outcome)) => Response::new(StatusCode::OK, outcome.to_string()),
            // As recorded from PingOS, a request that cannot be executed is a server error. The reason is added here.
            Some(Err(why)) => {
                let mut response = Response::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n"));
                response.content_type = Some("text/plain".into());
                response
            }
            None => Response::page(StatusCode::NOT_FOUND),
        }
    }
}

impl Handler for ControlHandler {
    fn applies_to(&self, location: &Location) -> bool {
        location.handler == Some("rtmp_control")
    }

    fn methods(&self) -> Methods {
        Methods::Any
    }

    fn answer<'a>(&'a self, exchange: &'a Exchange<'a>) -> Option<ResponseFuture<'a>> {
        let served = exchange.chosen_by::<ServedSections>().0?;
        Some(Box::pin(self.carry_out(exchange, served)))
    }
}
