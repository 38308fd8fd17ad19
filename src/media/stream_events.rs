//! Running `stream` events: each lasts from the first session of a stream to its last one, in both processes of an
//! upgrade together.
//!
//! The process with the last session passes the event on if the other process still uses the stream, and keeps it until
//! that one has taken it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::counterpart::message::{CounterpartMessage, EventMessage};
use super::session::{Reason, Session};
use super::view::AppView;
use crate::hub::stream::Stream;
use crate::hub::stream_key::StreamKey;
use crate::media::log;
use crate::notify::ledger::CallDecision;
use crate::notify::{EventKind, Members, Notifier, SessionEvent};

/// Pending `stream` events, by stream number.
#[derive(Default)]
pub(super) struct StreamEvents {
    streams: Mutex<HashMap<u64, Streamed>>,
    /// Events that the counterpart was asked to take.
    passed: Mutex<HashMap<StreamKey, StreamEvent>>,
}

/// A stream whose application has a line for the event.
#[derive(Default)]
struct Streamed {
    /// Sessions may enter before the event of the session that created the stream has begun.
    members: Arc<Members>,
    /// A session of the stream, for an event that is taken over.
    heir: Option<(AppView, Arc<Session>)>,
    running: Option<StreamEvent>,
}

struct StreamEvent {
    /// Sending ends the event here, because another process has taken it; dropping ends it with `done`.
    stop: oneshot::Sender<()>,
    /// Resolves when `done` was answered.
    done: oneshot::Receiver<()>,
}

impl StreamEvents {
    /// Begins the event of a new stream. The result resolves when `start` was answered.
    pub(super) fn begin(
        &self,
        notifier: &Notifier,
        view: &AppView,
        session: &Arc<Session>,
        stream: &Stream,
    ) -> Option<oneshot::Receiver<()>> {
        let event = SessionEvent::begin(notifier, view, EventKind::Stream, session, None)?;
        let (answered, order) = oneshot::channel();
        let mut streams = self.streams.lock();
        streams.entry(stream.id()).or_default().run(notifier, event, session.clone(), Some(answered));
        Some(order)
    }

    /// Continues the event of a stream that was passed on by the counterpart. Returns whether the stream has a session.
    pub(super) fn resume(&self, notifier: &Notifier, stream: u64) -> bool {
        let mut streams = self.streams.lock();
        let Some(streamed) = streams.get_mut(&stream) else { return false };
        let Some((view, session)) = streamed.heir.clone() else { return false };
        let Some(event) = SessionEvent::resume(notifier, &view, EventKind::Stream, &session) else {
            return false;
        };
        streamed.run(notifier, event, session, None);
        true
    }

    /// The counterpart has taken an event.
    pub(super) fn taken(&self, key: &StreamKey) {
        if let Some(event) = self.passed.lock().remove(key) {
            let _ = event.stop.send(());
        }
    }

    /// The counterpart does not take this event, or any: its stream has ended in both processes.
    pub(super) fn returned(&self, key: Option<&StreamKey>) {
        self.passed.lock().retain(|passed, _| key.is_some_and(|key| key != passed));
    }

    /// Adds a session to the stream's event.
    pub(super) fn join(&self, stream: u64, view: &AppView, session: &Arc<Session>) {
        let mut streams = self.streams.lock();
        let streamed = streams.entry(stream).or_default();
        streamed.heir.get_or_insert_with(|| (view.clone(), session.clone()));
        streamed.members.add(session.clone());
    }

    /// Removes a session.
    pub(super) fn leave(&self, stream: u64, session: &Session) {
        if let Some(streamed) = self.streams.lock().get(&stream) {
            streamed.members.remove(session);
        }
    }

    /// Ends the event after the last session has left, or keeps it for the counterpart if the stream goes on there;
    /// `pass` then asks that one to take it.
    pub(super) fn end(
        &self,
        stream: u64,
        key: &StreamKey,
        pass: Option<impl FnOnce(CounterpartMessage)>,
    ) -> Option<oneshot::Receiver<()>> {
        let event = self.streams.lock().remove(&stream)?.running?;
        let Some(pass) = pass else { return Some(event.done) };
        self.passed.lock().insert(key.clone(), event);
        pass(CounterpartMessage::Event(EventMessage::Pass { stream: key.into() }));
        None
    }
}

impl Streamed {
    /// Runs the event until its end. `answered` resolves when `start` was answered; without it the event goes on.
    fn run(
        &mut self,
        notifier: &Notifier,
        mut event: SessionEvent,
        session: Arc<Session>,
        answered: Option<oneshot::Sender<()>>,
    ) {
        self.members.set_named(session.clone());
        event.belongs_to(self.members.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let (finished, done) = oneshot::channel();
        drop(notifier.spawn(async move {
            match answered {
                Some(answered) => {
                    let answer = event.answer().await;
                    let _ = answered.send(());
                    // Only a success starts updates. With the older names, a 4xx ends the session: `enforce=update`
                    // distinguishes `oclp_stream` from `on_stream`.
                    if answer.is_success() {
                        event.keep();
                    } else if event.hook().enforce.update && answer.is_client_error() {
                        event.decided(CallDecision::Refuse);
                        log::start_refused(&session, event.hook(), &answer);
                        session.close(Reason::NotifyRefused);
                    }
                }
                None => event.keep(),
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
        self.running = Some(StreamEvent { stop, done });
    }
}
