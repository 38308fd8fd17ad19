//! Streams pulled from other servers for as long as somebody plays them here.
//!
//! ```text
//! first player ---> asked ---> relaying ---> asked again ...
//!   |                 | 200       | a publisher of our own comes: idle until it leaves
//!   |                 v           v
//!   |              idle until another player comes, or a publisher came and left
//!   +--- last player leaves: all of it ends
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use super::http::Download;
use super::rtmp::{Terms, Upstream, check};
use super::{End, Never, Outcome, attempt, destinations, has_worked, next_worker, session_for};
use crate::hub::stream::{Phase, Stream};
use crate::module::relay::address::Protocol;
use crate::module::relay::backoff::Backoff;
use crate::module::relay::complaints::Complaints;
use crate::module::relay::control;
use crate::module::relay::destination::Destination;
use crate::module::relay::target::Relay;
use crate::server::context::Context;
use crate::server::event;
use crate::server::ingest::{Ingest, Source};
use crate::server::notify::{Event, Slot};
use crate::server::rest::Rest;
use crate::server::session::{Reason, Role, Session};
use crate::server::view::AppView;
use crate::wire::MediaKind;
use crate::wire::rtmp::client_session::{Event as UpstreamEvent, Purpose};

const WHAT: &str = "pull";

/// All streams with players, by stream number.
#[derive(Default)]
pub struct Pulls {
    streams: Mutex<HashMap<u64, Arc<Pulled>>>,
}

/// A stream that somebody plays.
struct Pulled {
    view: AppView,
    stream: Arc<Stream>,
    players: Mutex<Players>,
    /// How many players are there, and how many have come.
    counts: watch::Sender<Counts>,
    /// By way of which streams the relay's media comes, as its source tells it; empty without a relay.
    way: watch::Sender<Bytes>,
    /// How many players had come when the callback last did not refuse: the answer was for all of them.
    settled: watch::Sender<u64>,
    complaints: Mutex<Complaints>,
}

#[derive(Default)]
struct Players {
    sessions: BTreeMap<u64, Arc<Session>>,
    /// Whether a task looks after the stream.
    tended: bool,
    /// A line of its own (`static_pull`), in place of those of the application and its callback.
    standing: Option<Relay>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    present: usize,
    arrived: u64,
}

/// A player's part in it.
pub struct PullUse {
    context: Arc<Context>,
    pulled: Arc<Pulled>,
    session: u64,
    /// How many players had come with it.
    arrival: u64,
    /// It has brought the stream's own line.
    stands: bool,
}

impl PullUse {
    /// A player has been let in.
    pub fn enter(
        context: &Arc<Context>,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Arc<Stream>,
    ) -> Self {
        PullUse::with(context, view, session, stream, None)
    }

    /// As if somebody played the stream all the time, and the application had this `pull` line. `session` says what
    /// a player would.
    pub fn stand(
        context: &Arc<Context>,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Arc<Stream>,
        line: Relay,
    ) -> Self {
        PullUse::with(context, view, session, stream, Some(line))
    }

    fn with(
        context: &Arc<Context>,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Arc<Stream>,
        standing: Option<Relay>,
    ) -> Self {
        let mut streams = context.relays.pulls.lock();
        let pulled = streams.entry(stream.id()).or_insert_with(|| {
            Arc::new(Pulled {
                view: view.clone(),
                stream: stream.clone(),
                players: Mutex::default(),
                counts: watch::Sender::new(Counts::default()),
                way: watch::Sender::default(),
                settled: watch::Sender::default(),
                complaints: Mutex::default(),
            })
        });
        let mut players = pulled.lock();
        players.sessions.insert(session.id, session.clone());
        let mut stands = false;
        if let Some(line) = standing {
            players.standing = Some(line);
            stands = true;
        }
        // Under the same lock, so that `close_players` counts exactly those that it ends.
        pulled.counts.send_modify(|c| *c = Counts { present: c.present + 1, arrived: c.arrived + 1 });
        let arrival = pulled.counts.borrow().arrived;
        drop(players);
        tend(context, pulled);
        PullUse { context: context.clone(), pulled: pulled.clone(), session: session.id, arrival, stands }
    }

    /// Waits until the pull callback, if there is one, has let the players wait.
    pub async fn settled(&self) {
        if self.pulled.view.current().notify.on_pull.is_some() {
            // Its sender lives as long as `pulled`.
            let _ = self.pulled.settled.subscribe().wait_for(|settled| *settled >= self.arrival).await;
        }
    }

