//! Use of streams by sessions, and the `stream` event of each: it lasts from the first session of a stream to its last one,
//! in both processes of an upgrade together.
//!
//! The process whose last session leaves passes the event on if the other process still uses the stream, and keeps it
//! until that one has answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::counterpart::Counterpart;
use super::counterpart::message::{BytesText, CounterpartMessage, PassedEvent};
use super::session::{Identity, Protocol, Reason, Role, Session, SessionMoments};
use super::view::AppView;
use crate::hub::registry::{StreamRegistry, StreamUse};
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::media::log;
use crate::net::socket::Peer;
use crate::notify::ledger::CallDecision;
use crate::notify::{EventKind, Members, Notifier, SessionEvent};

/// Streams in use, with their `stream` events.
pub struct StreamEvents {
    registry: Arc<StreamRegistry>,
    counterpart: Arc<Counterpart>,
    notifier: Notifier,
    /// By stream number.
    streams: Mutex<HashMap<u64, Streamed>>,
    /// Events that the counterpart was asked to take.
    passed: Mutex<HashMap<StreamKey, StreamEvent>>,
}

/// A session's use of a stream. Dropping it ends the stream's event, if it was the last one.
pub struct StreamPresence {
    events: Arc<StreamEvents>,
    stream_use: Option<StreamUse>,
    begins: bool,
}

/// A stream whose application has a line for the event.
#[derive(Default)]
struct Streamed {
    members: Arc<Members>,
    /// The sessions by number. An event that is taken over names one of them.
    present: BTreeMap<u64, (AppView, Arc<Session>)>,
    running: Option<StreamEvent>,
}

struct StreamEvent {
    /// The session that has opened the stream.
    session: Arc<Session>,
    /// Whether updates are sent.
    updates: Arc<AtomicBool>,
    /// Sending ends the event here, because another process has taken it; dropping ends it with `done`.
    stop: oneshot::Sender<()>,
    /// Resolves when `done` was answered.
    done: oneshot::Receiver<()>,
}

/// Whether `start` of an event was sent.
enum Stage {
    /// By this process; the channel resolves when it was answered.
    Starting(oneshot::Sender<()>),
    /// By the counterpart. The flag tells whether updates follow.
    Resumed(bool),
}

impl StreamEvents {
    /// Creates an empty list.
    pub fn new(
        registry: Arc<StreamRegistry>,
        counterpart: Arc<Counterpart>,
        notifier: Notifier,
    ) -> StreamEvents {
        StreamEvents { registry, counterpart, notifier, streams: Mutex::default(), passed: Mutex::default() }
    }

    /// All streams.
    pub(super) fn registry(&self) -> &StreamRegistry {
        &self.registry
    }

    /// Starts using a stream, which is created if it does not exist. `chunk_size` applies to a new stream only.
    pub fn enter(self: &Arc<Self>, key: &StreamKey, chunk_size: usize) -> StreamPresence {
        let stream_use = self.registry.enter(key, chunk_size);
        // A stream that the counterpart uses has its event there.
        let begins = stream_use.is_first() && !self.counterpart.enter(key);
        StreamPresence { events: self.clone(), stream_use: Some(stream_use), begins }
    }

    /// Begins the event of a stream. The result resolves when `start` was answered.
    pub(super) fn begin(
        &self,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Stream,
    ) -> Option<oneshot::Receiver<()>> {
        let event = SessionEvent::begin(&self.notifier, view, EventKind::Stream, session, None)?;
        let (answered, order) = oneshot::channel();
        let mut streams = self.streams.lock();
        let streamed = streams.entry(stream.id()).or_default();
        streamed.run(&self.notifier, event, session.clone(), Stage::Starting(answered));
        Some(order)
    }

    /// Adds a session to the stream's event.
    pub(super) fn join(&self, stream: u64, view: &AppView, session: &Arc<Session>) {
        let mut streams = self.streams.lock();
        let streamed = streams.entry(stream).or_default();
        streamed.present.insert(session.id, (view.clone(), session.clone()));
        streamed.members.add(session.clone());
    }

