//! From "wants to publish or play" to "may": the stream is held, callbacks are asked, access rules apply.
//!
//! The same steps for every protocol, in the original's order: the stream event goes out first, then the
//! session's own `start`; access rules are looked at after its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::access::rule::Action;
use super::extension::{Demand, OnStream, PublishObserver, Running, SessionObserver, Source};
use super::session::{Identity, Listed, Reason, Role, Session, Sessions};
use super::trails::Trails;
use super::view::AppView;
use crate::hub::registry::{Registry, StreamUse};
use crate::hub::stream::Stream;
use crate::media::log;
use crate::media::{access, live};
use crate::notify;
use crate::notify::ledger::Decision;
use crate::notify::{Answer, EventKind, Members, Notifier, SessionEvent};

/// What lets sessions in, whichever protocol they speak.
pub struct Admission {
    /// All streams.
    registry: Arc<Registry>,
    /// All sessions.
    sessions: Arc<Sessions>,
    callbacks: Notifier,
    /// `stream` events under way.
    stream_events: StreamEvents,
    trails: Arc<Trails>,
    observers: Vec<Arc<dyn SessionObserver>>,
    sources: Vec<Arc<dyn Source>>,
}

impl Admission {
    /// Nothing is let in yet.
    pub fn new(
        registry: Arc<Registry>,
        sessions: Arc<Sessions>,
        callbacks: Notifier,
        trails: Arc<Trails>,
        observers: Vec<Arc<dyn SessionObserver>>,
        sources: Vec<Arc<dyn Source>>,
    ) -> Admission {
        let stream_events = StreamEvents::default();
        Admission { registry, sessions, callbacks, stream_events, trails, observers, sources }
    }

    /// Which streams of this server are on a relay's trail.
    pub fn trails(&self) -> &Trails {
        &self.trails
    }

    /// Whether a session says of itself that it would feed its stream with itself, by way of relays.
    pub fn is_loop(&self, identity: &Identity, role: Role) -> bool {
        let way = |stream| self.sources.first().map(|source| source.way(stream)).unwrap_or_default();
        self.trails.is_loop(&self.registry, identity, role, way)
    }
}

/// A session that holds its stream. Dropping it ends its events: the stream's `done` if it was the last
/// session, then its own.
pub struct Entered {
    admission: Arc<Admission>,
    view: AppView,
    session: Arc<Session>,
    stream_use: Option<StreamUse>,
    event: Option<SessionEvent>,
    /// A player's parts in bringing the stream from elsewhere, one for each source.
    demands: Vec<Box<dyn Demand>>,
    /// What follows a player.
    observed: Vec<Running>,
    _listed: Listed,
}

/// Why a session was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub Reason);

impl Entered {
    /// Holds the stream and sends `start` where a callback is configured.
    pub fn enter(admission: &Arc<Admission>, view: &AppView, session: &Arc<Session>) -> Box<Self> {
        let chunk_size = view.server().chunk_size.0 as usize;
        let stream_use = admission.registry.enter(&session.key, chunk_size);
        session.set_stream(stream_use.stream().clone());
        let mut order = None;
        if view.current().get::<notify::conf::Current>().on_stream.is_some() {
            admission.stream_events.join(stream_use.stream().id(), session);
        }
        if stream_use.is_first() {
            order = admission.stream_events.begin(&admission.callbacks, view, session, stream_use.stream());
        }
        let slot = match session.role {
            Role::Publisher => EventKind::Publish,
            Role::Player => EventKind::Play,
        };
        let event = SessionEvent::begin(&admission.callbacks, view, slot, session, order);
        Box::new(Entered {
            admission: admission.clone(),
            view: view.clone(),
            session: session.clone(),
            stream_use: Some(stream_use),
            event,
            demands: Vec::new(),
            observed: Vec::new(),
            _listed: admission.sessions.list(session.clone()),
        })
    }

