//! Published streams pushed to other servers: by callbacks at their start (`on_push`) or at their codec headers
//! (`on_meta`), and by `push` lines.
//!
//! Each line has its own task ([`super::lines`]). Media is sent like to any player: through the worker's delivery loop,
//! which skips to a key frame if the other server is too slow and never blocks others.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::attempt::{Attempt, RelayKind};
use super::complaints::Complaints;
use super::conf::Current;
use super::destination::Destination;
use super::error::RelayError;
use super::outcome::{AttemptOutcome, RelayEnd, has_worked};
use super::push_line::{PendingHeaders, PushLine};
use super::relays::session_for;
use super::rtmp::{ConnectSettings, Upstream, check};
use crate::hub::packet::Container;
use crate::hub::stream::Stream;
use crate::limits;
use crate::media::delivery::{Join, Start, reason_of};
use crate::media::player_settings::player_settings;
use crate::media::relay_messages;
use crate::media::relay_target::RelayTarget;
use crate::media::session::{Reason, Role, Session};
use crate::media::trail;
use crate::media::view::AppView;
use crate::media::workers::Worker;
use crate::module::relay::log;
use crate::module::relay::relays::Relays;
use crate::notify::{CallbackLine, EventKind, LineIndex, SessionEvent};
use crate::task::backoff::Backoff;
use crate::wire::rtmp::client_session::{ClientEvent as UpstreamEvent, ClientPurpose};

/// Data shared by a publisher's tasks.
#[derive(Clone)]
pub(super) struct Push {
    pub(super) relays: Arc<Relays>,
    pub(super) view: AppView,
    pub(super) publisher: Arc<Session>,
    pub(super) stream: Arc<Stream>,
    /// Failures of the line's relay.
    pub(super) complaints: Arc<Mutex<Complaints>>,
}