    /// Removes a session.
    pub(super) fn leave(&self, stream: u64, session: &Session) {
        if let Some(streamed) = self.streams.lock().get_mut(&stream) {
            streamed.present.remove(&session.id);
            streamed.members.remove(session);
        }
    }

    /// Processes a message of the counterpart.
    pub fn handle(&self, message: &CounterpartMessage) {
        match message {
            CounterpartMessage::Leaves { stream, passed } => {
                let key = StreamKey::from(stream);
                let continues = self.continue_event(&key, passed.as_deref());
                if passed.is_some() {
                    let stream = stream.clone();
                    self.counterpart.tell(match continues {
                        true => CounterpartMessage::EventContinued { stream },
                        false => CounterpartMessage::EventReturned { stream },
                    });
                }
            }
            CounterpartMessage::EventContinued { stream } => {
                let event = self.passed.lock().remove(&StreamKey::from(stream));
                if let Some(event) = event {
                    let _ = event.stop.send(());
                }
            }
            CounterpartMessage::EventReturned { stream } => {
                drop(self.passed.lock().remove(&StreamKey::from(stream)));
            }
            _ => {}
        }
    }

    /// The counterpart has ended. It takes no event any more, and those that it had are continued here.
    pub fn counterpart_left(&self) {
        self.passed.lock().clear();
        for streamed in self.streams.lock().values_mut() {
            streamed.resume(&self.notifier, None);
        }
    }

    /// The counterpart has no session of the stream any more. Continues the event here if the stream is in use and has
    /// none: the one that is passed on, or one that was passed and not answered yet, or a new one. Returns whether the
    /// one that is passed on continues.
    fn continue_event(&self, key: &StreamKey, passed: Option<&PassedEvent>) -> bool {
        let Some(stream) = self.registry.find(key) else { return false };
        let mut streams = self.streams.lock();
        let Some(streamed) = streams.get_mut(&stream.id()).filter(|streamed| streamed.running.is_none())
        else {
            return false;
        };
        if passed.is_some() {
            return streamed.resume(&self.notifier, passed);
        }
        if let Some(event) = self.passed.lock().remove(key) {
            streamed.running = Some(event);
            return false;
        }
        let heir = streamed.present.values().next().cloned();
        drop(streams);
        if let Some((view, session)) = heir {
            drop(self.begin(&view, &session, &stream));
        }
        false
    }

    /// Ends the event after the last session has left, or passes it on if the stream goes on in the counterpart.
    fn end(&self, stream: &Stream) -> Option<oneshot::Receiver<()>> {
        let key = stream.key();
        let event = self.streams.lock().remove(&stream.id()).and_then(|streamed| streamed.running);
        let Some(event) = event else {
            self.counterpart.leave(key, None);
            return None;
        };
        let passed = Box::new(event.passed());
        // Before the counterpart is told, so that its answer finds it.
        self.passed.lock().insert(key.clone(), event);
        if self.counterpart.leave(key, Some(passed)) {
            return None;
        }
        self.passed.lock().remove(key).map(|event| event.done)
    }
}

impl StreamPresence {
    /// The stream.
    pub fn stream(&self) -> &Arc<Stream> {
        self.stream_use.as_ref().expect("taken at the end only").stream()
    }

    /// Whether the stream's event begins with this session.
    pub(super) fn begins_event(&self) -> bool {
        self.begins
    }

    /// Ends the use. If that ends the stream's event, the result resolves when its `done` was answered.
    pub(super) fn leave(mut self) -> Option<oneshot::Receiver<()>> {
        self.leave_now()
    }

    fn leave_now(&mut self) -> Option<oneshot::Receiver<()>> {
        let stream_use = self.stream_use.take()?;
        let stream = stream_use.stream().clone();
        stream_use.leave().then(|| self.events.end(&stream)).flatten()
    }
}

impl Drop for StreamPresence {
    fn drop(&mut self) {
        drop(self.leave_now());
    }
}

