//! A published stream pushed to other servers: by callbacks at its start (`on_push`) or at its codec headers
//! (`on_meta`), and by `push` lines.
//!
//! Each line has a task of its own. Media goes to the other server as to any player: through the worker's
//! delivery loop, which skips to a key frame when the other server is too slow and holds up nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::rtmp::{Terms, Upstream, check};
use super::{End, Never, Outcome, attempt, destinations, has_worked, next_worker, session_for};
use crate::config::model::Application;
use crate::hub::packet::Container;
use crate::hub::stream::Stream;
use crate::limits;
use crate::module::notify::conf::MetaType;
use crate::module::relay::backoff::Backoff;
use crate::module::relay::destination::Destination;
use crate::module::relay::target::Relay;
use crate::server::context::{Context, Worker};
use crate::server::delivery::Join;
use crate::server::event;
use crate::server::ingest::Brought;
use crate::server::notify::{Event, Slot};
use crate::server::rtmp::play::{player_settings, reason_of};
use crate::server::session::{Reason, Role, Session};
use crate::server::view::AppView;
use crate::wire::rtmp::client_session::Purpose;

pub(super) const WHAT: &str = "push";

/// What a publisher is pushed by.
pub struct Pushes {
    push: Push,
    /// Follows reloads, and starts what is to be started.
    keeper: AbortHandle,
    /// Counts codec headers that fire `on_meta`.
    fired: u64,
}

/// What the tasks of a publisher share.
#[derive(Clone)]
struct Push {
    context: Arc<Context>,
    view: AppView,
    publisher: Arc<Session>,
    stream: Arc<Stream>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A callback says where to. Two lines with the same address and group are told apart by their order.
    Asked { slot: SlotKind, index: usize, url: Vec<u8>, groupid: Vec<u8> },
    /// `push`.
    Fixed(Relay),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotKind {
    Push,
    Meta,
}

impl Pushes {
    /// A publisher has been let in.
    pub fn start(
        context: &Arc<Context>,
        view: AppView,
        publisher: &Arc<Session>,
        stream: &Arc<Stream>,
    ) -> Self {
        let push =
            Push { context: context.clone(), view, publisher: publisher.clone(), stream: stream.clone() };
        let keeper = tokio::spawn(push.clone().keep()).abort_handle();
        Pushes { push, keeper, fired: 0 }
    }

