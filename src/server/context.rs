//! What all tasks share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::control::on_disk::ConfFiles;
use super::loader::Loader;
use crate::config::history::History;
use crate::config::store::Store;
use crate::hub::pace::Grid;
use crate::hub::registry::Registry;
use crate::media::admission::StreamEvents;
use crate::media::files::places::Places;
use crate::media::mpegts::Feeds;
use crate::media::session::Sessions;
use crate::media::workers::Workers;
use crate::module::exec::execs::Execs;
use crate::module::hls::Presentations;
use crate::module::hls2::Viewers;
use crate::module::record::recordings::Recordings;
use crate::module::relay::relays::Relays;
use crate::net::dns::Dns;
use crate::net::log;
use crate::net::tls::Tls;
use crate::notify::Notifier;
use crate::task::pending::Pending;
use crate::task::supervise::Deaths;

/// One per process.
pub struct Context {
    /// The configuration in force.
    pub store: Arc<Store>,
    /// The files of the configuration.
    pub conf_files: ConfFiles,
    /// Reads them.
    pub loader: Loader,
    /// What has become of configurations.
    pub history: Mutex<History>,
    /// All streams.
    pub registry: Arc<Registry>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Callbacks.
    pub notifier: Notifier,
    /// Host names.
    pub dns: Dns,
    /// TLS of our own sockets, and to other servers.
    pub tls: ArcSwap<Tls>,
    /// `stream` events under way.
    pub stream_events: StreamEvents,
    /// Relays from other servers, and what marks ours.
    pub relays: Relays,
    /// Media threads.
    pub workers: Workers,
    /// Tasks that have died and are to be begun anew.
    pub deaths: Deaths,
    /// Moments of `send_delay`.
    pub grid: Grid,
    /// Streams as MPEG-TS.
    pub feeds: Feeds,
    /// Players of HLS from memory.
    pub viewers: Viewers,
    /// Files being written: HLS playlists and recordings.
    pub places: Arc<Places>,
    /// What master playlists say of streams.
    pub presentations: Arc<Presentations>,
    /// Publishes that can be recorded.
    pub recordings: Arc<Recordings>,
    /// Commands run at events.
    pub execs: Execs,
    /// Work that a stop waits for.
    pub pending: Pending,
    /// True once all sessions have to end.
    pub shutdown: watch::Sender<bool>,
    /// True once idle connections have to end, and busy ones when they become idle.
    pub draining: watch::Sender<bool>,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Open RTMP connections, which `max_connections` bounds.
    pub rtmp_connections: Arc<AtomicU64>,
    /// When the process started.
    pub started: Instant,
}

impl Context {
    /// What has become of configurations. Not to be held over an `.await`.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts open connections and says when there are enough.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    none: tokio::sync::Notify,
}

/// One open connection.
#[derive(Debug)]
pub struct Counted(Arc<Connections>);

impl Connections {
    /// Counts a connection unless `limit` are open.
    pub fn open(self: &Arc<Self>, limit: u64) -> Option<Counted> {
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(self.clone());
        if before >= limit {
            log::too_many_connections(limit);
            return None;
        }
        Some(counted)
    }

    /// Connections open now.
    pub fn count(&self) -> u64 {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until no connection is open.
    pub async fn drained(&self) {
        loop {
            let changed = self.none.notified();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