impl StreamEvent {
    /// The event for the counterpart.
    fn passed(&self) -> PassedEvent {
        let (identity, peer) = (&self.session.identity, &self.session.peer);
        let Identity {
            domain, app, name, args, pargs, tc_url, page_url, swf_url, flash_ver, serverid, ..
        } = identity;
        let fields = [domain, app, name, args, pargs, tc_url, page_url, swf_url, flash_ver, serverid];
        PassedEvent {
            updates: self.updates.load(Ordering::Relaxed),
            id: self.session.id,
            publishes: self.session.role == Role::Publisher,
            addr: peer.addr.clone(),
            port: peer.port,
            local_addr: peer.local_addr.clone(),
            local_port: peer.local_port,
            scheme: identity.scheme.to_owned(),
            identity: fields.map(|field| BytesText::from(&field[..])),
        }
    }
}

impl PassedEvent {
    /// The session that the event names. It is no session of this process: it only lends its values to requests.
    fn session(&self) -> Session {
        let fields = self.identity.each_ref().map(|field| Bytes::from(field.bytes()));
        let [domain, app, name, args, pargs, tc_url, page_url, swf_url, flash_ver, serverid] = fields;
        let schemes = ["rtmp", "rtmps", "http", "https"];
        let scheme = schemes.into_iter().find(|known| *known == self.scheme).unwrap_or("rtmp");
        let identity = Identity {
            domain,
            app,
            name,
            args,
            pargs,
            tc_url,
            page_url,
            swf_url,
            flash_ver,
            serverid,
            scheme,
            ..Identity::default()
        };
        let peer = Peer {
            addr: self.addr.clone(),
            ip: None,
            port: self.port,
            local_addr: self.local_addr.clone(),
            local_port: self.local_port,
            declared: None,
        };
        let role = if self.publishes { Role::Publisher } else { Role::Player };
        let moments = SessionMoments::default();
        Session::new(self.id, peer, Protocol::Rtmp, role, identity, Instant::now(), moments)
    }
}

impl Streamed {
    /// Continues an event whose `start` the counterpart has sent, with its session, or with a session of this process if
    /// that is not known. Returns whether it continues.
    fn resume(&mut self, notifier: &Notifier, passed: Option<&PassedEvent>) -> bool {
        if self.running.is_some() {
            return false;
        }
        let Some((view, heir)) = self.present.values().next().cloned() else { return false };
        let (session, updates) = match passed {
            Some(passed) => (Arc::new(passed.session()), passed.updates),
            None => (heir, true),
        };
        let Some(event) = SessionEvent::resume(notifier, &view, EventKind::Stream, &session) else {
            return false;
        };
        self.run(notifier, event, session, Stage::Resumed(updates));
        true
    }

    /// Runs the event until its end.
    fn run(&mut self, notifier: &Notifier, mut event: SessionEvent, session: Arc<Session>, stage: Stage) {
        self.members.set_named(session.clone());
        event.belongs_to(self.members.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let (finished, done) = oneshot::channel();
        let updates = Arc::new(AtomicBool::new(matches!(stage, Stage::Resumed(true))));
        self.running = Some(StreamEvent { session: session.clone(), updates: updates.clone(), stop, done });
        drop(notifier.spawn(async move {
            match stage {
                Stage::Starting(answered) => {
                    let answer = event.answer().await;
                    let _ = answered.send(());
                    // Only a success starts updates. With the older names, a 4xx ends the session: `enforce=update`
                    // distinguishes `oclp_stream` from `on_stream`.
                    if answer.is_success() {
                        updates.store(true, Ordering::Relaxed);
                        event.keep();
                    } else if event.hook().enforce.update && answer.is_client_error() {
                        event.decided(CallDecision::Refuse);
                        log::start_refused(&session, event.hook(), &answer);
                        session.close(Reason::NotifyRefused);
                    }
                }
                Stage::Resumed(true) => event.keep(),
                Stage::Resumed(false) => {}
            }
            match stopped.await {
                Ok(()) => event.forget(),
                Err(_) => {
                    if let Some(done) = event.finish(None) {
                        let _ = done.await;
                    }
                }
            }
            let _ = finished.send(());
        }));
    }
}
