//! Admission of publishers and players: the stream is entered, callbacks are asked, access rules are applied.
//!
//! The steps are the same for every protocol and in PingOS's order: the stream event is sent first, then the session's
//! own `start`; access rules are checked after its answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::access::rule::AccessAction;
use super::counterpart::{Counterpart, StreamClaim};
use super::extension::{
    AdmissionRule, Demand, EndedClient, OnStream, PublishObserver, Running, SessionObserver, Source,
    StreamNames,
};
use super::session::{Identity, ListedSession, Reason, Role, Session, Sessions};
use super::stream_events::{StreamEvents, StreamPresence};
use super::trails::Trails;
use super::view::AppView;
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::media::log;
use crate::media::{access, live};
use crate::notify;
use crate::notify::ledger::CallDecision;
use crate::notify::{CallbackAnswer, EventKind, Notifier, Reply, SessionEvent};

/// Admits sessions of all protocols.
pub struct Admission {
    /// All sessions.
    sessions: Arc<Sessions>,
    callbacks: Notifier,
    /// Streams in use, with their `stream` events.
    stream_events: Arc<StreamEvents>,
    trails: Arc<Trails>,
    observers: Vec<Arc<dyn SessionObserver>>,
    sources: Vec<Arc<dyn Source>>,
    rules: Vec<Arc<dyn AdmissionRule>>,
    counterpart: Arc<Counterpart>,
    names: Arc<dyn StreamNames>,
}

impl Admission {
    /// Creates an admission without sessions.
    #[allow(clippy::too_many_arguments, reason = "there is one caller, which names what it passes")]
    pub fn new(
        sessions: Arc<Sessions>,
        callbacks: Notifier,
        trails: Arc<Trails>,
        observers: Vec<Arc<dyn SessionObserver>>,
        sources: Vec<Arc<dyn Source>>,
        rules: Vec<Arc<dyn AdmissionRule>>,
        stream_events: Arc<StreamEvents>,
        counterpart: Arc<Counterpart>,
        names: Arc<dyn StreamNames>,
    ) -> Admission {
        Admission {
            sessions,
            callbacks,
            stream_events,
            trails,
            observers,
            sources,
            rules,
            counterpart,
            names,
        }
    }

    /// Whether a rule refuses a publish or play request at once. To be asked before [`AdmittedSession::enter`].
    pub fn refuses(&self, session: &Session) -> bool {
        self.rules.iter().any(|rule| rule.refuses(session))
    }

    /// Whether access rules refuse a session, whatever callbacks say.
    pub fn denies(&self, view: &AppView, session: &Session) -> bool {
        let action = match session.role {
            Role::Publisher => AccessAction::Publish,
            Role::Player => AccessAction::Play,
        };
        let is_denied = !view.current().get::<access::conf::Current>().permits(action, session.peer.ip);
        if is_denied {
            log::access_denied(session);
        }
        is_denied
    }

    /// Whether a stream has a publisher, or a relay in its place.
    pub fn is_published(&self, key: &StreamKey) -> bool {
        self.stream_events.registry().find(key).is_some_and(|stream| stream.phase().publishing)
    }

    /// Relay trails, and this server's streams on them.
    pub fn trails(&self) -> &Trails {
        &self.trails
    }

    /// Informs the observers that an RTMP connection has ended.
    pub fn disconnected(&self, client: EndedClient<'_>) {
        self.observers.iter().for_each(|observer| observer.disconnected(client));
    }

    /// Whether a session's own trail shows that it would feed its stream with itself through relays.
    pub fn is_loop(&self, identity: &Identity, role: Role) -> bool {
        let way = |stream| self.sources.first().map(|source| source.way(stream)).unwrap_or_default();
        self.trails.is_loop(self.stream_events.registry(), identity, role, way)
    }
}

/// A session that uses its stream. Dropping it ends its events: the stream's `done` if it was the last session, then
/// its own.
pub struct AdmittedSession {
    admission: Arc<Admission>,
    view: AppView,
    session: Arc<Session>,
    presence: Option<StreamPresence>,
    event: Option<SessionEvent>,
    /// The player's demand on each source that may bring the stream.
    demands: Vec<Box<dyn Demand>>,
    /// Observers of the player.
    observed: Vec<Running>,
    /// What rules count.
    ruled: Vec<Running>,
    /// Observers of the session; dropped after its events were sent.
    _entered: Vec<Running>,
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
        let presence = admission.stream_events.enter(&session.key, chunk_size);
        session.set_stream(presence.stream().clone());
        let mut order = None;
        if view.current().get::<notify::conf::Current>().on_stream.is_some() {
            admission.stream_events.join(presence.stream().id(), view, session);
        }
        if presence.begins_event() {
            order = admission.stream_events.begin(view, session, presence.stream());
        }
        let slot = match session.role {
            Role::Publisher => EventKind::Publish,
            Role::Player => EventKind::Play,
        };
        let event = SessionEvent::begin(&admission.callbacks, view, slot, session, order);
        let on = OnStream { view, session, stream: presence.stream() };
        let entered = admission.observers.iter().filter_map(|observer| observer.entered(on)).collect();
        Box::new(AdmittedSession {
            admission: admission.clone(),
            view: view.clone(),
            session: session.clone(),
            presence: Some(presence),
            event,
            demands: Vec::new(),
            observed: Vec::new(),
            ruled: Vec::new(),
            _entered: entered,
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
        self.permit().await?;
        if self.session.role == Role::Publisher {
            self.claim = self.admission.counterpart.claim(&self.view, &self.session).await;
            if self.claim.is_some() {
                let on = OnStream { view: &self.view, session: &self.session, stream: self.stream() };
                match self.admission.names.clone().claim(on).await {
                    Some(running) => self.ruled.push(running),
                    None => self.claim = None,
                }
            }
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

    /// Waits for the verdict on a player of a recording, for which no source has to bring the stream.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit).
    pub async fn permit(&mut self) -> Result<(), AdmissionRefusal> {
        if let Some(event) = &mut self.event {
            verdict(event, &self.view, &self.session).await?;
        }
        if self.admission.denies(&self.view, &self.session) {
            return Err(AdmissionRefusal(Reason::NormalClose));
        }
        let on = OnStream { view: &self.view, session: &self.session, stream: self.stream() };
        let mut ruled = Vec::new();
        for rule in &self.admission.rules {
            ruled.extend(rule.admit(on).map_err(AdmissionRefusal)?);
        }
        self.ruled = ruled;
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
        self.presence.as_ref().expect("taken by drop only").stream()
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
    let Reply { answer, limits, .. } = event.reply().await;
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
        Ok(()) => {
            if let Some(limits) = limits {
                let _ = session.answered_limits.set(limits);
            }
            event.keep();
        }
        Err(_) => log::start_refused(session, event.hook(), &answer),
    }
    verdict
}

impl Drop for AdmittedSession {
    fn drop(&mut self) {
        let Some(presence) = self.presence.take() else { return };
        self.demands.clear();
        self.observed.clear();
        self.ruled.clear();
        let id = presence.stream().id();
        self.admission.stream_events.leave(id, &self.session);
        let order = presence.leave();
        if let Some(event) = self.event.take() {
            event.finish(order);
        }
    }
}
