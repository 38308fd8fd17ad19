//! What a request has of `sticky`.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString, ByteSlice};

use super::cookie::StickyCookie;
use super::sessions::{FullZoneNotice, Sessions};
use super::value::{Learn, Sticky};
use crate::http::exchange::Exchange;
use crate::http::upstream::affinity::{Affinity, AtEnd, Bond};
use crate::http::variable::Variable;
use crate::module::upstream::log;
use crate::task::clock::unix_ms;

/// `sticky` of a group.
#[derive(Debug)]
pub struct StickyGroup {
    sticky: Sticky,
    /// The sessions of `learn`: those of the former configuration, or new ones once they are needed.
    sessions: OnceLock<Arc<Sessions>>,
}

impl StickyGroup {
    /// Binds as a line says.
    pub fn new(sticky: Sticky) -> StickyGroup {
        StickyGroup { sticky, sessions: OnceLock::new() }
    }
}

/// The first of several variables that has a value.
fn first_value(exchange: &Exchange<'_>, variables: &[Variable]) -> Option<BString> {
    let values = variables.iter().filter_map(|variable| exchange.find_value(variable));
    values.map(BString::from).find(|value| !value.is_empty())
}

impl Affinity for StickyGroup {
    fn take_over(&self, before: &dyn Affinity) {
        let known = before.sessions().and_then(|sessions| sessions.downcast_ref::<Arc<Sessions>>());
        if let (Sticky::Learn(learn), Some(sessions)) = (&self.sticky, known)
            && sessions.zone == learn.zone
        {
            let _ = self.sessions.set(sessions.clone());
        }
    }

    fn sessions(&self) -> Option<&dyn Any> {
        self.sessions.get().map(|sessions| sessions as &dyn Any)
    }

    fn begin(&self, exchange: &Exchange<'_>) -> Box<dyn Bond> {
        match &self.sticky {
            Sticky::Cookie(cookie) => Box::new(CookieBond {
                sid: exchange.cookie(&cookie.name).filter(|value| !value.is_empty()),
                cookie: cookie.clone(),
            }),
            Sticky::Route(variables) => Box::new(RouteBond(first_value(exchange, variables))),
            Sticky::Learn(learn) => {
                let sessions = self.sessions.get_or_init(|| Arc::new(Sessions::new(learn.zone.clone())));
                let session = first_value(exchange, &learn.lookup);
                let sid =
                    session.as_ref().and_then(|session| sessions.find(session, learn.timeout, unix_ms()));
                Box::new(LearnBond { sid, session, learn: learn.clone(), sessions: sessions.clone() })
            }
        }
    }
}

struct CookieBond {
    sid: Option<BString>,
    cookie: Arc<StickyCookie>,
}

impl Bond for CookieBond {
    fn sid(&self) -> Option<&BStr> {
        self.sid.as_ref().map(|sid| sid.as_bstr())
    }

    fn chosen(&mut self, exchange: &Exchange<'_>, sid: &BStr) -> Option<Vec<u8>> {
        Some(self.cookie.text(sid, exchange.received_seconds(), |template| exchange.expand(template)))
    }
}

struct RouteBond(Option<BString>);

impl Bond for RouteBond {
    fn sid(&self) -> Option<&BStr> {
        self.0.as_ref().map(|sid| sid.as_bstr())
    }
}

struct LearnBond {
    sid: Option<BString>,
    /// The session that the request names.
    session: Option<BString>,
    learn: Arc<Learn>,
    sessions: Arc<Sessions>,
}

impl LearnBond {
    /// The recording of a session, if there is one.
    fn at_end(&self, session: Option<BString>, creates: bool, sid: &BStr) -> Option<AtEnd> {
        let (session, timeout) = (session?, self.learn.timeout);
        let (sessions, sid) = (self.sessions.clone(), sid.to_owned());
        Some(Box::new(move || {
            let room = sessions.learn(&session, sid.as_bstr(), creates, timeout, unix_ms());
            if room == FullZoneNotice::Full {
                log::zone_full(sessions.zone.name.as_bstr());
            }
        }))
    }
}

impl Bond for LearnBond {
    fn sid(&self) -> Option<&BStr> {
        self.sid.as_ref().map(|sid| sid.as_bstr())
    }

    fn answered(&mut self, exchange: &Exchange<'_>, sid: &BStr) -> Option<AtEnd> {
        let created = first_value(exchange, &self.learn.create);
        let creates = created.is_some();
        let at_end = self.at_end(created.or_else(|| self.session.clone()), creates, sid)?;
        if !self.learn.after_headers {
            return Some(at_end);
        }
        at_end();
        None
    }

    fn unanswered(&mut self, sid: &BStr) -> Option<AtEnd> {
        if self.learn.after_headers {
            return None;
        }
        self.at_end(self.session.clone(), false, sid)
    }
}
