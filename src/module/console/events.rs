//! Event streams. One document is made per tick for all of them, on a blocking thread, and only while there is one.
//!
//! A stream that is behind skips documents: it never keeps more than one. A reader that takes too long for one is dropped,
//! one that takes nothing by `send_timeout`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::document::{self, Moment};
use crate::config::history::SharedHistory;
use crate::config::on_disk::{self, ConfFiles};
use crate::config::store::Store;
use crate::http::response::{BodySource, Piece};
use crate::limits;
use crate::media::cluster_view::ClusterView;
use crate::media::counterpart::Counterpart;
use crate::media::statistics::StatisticsSource;
use crate::notify::Notifier;
use crate::task::lifetime::Lifetime;

/// Where the console's figures come from.
pub struct ConsoleSource {
    /// Statistics of this process.
    pub statistics: Arc<StatisticsSource>,
    /// The other process of an upgrade, whose statistics are added.
    pub counterpart: Arc<Counterpart>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// The configuration in force.
    pub store: Arc<Store>,
    /// Files of the configuration.
    pub conf_files: Arc<ConfFiles>,
    /// History of configurations.
    pub history: Arc<SharedHistory>,
    /// The cluster.
    pub cluster: Arc<dyn ClusterView>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// Start of the process.
    pub started: Instant,
}

/// All event streams.
pub struct EventStreams {
    source: Arc<ConsoleSource>,
    runtime: Handle,
    places: Arc<Semaphore>,
    latest: watch::Sender<Tick>,
    /// Whether documents are being made.
    is_ticking: Mutex<bool>,
}

/// The newest event.
#[derive(Clone, Debug, Default)]
struct Tick {
    event: Bytes,
    /// Number of the configuration in force, by which a client was admitted.
    generation: u64,
    /// Whether it is the last one.
    is_last: bool,
}

impl ConsoleSource {
    async fn moment(self: &Arc<Self>) -> Option<Moment> {
        let generation = self.store.generation();
        let found = self.conf_files.glance(generation).await;
        let there = self.counterpart.statistics().await;
        let source = self.clone();
        let read = move || {
            let statistics = source.counterpart.whole_statistics(&source.statistics, there);
            (statistics, source.callbacks.snapshot(), source.cluster.listing(limits::CONSOLE_STREAMS))
        };
        let (statistics, callbacks, cluster) = tokio::task::spawn_blocking(read).await.ok()?;
        let history = self.history.lock();
        Some(Moment {
            at: Timestamp::now().as_millisecond(),
            uptime: self.started.elapsed().as_secs(),
            generation: self.store.generation(),
            since: history.current().map(|current| current.since.to_string()).unwrap_or_default(),
            on_disk: on_disk::verdict(&history, found).word(),
            refused: history.refusal().map(|refusal| refusal.reasons.clone()).unwrap_or_default(),
            ended: self.ended(),
            statistics,
            callbacks,
            cluster,
        })
    }

    /// Ended sessions by the name of the reason; some reasons have the same.
    fn ended(&self) -> Vec<(&'static str, u64)> {
        let mut ended: Vec<(&'static str, u64)> = Vec::new();
        for (reason, count) in self.statistics.sessions().ended_total().filter(|(_, count)| *count > 0) {
            match ended.iter_mut().find(|(name, _)| *name == reason.name()) {
                Some((_, sum)) => *sum += count,
                None => ended.push((reason.name(), count)),
            }
        }
        ended
    }
}

impl EventStreams {
    /// None so far. Documents are made by tasks of `runtime`.
    pub fn new(source: ConsoleSource, runtime: Handle) -> EventStreams {
        EventStreams {
            source: Arc::new(source),
            runtime,
            places: Arc::new(Semaphore::new(limits::CONSOLE_EVENT_STREAMS)),
            latest: watch::Sender::default(),
            is_ticking: Mutex::default(),
        }
    }

    /// The history of configurations.
    pub(super) fn source(&self) -> &ConsoleSource {
        &self.source
    }

    /// Another event stream; `None` if there are too many, or the server is stopping.
    pub(super) fn open(self: &Arc<Self>) -> Option<EventBody> {
        if self.is_stopping() {
            return None;
        }
        let place = self.places.clone().try_acquire_owned().ok()?;
        let mut is_ticking = self.is_ticking.lock();
        let latest = self.latest.subscribe();
        if !*is_ticking {
            *is_ticking = true;
            let mut ticking = Ticking { streams: self.clone(), is_over: false };
            self.runtime.spawn(async move { ticking.run().await });
        }
        drop(is_ticking);
        Some(EventBody {
            generation: self.source.store.generation(),
            next: next(latest),
            handed_over: None,
            _place: place,
        })
    }

    fn is_stopping(&self) -> bool {
        self.source.lifetime.draining.is_cancelled() || self.source.lifetime.shutdown.is_cancelled()
    }
}

/// Documents are made as long as it exists.
struct Ticking {
    streams: Arc<EventStreams>,
    /// Whether it has ended because there is no event stream.
    is_over: bool,
}

impl Ticking {
    async fn run(&mut self) {
        let EventStreams { source, latest, .. } = &*self.streams;
        loop {
            if let Some(moment) = source.moment().await {
                let generation = moment.generation;
                let write = move || format!("data: {}\n\n", document::write(&moment));
                if let Ok(text) = tokio::task::spawn_blocking(write).await {
                    latest.send_replace(Tick { event: text.into(), generation, is_last: false });
                }
            }
            tokio::select! {
                () = tokio::time::sleep(limits::CONSOLE_TICK) => {}
                () = source.lifetime.draining.cancelled() => return,
                () = source.lifetime.shutdown.cancelled() => return,
            }
            let mut is_ticking = self.streams.is_ticking.lock();
            if latest.receiver_count() == 0 {
                latest.send_replace(Tick::default());
                *is_ticking = false;
                self.is_over = true;
                return;
            }
        }
    }
}

/// The server stops, or a panic has ended the task: the event streams end, and their clients ask again.
impl Drop for Ticking {
    fn drop(&mut self) {
        if !self.is_over {
            let mut is_ticking = self.streams.is_ticking.lock();
            self.streams.latest.send_replace(Tick { is_last: true, ..Tick::default() });
            *is_ticking = false;
        }
    }
}

/// The next event, with the receiver for those after it.
type Next = Pin<Box<dyn Future<Output = Option<(Tick, watch::Receiver<Tick>)>> + Send + Sync>>;

fn next(mut latest: watch::Receiver<Tick>) -> Next {
    Box::pin(async move {
        loop {
            latest.changed().await.ok()?;
            let tick = latest.borrow_and_update().clone();
            if tick.is_last {
                return None;
            }
            if !tick.event.is_empty() {
                return Some((tick, latest));
            }
        }
    })
}

/// An event stream.
pub(super) struct EventBody {
    /// Number of the configuration by which the client was admitted. With the next one it has to ask again.
    generation: u64,
    next: Next,
    /// Time at which the last event was handed over to be sent.
    handed_over: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

impl BodySource for EventBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        // It is asked again once the last event was sent.
        if self.handed_over.take().is_some_and(|at| at.elapsed() > limits::CONSOLE_SLOW) {
            return Poll::Ready(None);
        }
        match self.next.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some((tick, latest))) if tick.generation == self.generation => {
                self.next = next(latest);
                self.handed_over = Some(Instant::now());
                Poll::Ready(Some(Ok(Piece::Memory(tick.event))))
            }
            Poll::Ready(_) => {
                self.next = Box::pin(std::future::ready(None));
                Poll::Ready(None)
            }
        }
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn is_flushed(&self) -> bool {
        true
    }
}