impl Push {
    /// Makes attempts until the publisher leaves.
    pub(super) async fn run(self, line: PushLine, mut headers: PendingHeaders, worker: Worker) {
        let mut backoff = Backoff::default();
        loop {
            let outcome = match &line {
                PushLine::Asked(line) => self.asked(line, &mut headers, &worker).await,
                PushLine::Fixed(relay) => self.fixed(relay, &worker).await,
            };
            let application = self.view.current();
            let relay = application.get::<Current>();
            let delay = match outcome {
                AttemptOutcome::Unwanted | AttemptOutcome::Closed => return,
                AttemptOutcome::Refused => return self.publisher.close(Reason::RelayRefused),
                AttemptOutcome::Worked => {
                    backoff.reset();
                    Duration::ZERO
                }
                AttemptOutcome::Failed => {
                    let (first, most) =
                        (relay.failed_reconnect.duration(), relay.most_push_delay().duration());
                    backoff.next(first, most, crate::task::random())
                }
            };
            tokio::select! {
                biased;
                () = self.over() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Waits until the publisher has left or the server stops.
    async fn over(&self) {
        let shutdown = &self.relays.lifetime.shutdown;
        tokio::select! {
            () = self.publisher.ended() => {}
            () = shutdown.cancelled() => {}
        }
    }

    fn session(&self) -> Arc<Session> {
        let trail = self.publisher.identity.trail.proved();
        session_for(&self.relays, &self.publisher, trail, &self.stream, Role::Player)
    }

    fn tries<'a>(&'a self, session: &'a Session) -> Attempt<'a> {
        Attempt {
            kind: RelayKind::Push,
            session,
            complaints: &self.complaints,
            counter: &self.relays.sessions.relays.push,
        }
    }

    /// One attempt for a callback line: a session with its own events.
    async fn asked(
        &self,
        line: &Arc<CallbackLine>,
        headers: &mut PendingHeaders,
        worker: &Worker,
    ) -> AttemptOutcome {
        let session = self.session();
        match line.index(self.view.current().get()) {
            None => AttemptOutcome::Unwanted,
            Some(LineIndex { event: EventKind::Meta, .. }) => tokio::select! {
                biased;
                () = self.over() => AttemptOutcome::Closed,
                outcome = self.meta(line, &session, headers, worker) => outcome,
            },
            Some(_) => self.push(line, &session, worker).await,
        }
    }

    async fn push(
        &self,
        line: &Arc<CallbackLine>,
        session: &Arc<Session>,
        worker: &Worker,
    ) -> AttemptOutcome {
        let begun = SessionEvent::begin_by(&self.relays.callbacks, &self.view, line, session, None);
        let Some(mut asking) = begun else { return AttemptOutcome::Unwanted };
        let reply = tokio::select! {
            reply = asking.reply() => reply,
            () = self.over() => return AttemptOutcome::Closed,
        };
        match self.tries(session).destination(&mut asking, &reply) {
            Ok(destination) => self.relay(session, destination, worker).await,
            Err(outcome) => {
                if let AttemptOutcome::Unwanted = outcome {
                    asking.forget();
                }
                outcome
            }
        }
    }

    /// One attempt for an `on_meta` line. Its event covers more than the relay: as in recordings of PingOS's traffic,
    /// it belongs to the publisher, which requests name, as long as the publisher stays, and includes further headers.
    async fn meta(
        &self,
        line: &Arc<CallbackLine>,
        session: &Arc<Session>,
        headers: &mut PendingHeaders,
        worker: &Worker,
    ) -> AttemptOutcome {
        // A failed attempt is repeated without another header.
        if !headers.has_asked() {
            headers.next().await;
        }
        let begun = SessionEvent::begin_by(&self.relays.callbacks, &self.view, line, &self.publisher, None);
        let Some(mut asking) = begun else { return AttemptOutcome::Unwanted };
        let mut reply = asking.reply().await;
        loop {
            match self.tries(session).destination(&mut asking, &reply) {
                Ok(destination) => tokio::select! {
                    outcome = self.relay(session, destination, worker) => return outcome,
                    outcome = self.refused(session, &mut asking, headers) => return outcome,
                },
                Err(AttemptOutcome::Unwanted) => {
                    asking.keep();
                    headers.next().await;
                    reply = asking.again().await;
                }
                Err(outcome) => return outcome,
            }
        }
    }

    /// Reports further headers while a relay runs, until an answer refuses.
    async fn refused(
        &self,
        session: &Session,
        asking: &mut SessionEvent,
        headers: &mut PendingHeaders,
    ) -> AttemptOutcome {
        loop {
            headers.next().await;
            let reply = asking.again().await;
            let decided = self.tries(session).destination(asking, &reply);
            if let Err(outcome @ AttemptOutcome::Refused) = decided {
                return outcome;
            }
        }
    }

    /// One attempt for a `push` line: its addresses are tried in order.
    async fn fixed(&self, line: &RelayTarget, worker: &Worker) -> AttemptOutcome {
        let session = self.session();
        for destination in self.tries(&session).destinations(line) {
            match self.relay(&session, destination, worker).await {
                AttemptOutcome::Failed => {}
                outcome => return outcome,
            }
        }
        AttemptOutcome::Failed
    }

    async fn relay(
        &self,
        session: &Arc<Session>,
        destination: Destination,
        worker: &Worker,
    ) -> AttemptOutcome {
        self.tries(session).starting(&destination);
        destination.name(session);
        let _listed = self.relays.sessions.list(session.clone());
        let mut started = None;
        let (Ok(end) | Err(end)) = self.send(session, &destination, worker, &mut started).await;
        let most = self.view.current().get::<Current>().most_push_delay().duration();
        self.tries(session).outcome(&end, has_worked(started, most))
    }

    /// Publishes to the other server until one side ends.
    async fn send(
        &self,
        session: &Arc<Session>,
        destination: &Destination,
        worker: &Worker,
        started: &mut Option<Instant>,
    ) -> Result<RelayEnd, RelayEnd> {
        let server = self.view.server();
        let terms = ConnectSettings {
            relays: &self.relays,
            connect: self.view.current().get::<Current>().relay_reconnect.duration(),
            chunk_size: u32::try_from(self.stream.chunk_size()).unwrap_or(u32::MAX),
            max_message: usize::try_from(server.max_message.0).unwrap_or(usize::MAX),
            buffer: Duration::ZERO,
            trail: session.identity.trail.claimed().clone(),
        };
        let start = Upstream::start(destination, |name| ClientPurpose::Publish { name }, terms);
        let upstream = tokio::select! {
            biased;
            upstream = start => upstream?,
            end = self.asked_to_end(session) => return Ok(end),
        };
        *started = Some(Instant::now());
        self.relays.sessions.relays.push.started.fetch_add(1, Ordering::Relaxed);
        log::started(session, RelayKind::Push.name());
        let mut sending = Sending { push: self, session, worker, upstream };
        sending.join();
        let end = tokio::select! {
            biased;
            end = self.asked_to_end(session) => end,
            Err(end) = sending.keep() => end,
        };
        sending.finish().await;
        Ok(end)
    }

    /// Waits for a local reason to end a relay.
    async fn asked_to_end(&self, session: &Session) -> RelayEnd {
        tokio::select! {
            () = self.over() => RelayEnd::Asked(Reason::StreamEnd),
            reason = session.closed() => RelayEnd::Asked(reason),
        }
    }
}

/// A stream being sent by the delivery loop; taken back when dropped.
struct Sending<'a> {
    push: &'a Push,
    session: &'a Arc<Session>,
    worker: &'a Worker,
    upstream: Upstream,
}

impl Sending<'_> {
    fn join(&mut self) {
        let Push { view, stream, .. } = self.push;
        let settings = player_settings(view, Container::Rtmp, self.upstream.core.stream_id(), b"");
        self.worker.delivery.join(Join {
            session: self.session.id,
            stream: stream.clone(),
            socket: self.upstream.socket.clone(),
            settings: crate::hub::cursor::PlayerSettings { publishes: true, cork: 0, ..settings },
            start: Start::AsSet,
            lead: self.upstream.core.poll_transmit().unwrap_or_default(),
            link: self.session.link.clone(),
            send_timeout: view.server().timeout.duration(),
            view: view.clone(),
        });
        self.upstream.is_lent = true;
    }

    /// Answers the other server until it ends the relay, or the delivery loop gives up.
    async fn keep(&mut self) -> Result<Infallible, RelayEnd> {
        loop {
            while let Some(event) = self.upstream.core.poll_event() {
                match event {
                    UpstreamEvent::Status { code, description, .. } if code == relay_messages::REACH => {
                        self.reaches(&description)?;
                    }
                    event => check(event)?,
                }
            }
            if let Some(bytes) = self.upstream.core.poll_transmit() {
                self.worker.delivery.control(self.push.stream.id(), &self.session.link, bytes);
            }
            tokio::select! {
                read = self.upstream.read() => read?,
                () = self.session.link.ended() => {
                    let reason = self.session.link.gone().map_or(Reason::RtmpSendErr, reason_of);
                    return Err(RelayError::Delivery(reason).into());
                }
            }
        }
    }

    /// Processes the target's report about where the media continues. The target is configured and therefore trusted; a
    /// publisher that is a relay is informed in turn.
    fn reaches(&self, downstream: &[u8]) -> Result<(), RelayEnd> {
        let Push { relays, stream, publisher, .. } = self.push;
        let downstream = trail::checked(downstream);
        if relays.trails.leads_back(&downstream, stream.key()) {
            return Err(RelayError::TargetLoop.into());
        }
        if publisher.identity.trail.claims_relay() {
            publisher.tell("status", relay_messages::REACH, relays.trails.reach(&downstream, stream.key()));
        }
        Ok(())
    }

    /// Takes the sending side back, so that the stream can be ended after its last complete message.
    async fn finish(mut self) {
        let link = self.session.link.clone();
        self.worker.delivery.finish(self.push.stream.id(), &self.session.link);
        let finish = async {
            link.ended().await;
            if link.gone().is_some() {
                return;
            }
            for rest in link.take_rest() {
                if self.upstream.socket.write_all(&rest).await.is_err() {
                    return;
                }
            }
            self.upstream.is_lent = false;
        };
        let _ = tokio::time::timeout(limits::RELAY_LINGER, finish).await;
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.worker.delivery.leave(self.push.stream.id(), &self.session.link);
    }
}
