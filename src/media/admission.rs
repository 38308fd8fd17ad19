//! Admission of publishers and players: the stream is entered, callbacks are asked, access rules are applied.
//!
//! The steps are the same for every protocol and in PingOS's order: the stream event is sent first, then the session's
//! own `start`; access rules are checked after its answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::access::rule::AccessAction;
use super::counterpart::message::{CounterpartMessage, EventMessage};
use super::counterpart::{Counterpart, StreamClaim};
use super::extension::{Demand, OnStream, PublishObserver, Running, SessionObserver, Source};
use super::session::{Identity, ListedSession, Reason, Role, Session, Sessions};
use super::stream_events::StreamEvents;
use super::trails::Trails;
use super::view::AppView;
use crate::hub::registry::{StreamKey, StreamRegistry, StreamUse};
use crate::hub::stream::Stream;
use crate::media::log;
use crate::media::{access, live};
use crate::notify;
use crate::notify::ledger::CallDecision;
use crate::notify::{CallbackAnswer, EventKind, Notifier, SessionEvent};

/// Admits sessions of all protocols.
pub struct Admission {
    /// All streams.
    registry: Arc<StreamRegistry>,
    /// All sessions.
    sessions: Arc<Sessions>,
    callbacks: Notifier,
    /// Pending `stream` events.
    stream_events: StreamEvents,
    trails: Arc<Trails>,
    observers: Vec<Arc<dyn SessionObserver>>,
    sources: Vec<Arc<dyn Source>>,
    counterpart: Arc<Counterpart>,
}

impl Admission {
    /// Creates an admission without sessions.
    pub fn new(
        registry: Arc<StreamRegistry>,
        sessions: Arc<Sessions>,
        callbacks: Notifier,
        trails: Arc<Trails>,
        observers: Vec<Arc<dyn SessionObserver>>,
        sources: Vec<Arc<dyn Source>>,
        counterpart: Arc<Counterpart>,
    ) -> Admission {
        let stream_events = StreamEvents::default();
        Admission { registry, sessions, callbacks, stream_events, trails, observers, sources, counterpart }
    }

    /// Relay trails, and this server's streams on them.
    pub fn trails(&self) -> &Trails {
        &self.trails
    }

    /// Processes a message of the counterpart about a stream event.
    pub fn handle(&self, message: &EventMessage) {
        let key = StreamKey::from(message.stream());
        match message {
            EventMessage::Pass { stream } => {
                let is_taken = self
                    .registry
                    .find(&key)
                    .is_some_and(|stream| self.stream_events.resume(&self.callbacks, stream.id()));
                let stream = stream.clone();
                self.counterpart.tell(CounterpartMessage::Event(match is_taken {
                    true => EventMessage::Taken { stream },
                    false => EventMessage::Returned { stream },
                }));
            }
            EventMessage::Taken { .. } => self.stream_events.taken(&key),
            EventMessage::Returned { .. } => self.stream_events.returned(Some(&key)),
        }
    }

    /// The counterpart has ended: it takes no event any more.
    pub fn counterpart_left(&self) {
        self.stream_events.returned(None);
    }

    /// Whether a session's own trail shows that it would feed its stream with itself through relays.
    pub fn is_loop(&self, identity: &Identity, role: Role) -> bool {
        let way = |stream| self.sources.first().map(|source| source.way(stream)).unwrap_or_default();
        self.trails.is_loop(&self.registry, identity, role, way)
    }
}

/// A session that uses its stream. Dropping it ends its events: the stream's `done` if it was the last session, then
/// its own.
pub struct AdmittedSession {
    admission: Arc<Admission>,
    view: AppView,
    session: Arc<Session>,
    stream_use: Option<StreamUse>,
    event: Option<SessionEvent>,
    /// The player's demand on each source that may bring the stream.
    demands: Vec<Box<dyn Demand>>,
    /// Observers of the player.
    observed: Vec<Running>,
    /// The publisher's claim of its stream.
    claim: Option<StreamClaim>,
    _listed: ListedSession,
}

/// Reason why a session was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionRefusal(pub Reason);

impl AdmittedSession {
    /// Enters the stream and sends `start` if a callback is configured.
    pub fn enter(admission: &Arc<Admission>, view: &AppView, session: &Arc<Session>) -> Box<Self> {
        let chunk_size = view.server().chunk_size.0 as usize;
        let stream_use = admission.registry.enter(&session.key, chunk_size);
        session.set_stream(stream_use.stream().clone());
        let mut order = None;
        if view.current().get::<notify::conf::Current>().on_stream.is_some() {
            admission.stream_events.join(stream_use.stream().id(), view, session);
        }
        // A stream that the other process of an upgrade uses has its event there.
        if stream_use.is_first() && !admission.counterpart.enter(&session.key) {
            order = admission.stream_events.begin(&admission.callbacks, view, session, stream_use.stream());
        }
        let slot = match session.role {
            Role::Publisher => EventKind::Publish,
            Role::Player => EventKind::Play,
        };
        let event = SessionEvent::begin(&admission.callbacks, view, slot, session, order);
        Box::new(AdmittedSession {
            admission: admission.clone(),
            view: view.clone(),
            session: session.clone(),
            stream_use: Some(stream_use),
            event,
            demands: Vec::new(),
            observed: Vec::new(),
            claim: None,
            _listed: admission.sessions.list(session.clone()),
        })
    }

