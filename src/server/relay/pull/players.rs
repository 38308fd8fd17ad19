//! The players of pulled streams, and the task that looks after each stream for as long as there are any.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::watch;

use super::super::next_worker;
use super::Pulled;
use crate::hub::stream::Stream;
use crate::module::relay::target::Relay;
use crate::server::context::Context;
use crate::server::session::Session;
use crate::server::view::AppView;

/// All streams with players, by stream number.
#[derive(Default)]
pub struct Pulls {
    streams: Mutex<HashMap<u64, Arc<Pulled>>>,
}

#[derive(Default)]
pub(super) struct Players {
    pub(super) sessions: BTreeMap<u64, Arc<Session>>,
    /// Whether a task looks after the stream.
    tended: bool,
    /// A line of its own (`static_pull`), in place of those of the application and its callback.
    pub(super) standing: Option<Relay>,
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
