//! Players of pulled streams, and the task that serves each stream as long as it has players.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::media::extension::{Demand, OnStream};
use crate::media::relay_target::RelayTarget;
use crate::module::relay::pulled::{PlayerCounts, PulledStream};
use crate::module::relay::relays::Relays;
use crate::notify;

/// A player's use of a pulled stream.
pub struct PullUse {
    relays: Arc<Relays>,
    pulled: Arc<PulledStream>,
    session: u64,
    /// Number of players so far, including this one.
    arrival: u64,
}

impl PullUse {
    /// Enters an admitted player.
    pub fn enter(relays: &Arc<Relays>, player: OnStream<'_>) -> Self {
        PullUse::with(relays, player, None)
    }

    /// Enters a permanent player with this `pull` line for a static pull. `session` supplies the arguments of a player.
    pub fn stand(relays: &Arc<Relays>, player: OnStream<'_>, line: RelayTarget) -> Self {
        PullUse::with(relays, player, Some(line))
    }

    fn with(relays: &Arc<Relays>, player: OnStream<'_>, standing: Option<RelayTarget>) -> Self {
        let OnStream { view, session, stream } = player;
        let mut streams = relays.pulls.streams.lock();
        let pulled = streams.entry(stream.id()).or_insert_with(|| {
            Arc::new(PulledStream {
                view: view.clone(),
                stream: stream.clone(),
                demand: Mutex::default(),
                counts: watch::Sender::new(PlayerCounts::default()),
                way: watch::Sender::default(),
                idle: watch::Sender::default(),
                settled: watch::Sender::default(),
                complaints: Mutex::default(),
                epoch: AtomicU64::new(0),
            })
        });
        let mut demand = pulled.demand.lock();
        let arrival = demand.enter(session.id, session.clone(), standing);
        pulled.count(&demand);
        let starts = demand.tend(relays.bring(&pulled.view, stream.key()));
        drop(demand);
        if starts {
            start(relays, pulled);
        }
        PullUse { relays: relays.clone(), pulled: pulled.clone(), session: session.id, arrival }
    }
}

impl Demand for PullUse {
    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if self.pulled.view.current().get::<notify::conf::Current>().on_pull.is_some() {
                // Its sender lives as long as `pulled`.
                let _ = self.pulled.settled.subscribe().wait_for(|settled| *settled >= self.arrival).await;
            }
        })
    }

    fn way(&self) -> watch::Receiver<Bytes> {
        self.pulled.way.subscribe()
    }
}

impl Drop for PullUse {
    fn drop(&mut self) {
        let mut streams = self.relays.pulls.streams.lock();
        let mut demand = self.pulled.demand.lock();
        let was_last = demand.leave(self.session);
        self.pulled.count(&demand);
        if was_last {
            streams.remove(&self.pulled.stream.id());
        }
    }
}

/// Starts pulls of streams with players that a reload configures, or that the other process of an upgrade or another server of
/// the cluster publishes.
pub async fn follow_changes(relays: Arc<Relays>) {
    let (mut changed, mut published) = (relays.store.watch(), relays.counterpart.watch());
    let mut claimed = relays.origins.watch();
    loop {
        let died = relays.lifetime.deaths.follow();
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            more = published.changed() => if more.is_err() { return },
            more = claimed.changed() => if more.is_err() { return },
            () = died => {}
        }
        let streams: Vec<_> = relays.pulls.streams.lock().values().cloned().collect();
        for pulled in streams {
            let starts = pulled.demand.lock().tend(relays.bring(&pulled.view, pulled.stream.key()));
            if starts {
                start(&relays, &pulled);
            }
        }
    }
}

/// Starts the task that serves the stream.
fn start(relays: &Arc<Relays>, pulled: &Arc<PulledStream>) {
    let (relays, pulled) = (relays.clone(), pulled.clone());
    let unfinished = relays.lifetime.unfinished.token();
    let (alive, _) = relays.lifetime.deaths.watch();
    let tended = TendedPull { pulled: pulled.clone(), ended: false };
    relays.workers.next().runtime.spawn(async move {
        let _unfinished = unfinished;
        let shutdown = &relays.lifetime.shutdown;
        let mut counts = pulled.counts.subscribe();
        tokio::select! {
            biased;
            _ = counts.wait_for(|c| c.present == 0) => {}
            () = shutdown.cancelled() => {}
            () = pulled.run(&relays) => {}
        }
        let starts = tended.end(&relays, !shutdown.is_cancelled());
        alive.ended();
        if starts {
            start(&relays, &pulled);
        }
    });
}

/// Guard of the task that serves the stream.
struct TendedPull {
    pulled: Arc<PulledStream>,
    ended: bool,
}

impl TendedPull {
    /// Called at the end of the task. Returns whether another one must follow, for a player or a reload that arrived
    /// after its last check.
    fn end(mut self, relays: &Relays, goes_on: bool) -> bool {
        self.ended = true;
        let PulledStream { view, stream, demand, .. } = &*self.pulled;
        demand.lock().untended(goes_on && relays.bring(view, stream.key()))
    }
}

impl Drop for TendedPull {
    fn drop(&mut self) {
        // After a panic, or the end of its thread, the supervisor starts the next task.
        if !self.ended {
            self.pulled.demand.lock().died();
        }
    }
}