    /// Follows the way by which the stream's media comes until here.
    pub fn way(&self) -> watch::Receiver<Bytes> {
        self.pulled.way.subscribe()
    }
}

impl Drop for PullUse {
    fn drop(&mut self) {
        let mut streams = self.context.relays.pulls.lock();
        let mut players = self.pulled.lock();
        players.sessions.remove(&self.session);
        if self.stands {
            players.standing = None;
        }
        drop(players);
        self.pulled.counts.send_modify(|c| c.present -= 1);
        if self.pulled.counts.borrow().present == 0 {
            streams.remove(&self.pulled.stream.id());
        }
    }
}

impl Pulls {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Pulled>>> {
        self.streams.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether the application pulls what is not published here.
pub fn is_configured(view: &AppView) -> bool {
    let application = view.current();
    application.notify.on_pull.is_some() || !application.relay.pull.is_empty()
}

/// A reload may configure pulling for streams that have players already.
pub async fn follow_reloads(context: Arc<Context>) {
    let mut changed = context.store.watch();
    loop {
        let died = context.deaths.follow();
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            () = died => {}
        }
        let streams: Vec<_> = context.relays.pulls.lock().values().cloned().collect();
        for pulled in streams {
            tend(&context, &pulled);
        }
    }
}

/// Makes sure that a task looks after the stream, if anything is to be done.
fn tend(context: &Arc<Context>, pulled: &Arc<Pulled>) {
    if !pulled.is_configured() || std::mem::replace(&mut pulled.lock().tended, true) {
        return;
    }
    let (context, pulled) = (context.clone(), pulled.clone());
    let unfinished = context.pending.begin();
    let (alive, _) = context.deaths.watch();
    let tended = Tended(pulled.clone());
    next_worker(&context).runtime.spawn(async move {
        let _unfinished = unfinished;
        let mut shutdown = context.shutdown.subscribe();
        let mut counts = pulled.counts.subscribe();
        tokio::select! {
            biased;
            _ = counts.wait_for(|c| c.present == 0) => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = pulled.run(&context) => {}
        }
        drop(tended);
        alive.ended();
        // A player or a reload that came since the task has ended took it for one that goes on.
        if !*shutdown.borrow() && pulled.counts.borrow().present > 0 {
            tend(&context, &pulled);
        }
    });
}

/// A task looks after the stream, for as long as this lives.
struct Tended(Arc<Pulled>);

impl Drop for Tended {
    fn drop(&mut self) {
        self.0.lock().tended = false;
    }
}

impl Pulled {
    /// Until the configuration pulls no more; whoever calls this ends it when the last player has left.
    async fn run(&self, context: &Arc<Context>) {
        let mut backoff = Backoff::default();
        let mut phase = self.stream.watch();
        let mut counts = self.counts.subscribe();
        loop {
            let _ = phase.wait_for(|p| !p.publishing).await;
            let arrived = counts.borrow_and_update().arrived;
            let epoch = phase.borrow().epoch;
            let Some(cause) = self.cause() else { return };
            if !self.is_configured() {
                return;
            }
            let standing = self.lock().standing.clone();
            let outcome = match &standing {
                Some(line) => self.one(context, &cause, line).await,
                None => self.attempt(context, &cause).await,
            };
            match outcome {
                // Who stands by does not give up; players that came along go on to wait.
                Outcome::Refused if standing.is_some() => self.pause(&mut backoff, &mut phase).await,
                Outcome::Worked => backoff.reset(),
                Outcome::Unwanted | Outcome::Refused => {
                    let arrived = match outcome {
                        Outcome::Refused => self.close_players(),
                        _ => arrived,
                    };
                    backoff.reset();
                    // Asked again for the next player, or when a publisher of our own has come and left.
                    tokio::select! {
                        _ = counts.wait_for(|c| c.arrived > arrived) => {}
                        _ = phase.wait_for(|p| p.epoch > epoch) => {}
                    }
                }
                Outcome::Failed => self.pause(&mut backoff, &mut phase).await,
                // The callback server has ended a relay that worked; it is asked anew, but not at once.
                Outcome::Closed => {
                    let most = self.view.current().relay.most_pull_delay().duration();
                    wait_unless_published(most, &mut phase).await;
                }
            }
        }
    }

    async fn pause(&self, backoff: &mut Backoff, phase: &mut watch::Receiver<Phase>) {
        let application = self.view.current();
        let relay = &application.relay;
        let delay = backoff.next(
            relay.failed_reconnect.duration(),
            relay.most_pull_delay().duration(),
            crate::server::random(),
        );
        wait_unless_published(delay, phase).await;
    }