    /// Waits for the verdict.
    ///
    /// # Errors
    ///
    /// A callback, an access rule or a limit refuses the session.
    pub async fn admit(&mut self) -> Result<(), AdmissionRefusal> {
        if let Some(event) = &mut self.event {
            verdict(event, &self.view, &self.session).await?;
        }
        let action = match self.session.role {
            Role::Publisher => AccessAction::Publish,
            Role::Player => AccessAction::Play,
        };
        if !self.view.current().get::<access::conf::Current>().permits(action, self.session.peer.ip) {
            log::access_denied(&self.session);
            return Err(AdmissionRefusal(Reason::NormalClose));
        }
        if self.session.role == Role::Publisher {
            self.claim = self.admission.counterpart.claim(&self.view, &self.session).await;
        }
        if self.session.role == Role::Player && self.view.held().get::<live::conf::Conf>().live {
            let Admission { observers, sources, .. } = &*self.admission;
            let player = OnStream { view: &self.view, session: &self.session, stream: self.stream() };
            let observed = observers.iter().filter_map(|observer| observer.playing(player)).collect();
            let demands = sources.iter().map(|source| source.clone().demand(player)).collect();
            (self.observed, self.demands) = (observed, demands);
        }
        Ok(())
    }

    /// Whether the admitted publisher may begin: no other one has the stream.
    pub fn may_publish(&self) -> bool {
        self.claim.is_some()
    }

    /// Whether the stream is pulled when no client publishes it.
    pub fn is_pulled(&self) -> bool {
        let sources = &self.admission.sources;
        !self.demands.is_empty() && sources.iter().any(|source| source.brings(&self.view, &self.session.key))
    }

    /// Waits until no answer to `on_pull` can refuse the player.
    pub async fn pull_settled(&self) {
        for demand in &self.demands {
            demand.settled().await;
        }
    }

    /// For a playing relay: the chain of streams through which the stream's media has come, as it changes. It is sent
    /// to every session that claims to be a relay, proved or not: this ends circles of servers without a common secret,
    /// and a client that only pretends learns nothing but hashes, with which it could only have itself refused.
    pub fn way(&self) -> Option<watch::Receiver<Bytes>> {
        let is_relay = self.session.identity.trail.claims_relay();
        self.demands.first().filter(|_| is_relay).map(|demand| demand.way())
    }

    /// Observers of a publishing client.
    pub fn observe_publish(&self) -> Vec<Box<dyn PublishObserver>> {
        let publisher = OnStream { view: &self.view, session: &self.session, stream: self.stream() };
        self.admission
            .observers
            .iter()
            .filter_map(|observer| observer.clone().publishing(publisher))
            .collect()
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        self.stream_use.as_ref().expect("taken by drop only").stream()
    }

    /// The admission that admitted the session.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

/// Waits for the answer to `start`. If it admits `session`, updates follow.
///
/// # Errors
///
/// The answer refuses the session.
pub async fn verdict(
    event: &mut SessionEvent,
    view: &AppView,
    session: &Session,
) -> Result<(), AdmissionRefusal> {
    let answer = event.answer().await;
    let (verdict, decision) = match answer {
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut
            if view.current().get::<notify::conf::Current>().ignore_invalid =>
        {
            (Ok(()), CallDecision::AllowUnanswered)
        }
        _ if !event.hook().enforce.start || answer.is_success() => (Ok(()), CallDecision::Allow),
        CallbackAnswer::Status(_) => (Err(AdmissionRefusal(Reason::NotifyRefused)), CallDecision::Refuse),
        CallbackAnswer::Failed(_) | CallbackAnswer::TimedOut => {
            (Err(AdmissionRefusal(Reason::NotifyErr)), CallDecision::Refuse)
        }
    };
    event.decided(decision);
    match verdict {
        Ok(()) => event.keep(),
        Err(_) => log::start_refused(session, event.hook(), &answer),
    }
    verdict
}

impl Drop for AdmittedSession {
    fn drop(&mut self) {
        let Some(stream_use) = self.stream_use.take() else { return };
        self.demands.clear();
        self.observed.clear();
        let id = stream_use.stream().id();
        self.admission.stream_events.leave(id, &self.session);
        let order = if stream_use.leave() {
            let counterpart = &self.admission.counterpart;
            let goes_on = counterpart.leave(&self.session.key);
            let pass = goes_on.then_some(|message| counterpart.tell(message));
            self.admission.stream_events.end(id, &self.session.key, pass)
        } else {
            None
        };
        if let Some(event) = self.event.take() {
            event.finish(order);
        }
    }
}