    /// Codec headers have come: asks the `on_meta` callbacks where they count, each by its own line.
    pub fn headers(&mut self, brought: Brought) {
        if brought.audio_headers + brought.video_headers == 0 {
            return;
        }
        let application = self.push.view.current();
        let hooks = &application.notify;
        let wanted = match hooks.on_meta_type {
            MetaType::Video => brought.video_headers,
            MetaType::Audio => brought.audio_headers,
            MetaType::Both => brought.video_headers + brought.audio_headers,
        };
        // Push and meta exclude each other (second seed).
        if hooks.on_meta.is_empty() || !hooks.on_push.is_empty() {
            return;
        }
        for _ in 0..wanted {
            if hooks.on_meta_once && self.fired > 0 {
                return;
            }
            self.fired += 1;
            for line in lines(&application, SlotKind::Meta) {
                drop(self.push.spawn(line));
            }
        }
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        // The lines end by themselves: they watch the publisher.
        self.keeper.abort();
    }
}

/// The lines in force.
fn lines(application: &Application, kind: SlotKind) -> Vec<Line> {
    let hooks = match kind {
        SlotKind::Push => &application.notify.on_push,
        SlotKind::Meta => &application.notify.on_meta,
    };
    let asked = hooks.iter().enumerate().map(|(index, hook)| {
        let url = format!("{:?}", hook.url).into_bytes();
        Line::Asked { slot: kind, index, url, groupid: hook.groupid.to_vec() }
    });
    let fixed = application.relay.push.iter().filter(|_| kind == SlotKind::Push);
    asked.chain(fixed.cloned().map(Line::Fixed)).collect()
}

impl Push {
    /// Starts the application's lines, then follows reloads: new lines start, removed ones end.
    async fn keep(self) {
        let mut changed = self.context.store.watch();
        let mut running: Vec<(Line, AbortHandle)> = Vec::new();
        loop {
            let wanted = lines(&self.view.current(), SlotKind::Push);
            running.retain(|(line, task)| {
                let keep = wanted.contains(line);
                if !keep {
                    task.abort();
                }
                keep
            });
            for line in wanted {
                if !running.iter().any(|(other, _)| *other == line) {
                    running.push((line.clone(), self.spawn(line)));
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn spawn(&self, line: Line) -> AbortHandle {
        let (push, worker) = (self.clone(), next_worker(&self.context));
        let unfinished = self.context.pending.begin();
        let runtime = worker.runtime.clone();
        let task = runtime.spawn(async move {
            let _unfinished = unfinished;
            push.run(line, worker).await;
        });
        task.abort_handle()
    }

    /// Attempts, one after the other, until the publisher leaves.
    async fn run(self, line: Line, worker: Worker) {
        let mut backoff = Backoff::default();
        loop {
            let outcome = self.attempt(&line, &worker).await;
            let application = self.view.current();
            let relay = &application.relay;
            let delay = match outcome {
                Outcome::Unwanted | Outcome::Closed => return,
                Outcome::Refused => return self.publisher.close(Reason::RelayRefused),
                Outcome::Worked => {
                    backoff.reset();
                    Duration::ZERO
                }
                Outcome::Failed => {
                    let (first, most) =
                        (relay.failed_reconnect.duration(), relay.most_push_delay().duration());
                    backoff.next(first, most, crate::server::random())
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
        let mut shutdown = self.context.shutdown.subscribe();
        tokio::select! {
            () = self.publisher.ended() => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
    }

    /// One attempt: a session with events of its own.
    async fn attempt(&self, line: &Line, worker: &Worker) -> Outcome {
        let session = session_for(&self.context, &self.publisher, &self.stream, Role::Player);
        let (slot, subject) = match line {
            Line::Fixed(relay) => return self.fixed(&session, relay, worker).await,
            Line::Asked { slot: SlotKind::Push, index, .. } => (Slot::Push(*index), &session),
            // As recorded: what a meta callback tells of is the publisher.
            Line::Asked { slot: SlotKind::Meta, index, .. } => (Slot::Meta(*index), &self.publisher),
        };
        let Some(mut asking) = Event::begin(&self.context.notifier, &self.view, slot, subject, None) else {
            return Outcome::Unwanted;
        };
        let reply = tokio::select! {
            reply = asking.reply() => reply,
            () = self.over() => return Outcome::Closed,
        };
        match attempt::destination(&session, &mut asking, &reply, WHAT, false) {
            Ok(destination) => self.relay(&session, destination, worker).await,
            Err(outcome) => {
                match (&outcome, slot) {
                    // What a meta callback begins is no relay alone: it goes on being told of the stream.
                    (Outcome::Unwanted, Slot::Meta(_)) => {
                        asking.keep();
                        self.over().await;
                    }
                    (Outcome::Unwanted, _) => asking.forget(),
                    _ => {}
                }
                outcome
            }
        }
    }

    /// A `push` line: its addresses, one after the other.
    async fn fixed(&self, session: &Arc<Session>, line: &Relay, worker: &Worker) -> Outcome {
        for destination in destinations(line, session, WHAT) {
            match self.relay(session, destination, worker).await {
                Outcome::Failed => {}
                outcome => return outcome,
            }
        }
        Outcome::Failed
    }

    async fn relay(&self, session: &Arc<Session>, destination: Destination, worker: &Worker) -> Outcome {
        event::relay_starting(session, WHAT, &destination);
        let _ = session.destination.set(destination.clone());
        let _listed = self.context.sessions.list(session.clone());
        let mut started = None;
        let (Ok(end) | Err(end)) = self.send(session, &destination, worker, &mut started).await;
        let most = self.view.current().relay.most_push_delay().duration();
        attempt::outcome(session, WHAT, &end, has_worked(started, most), Reason::NormalClose)
    }

    /// Publishes at the other server until one side ends.
    async fn send(
        &self,
        session: &Arc<Session>,
        destination: &Destination,
        worker: &Worker,
        started: &mut Option<Instant>,
    ) -> Result<End, End> {
        let server = self.view.server();
        let terms = Terms {
            context: &self.context,
            connect: self.view.current().relay.relay_reconnect.duration(),
            chunk_size: u32::try_from(self.stream.chunk_size()).unwrap_or(u32::MAX),
            max_message: usize::try_from(server.max_message.0).unwrap_or(usize::MAX),
            buffer: Duration::ZERO,
            trail: session.identity.trail.clone(),
        };
        let start = Upstream::start(destination, |name| Purpose::Publish { name }, terms);
        let upstream = tokio::select! {
            biased;
            upstream = start => upstream?,
            end = self.asked_to_end(session) => return Ok(end),
        };
        *started = Some(Instant::now());
        event::relay_started(session, WHAT);
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

    /// Waits for a reason of ours to end a relay.
    async fn asked_to_end(&self, session: &Session) -> End {
        tokio::select! {
            () = self.over() => End::Asked(Reason::StreamEnd),
            reason = session.closed() => End::Asked(reason),
        }
    }
}

/// A stream on its way out through the delivery loop; taken back when it is dropped.
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
            lead: self.upstream.core.poll_transmit().unwrap_or_default(),
            link: self.session.link.clone(),
            send_timeout: view.server().timeout.duration(),
            view: view.clone(),
        });
        self.upstream.is_lent = true;
    }

    /// Answers the other server until it ends the relay, or the delivery loop gives it up.
    async fn keep(&mut self) -> Result<Never, End> {
        loop {
            while let Some(event) = self.upstream.core.poll_event() {
                check(event)?;
            }
            if let Some(bytes) = self.upstream.core.poll_transmit() {
                self.worker.delivery.control(self.push.stream.id(), self.session.id, bytes);
            }
            tokio::select! {
                read = self.upstream.read() => read?,
                () = self.session.link.ended() => {
                    let reason = self.session.link.gone().map_or(Reason::RtmpSendErr, reason_of);
                    return Err(End::Error(reason.name().to_owned()));
                }
            }
        }
    }

    /// Takes the sending side back, so that the stream can be ended behind its last message, sent in full.
    async fn finish(mut self) {
        let link = self.session.link.clone();
        self.worker.delivery.finish(self.push.stream.id(), self.session.id);
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
        self.worker.delivery.leave(self.push.stream.id(), self.session.id);
    }
}