    /// Waits for the verdict.
    pub async fn admit(&mut self) -> Result<(), Refused> {
        if let Some(event) = &mut self.event {
            verdict(event, &self.view, &self.session).await?;
        }
        let action = match self.session.role {
            Role::Publisher => Action::Publish,
            Role::Player => Action::Play,
        };
        if !self.view.current().get::<access::conf::Current>().permits(action, self.session.peer.ip) {
            log::access_denied(&self.session);
            return Err(Refused(Reason::NormalClose));
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

    /// Whether the stream comes from elsewhere when no client publishes it.
    pub fn is_pulled(&self) -> bool {
        let sources = &self.admission.sources;
        !self.demands.is_empty() && sources.iter().any(|source| source.is_configured(&self.view))
    }

    /// Waits until no answer to `on_pull` can refuse the player.
    pub async fn pull_settled(&self) {
        for demand in &self.demands {
            demand.settled().await;
        }
    }

    /// For a relay of ours that plays: follows the way by which the stream's media comes until here. It is told to all that
    /// say they are one, proved or not: circles of servers without a common secret end by it, and a client that pretends
    /// learns only hashes, which are good for having itself refused.
    pub fn way(&self) -> Option<watch::Receiver<Bytes>> {
        let is_relay = self.session.identity.trail.claims_relay();
        self.demands.first().filter(|_| is_relay).map(|demand| demand.way())
    }

    /// What follows a client that publishes.
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

    /// What let the session in.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

/// Waits for the answer to `start`; updates follow where it lets `session` in.
pub async fn verdict(event: &mut SessionEvent, view: &AppView, session: &Session) -> Result<(), Refused> {
    let answer = event.answer().await;
    let (verdict, decision) = match answer {
        Answer::Failed(_) | Answer::TimedOut
            if view.current().get::<notify::conf::Current>().ignore_invalid =>
        {
            (Ok(()), Decision::AllowUnanswered)
        }
        _ if !event.hook().enforce.start || answer.is_success() => (Ok(()), Decision::Allow),
        Answer::Status(_) => (Err(Refused(Reason::NotifyRefused)), Decision::Refuse),
        Answer::Failed(_) | Answer::TimedOut => (Err(Refused(Reason::NotifyErr)), Decision::Refuse),
    };
    event.decided(decision);
    match verdict {
        Ok(()) => event.keep(),
        Err(_) => log::start_refused(session, event.hook(), &answer),
    }
    verdict
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some(stream_use) = self.stream_use.take() else { return };
        self.demands.clear();
        self.observed.clear();
        let id = stream_use.stream().id();
        self.admission.stream_events.leave(id, &self.session);
        let order = if stream_use.leave() { self.admission.stream_events.end(id) } else { None };
        if let Some(event) = self.event.take() {
            event.finish(order);
        }
    }
}

/// The `stream` events under way, by stream number.
#[derive(Default)]
struct StreamEvents {
    streams: Mutex<HashMap<u64, Streamed>>,
}

/// A stream whose application has a line for it.
#[derive(Default)]
struct Streamed {
    /// A session may come before the event of the one that made the stream has begun.
    members: Arc<Members>,
    running: Option<StreamEvent>,
}

struct StreamEvent {
    /// Dropping it ends the event.
    _stop: oneshot::Sender<()>,
    /// Resolves when `done` was answered.
    done: oneshot::Receiver<()>,
}

impl StreamEvents {
    /// A session has made the stream. The result resolves when `start` was answered.
    fn begin(
        &self,
        notifier: &Notifier,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Stream,
    ) -> Option<oneshot::Receiver<()>> {
        let mut event = SessionEvent::begin(notifier, view, EventKind::Stream, session, None)?;
        let mut streams = self.lock();
        let streamed = streams.entry(stream.id()).or_default();
        streamed.members.set_named(session.clone());
        event.belongs_to(streamed.members.clone());
        let (answered, order) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (finished, done) = oneshot::channel();
        let session = session.clone();
        drop(notifier.spawn(async move {
            let answer = event.answer().await;
            let _ = answered.send(());
            // Only a success makes updates follow. A 4xx ends the session where the hook is of the old kind
            // (first seed): `enforce=update` is what sets `oclp_stream` apart from `on_stream`.
            if answer.is_success() {
                event.keep();
            } else if event.hook().enforce.update && answer.is_client_error() {
                event.decided(Decision::Refuse);
                log::start_refused(&session, event.hook(), &answer);
                session.close(Reason::NotifyRefused);
            }
            let _ = stopped.await;
            if let Some(done) = event.finish(None) {
                let _ = done.await;
            }
            let _ = finished.send(());
        }));
        streamed.running = Some(StreamEvent { _stop: stop, done });
        Some(order)
    }

    /// A session is on the stream.
    fn join(&self, stream: u64, session: &Arc<Session>) {
        self.lock().entry(stream).or_default().members.add(session.clone());
    }

    /// It is not any more.
    fn leave(&self, stream: u64, session: &Session) {
        if let Some(streamed) = self.lock().get(&stream) {
            streamed.members.remove(session);
        }
    }

    /// The last session has left.
    fn end(&self, stream: u64) -> Option<oneshot::Receiver<()>> {
        self.lock().remove(&stream)?.running.map(|event| event.done)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Streamed>> {
        self.streams.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