    /// One attempt: a session with events of its own.
    async fn attempt(&self, context: &Arc<Context>, cause: &Session) -> Outcome {
        let session = session_for(context, cause, &self.stream, Role::Publisher);
        let Some(mut pull) = Event::begin(&context.notifier, &self.view, Slot::Pull, &session, None) else {
            return self.fixed(context, &session).await;
        };
        let reply = pull.reply().await;
        let destination = attempt::destination(&session, &mut pull, &reply, WHAT, true, &self.complaints);
        if let Ok(_) | Err(Outcome::Unwanted) = destination {
            self.settled.send_replace(self.counts.borrow().arrived);
        }
        match destination {
            Ok(destination) => tokio::select! {
                outcome = self.relay(context, &session, destination) => outcome,
                never = self.line_removed(context, &session) => match never {},
            },
            Err(outcome) => {
                if let Outcome::Unwanted = outcome {
                    pull.forget();
                }
                outcome
            }
        }
    }

    /// Ends the relay of a session once a reload has removed the line that asked for it.
    async fn line_removed(&self, context: &Context, session: &Session) -> Never {
        let mut changed = context.store.watch();
        while self.view.current().notify.on_pull.is_some() && changed.changed().await.is_ok() {}
        session.close(Reason::StreamEnd);
        std::future::pending().await
    }

    /// The stream's own line.
    async fn one(&self, context: &Arc<Context>, cause: &Session, line: &Relay) -> Outcome {
        let session = session_for(context, cause, &self.stream, Role::Publisher);
        self.line(context, &session, line).await
    }

    /// A `pull` line: its addresses, one after the other.
    async fn line(&self, context: &Arc<Context>, session: &Arc<Session>, line: &Relay) -> Outcome {
        for destination in destinations(line, session, WHAT, &self.complaints) {
            match self.relay(context, session, destination).await {
                Outcome::Failed => {}
                outcome => return outcome,
            }
        }
        Outcome::Failed
    }

    /// The application's `pull` lines, one after the other.
    async fn fixed(&self, context: &Arc<Context>, session: &Arc<Session>) -> Outcome {
        let application = self.view.current();
        for line in &application.relay.pull {
            match self.line(context, session, line).await {
                Outcome::Failed => {}
                outcome => return outcome,
            }
        }
        Outcome::Failed
    }

    async fn relay(
        &self,
        context: &Arc<Context>,
        session: &Arc<Session>,
        destination: Destination,
    ) -> Outcome {
        attempt::starting(session, WHAT, &destination, &self.complaints);
        let _listed = context.sessions.list(session.clone());
        let mut fetch = Fetch {
            context,
            pulled: self,
            session,
            connect: self.view.current().relay.relay_reconnect.duration(),
            ingest: None,
            started: None,
        };
        let end = tokio::select! {
            end = async {
                let outcome = match destination.address.protocol {
                    Protocol::Rtmp => fetch.rtmp(&destination).await,
                    Protocol::HttpFlv => fetch.http(&destination).await,
                };
                match outcome {
                    Ok(never) => match never {},
                    Err(end) => end,
                }
            } => end,
            () = self.published_by_another(session) => End::Published,
            reason = session.closed() => End::Asked(reason),
        };
        let most = self.view.current().relay.most_pull_delay().duration();
        let worked = has_worked(fetch.started, most);
        drop(fetch);
        attempt::outcome(session, WHAT, &end, worked, Reason::StreamEnd, &self.complaints)
    }

