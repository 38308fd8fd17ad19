//! The players of pulled streams, and the task that looks after each stream for as long as there are any.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::watch;

use super::{Pulled, is_configured};
use crate::hub::stream::Stream;
use crate::media::session::Session;
use crate::media::trail::Trail;
use crate::media::view::AppView;
use crate::module::relay::demand::Wants;
use crate::module::relay::relays::next_worker;
use crate::module::relay::target::Relay;
use crate::server::context::Context;

/// All streams with players, by stream number. Its lock is held while a player comes or goes, so that a stream is here for
/// exactly as long as its [`Demand`](crate::module::relay::demand::Demand) has players.
#[derive(Default)]
pub struct Pulls {
    streams: Mutex<HashMap<u64, Arc<Pulled>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) present: usize,
    pub(super) arrived: u64,
}

/// A player's part in it.
pub struct PullUse {
    context: Arc<Context>,
    pulled: Arc<Pulled>,
    session: u64,
    /// How many players had come with it.
    arrival: u64,
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
                demand: Mutex::default(),
                counts: watch::Sender::new(Counts::default()),
                way: watch::Sender::default(),
                settled: watch::Sender::default(),
                complaints: Mutex::default(),
            })
        });
        let mut demand = pulled.lock();
        let arrival = demand.enter(session.id, session.clone(), standing);
        pulled.count(&demand);
        let starts = demand.tend(is_configured(&pulled.view));
        drop(demand);
        if starts {
            start(context, pulled);
        }
        PullUse { context: context.clone(), pulled: pulled.clone(), session: session.id, arrival }
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
        let mut demand = self.pulled.lock();
        let was_last = demand.leave(self.session);
        self.pulled.count(&demand);
        if was_last {
            streams.remove(&self.pulled.stream.id());
        }
    }
}

impl Wants for Arc<Session> {
    fn trail(&self) -> &Trail {
        &self.identity.trail
    }
}

impl Pulls {
    /// By which way the media of a stream comes that is pulled.
    pub fn way(&self, stream: u64) -> Bytes {
        self.lock().get(&stream).map(|pulled| pulled.way.borrow().clone()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Pulled>>> {
        self.streams.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
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
            let starts = pulled.lock().tend(is_configured(&pulled.view));
            if starts {
                start(&context, &pulled);
            }
        }
    }
}

/// Starts the task that looks after the stream.
fn start(context: &Arc<Context>, pulled: &Arc<Pulled>) {
    let (context, pulled) = (context.clone(), pulled.clone());
    let unfinished = context.pending.begin();
    let (alive, _) = context.deaths.watch();
    let tended = Tended { pulled: pulled.clone(), ended: false };
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
        let starts = tended.end(!*shutdown.borrow());
        alive.ended();
        if starts {
            start(&context, &pulled);
        }
    });
}

/// A task looks after the stream, for as long as this lives.
struct Tended {
    pulled: Arc<Pulled>,
    ended: bool,
}

impl Tended {
    /// The task has come to its end. Returns whether another one follows, for a player or a reload that came since it
    /// looked last and took it for one that goes on.
    fn end(mut self, goes_on: bool) -> bool {
        self.ended = true;
        self.pulled.lock().untended(goes_on && is_configured(&self.pulled.view))
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        // A panic, or the end of its thread: what follows deaths starts the next task.
        if !self.ended {
            self.pulled.lock().died();
        }
    }
}