    /// Waits until the stream is published by another session than that of the relay.
    async fn published_by_another(&self, session: &Session) {
        let mut phase = self.stream.watch();
        loop {
            if self.stream.publisher().is_some_and(|publisher| publisher != session.id) {
                return;
            }
            if phase.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether there is anything to pull from.
    fn is_configured(&self) -> bool {
        self.lock().standing.is_some() || is_configured(&self.view)
    }

    /// The player whose words the next attempt uses: the one that has been here longest. A trail, which any client can
    /// claim to have, is told only where nothing else asks for the stream: it must not decide for others.
    fn cause(&self) -> Option<Arc<Session>> {
        let players = self.lock();
        let mut sessions = players.sessions.values();
        let plain = sessions.clone().find(|session| session.identity.trail.is_empty());
        plain.or_else(|| sessions.next()).cloned()
    }

    /// Ends all players, and returns how many have come so far: the refusal was the answer to all of these.
    fn close_players(&self) -> u64 {
        let players = self.lock();
        for session in players.sessions.values() {
            session.close(Reason::RelayRefused);
        }
        self.counts.borrow().arrived
    }

    fn lock(&self) -> MutexGuard<'_, Players> {
        self.players.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn wait_unless_published(delay: Duration, phase: &mut watch::Receiver<Phase>) {
    let _ = tokio::time::timeout(delay, phase.wait_for(|p| p.publishing)).await;
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.pulled.way.send_if_modified(|way| !std::mem::take(way).is_empty());
    }
}

/// A relay under way.
struct Fetch<'a> {
    context: &'a Arc<Context>,
    pulled: &'a Pulled,
    session: &'a Arc<Session>,
    connect: Duration,
    /// From the first media on; until then a publisher of our own may still take the stream.
    ingest: Option<Ingest>,
    started: Option<Instant>,
}

impl Fetch<'_> {
    async fn rtmp(&mut self, destination: &Destination) -> Result<Never, End> {
        self.name(destination);
        let server = self.pulled.view.server();
        let terms = Terms {
            context: self.context,
            connect: self.connect,
            chunk_size: server.chunk_size.0,
            max_message: usize::try_from(server.max_message.0).unwrap_or(usize::MAX),
            buffer: self.pulled.view.current().relay.relay_buffer.duration(),
            trail: self.session.identity.trail.clone(),
        };
        let mut upstream = Upstream::start(destination, |name| Purpose::Play { name }, terms).await?;
        let (mut rest, mut received) = (Rest::new(&upstream.socket), 0);
        loop {
            upstream.flush().await?;
            while let Some(event) = upstream.core.poll_event() {
                match event {
                    UpstreamEvent::Media { kind, payload, .. } if control::is_control(kind, &payload) => {
                        self.told(kind, &payload)?;
                    }
                    UpstreamEvent::Media { kind, timestamp, payload } => {
                        self.ingest()?.media(kind, timestamp, payload);
                    }
                    event => check(event)?,
                }
            }
            let before = std::mem::replace(&mut received, upstream.core.bytes_received());
            if let Some(ingest) = &mut self.ingest {
                ingest.push(received);
                rest.until(ingest.next_wanted().filter(|_| received != before));
            }
            let read = rest.ready().await.map_err(End::error)?;
            upstream.read_with(read)?;
        }
    }

    async fn http(&mut self, destination: &Destination) -> Result<Never, End> {
        self.name(destination);
        let max_message = usize::try_from(self.pulled.view.server().max_message.0).unwrap_or(usize::MAX);
        let trail = &self.session.identity.trail;
        let mut download =
            Download::start(self.context, destination, self.connect, max_message, trail).await?;
        loop {
            let mut tags = Vec::new();
            let read = download.read(|tag| tags.push(tag)).await;
            for tag in tags {
                if control::is_control(tag.kind, &tag.payload) {
                    self.told(tag.kind, &tag.payload)?;
                    continue;
                }
                self.ingest()?.media(tag.kind, tag.timestamp, tag.payload);
            }
            if let Some(ingest) = &mut self.ingest {
                ingest.push(download.received());
            }
            read?;
        }
    }

    /// For `$relay_*`; a line's second address says nothing new there.
    fn name(&self, destination: &Destination) {
        let _ = self.session.destination.set(destination.clone());
    }

    /// The source has told something of the connection: where its media comes by way of the stream that is pulled, the
    /// relay would feed itself.
    fn told(&self, kind: MediaKind, payload: &Bytes) -> Result<(), End> {
        let Some(way) = control::way_of(kind, payload) else { return Ok(()) };
        if self.context.relays.leads_back(&way, self.pulled.stream.key()) {
            return Err(End::Error("relay loop: the source is fed by this stream".into()));
        }
        self.pulled.way.send_if_modified(|known| std::mem::replace(known, way.clone()) != way);
        Ok(())
    }

    fn ingest(&mut self) -> Result<&mut Ingest, End> {
        if self.ingest.is_none() {
            let Pulled { view, stream, .. } = self.pulled;
            let ingest = Ingest::start(self.context, view, self.session, stream, Source::Relay)
                .map_err(|_| End::Published)?;
            self.started = Some(Instant::now());
            event::relay_started(self.session, WHAT);
            self.ingest = Some(ingest);
        }
        Ok(self.ingest.as_mut().expect("set above"))
    }
}
