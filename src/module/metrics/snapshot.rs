//! The figures of a page of metrics. Everything is read from counters that the workers add to; no worker is asked.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::history::{ReloadTotals, SharedHistory};
use crate::config::store::Store;
use crate::http::counters::{ConnectionActivity, HttpCounters};
use crate::hub::counters::MediaCounts;
use crate::hub::cursor::SkipReason;
use crate::log;
use crate::media::cluster_view::{ClusterFigures, ClusterView};
use crate::media::delivery::figures::{HistogramCounts, WorkerFigures};
use crate::media::listing::RelayCounter;
use crate::media::session::{Protocol, Reason, Role, Traffic};
use crate::media::statistics::{ClientProtocol, Statistics, StatisticsSource};
use crate::media::workers::{Worker, Workers};
use crate::net::connections::Connections;
use crate::net::tls::issued::IssuedCertificates;
use crate::notify::Notifier;
use crate::notify::ledger::EventTotals;
use crate::task::lifetime::Lifetime;

/// Where metrics come from.
pub struct MetricsSource {
    /// Streams and sessions.
    pub statistics: Arc<StatisticsSource>,
    /// Worker threads.
    pub workers: Arc<Workers>,
    /// Callbacks.
    pub callbacks: Notifier,
    /// The configuration in force.
    pub store: Arc<Store>,
    /// History of configurations.
    pub history: Arc<SharedHistory>,
    /// HTTP connections and requests.
    pub http: Arc<HttpCounters>,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Certificates that are ordered.
    pub issued: Arc<IssuedCertificates>,
    /// Shutdown of the process.
    pub lifetime: Lifetime,
    /// The cluster.
    pub cluster: Arc<dyn ClusterView>,
    /// Number of connections that may be open.
    pub connection_limit: fn(&Store) -> u64,
    /// Start of the process.
    pub started: Instant,
}

/// All figures at one moment.
pub(super) struct Snapshot {
    /// Start of the process in seconds since 1970.
    pub(super) started: f64,
    pub(super) traffic: Traffic,
    pub(super) accepted: u64,
    pub(super) connections: u64,
    pub(super) connections_limit: u64,
    pub(super) streams: usize,
    pub(super) published: usize,
    pub(super) media: MediaCounts,
    /// Open sessions by protocol and role.
    pub(super) sessions: Vec<(ClientProtocol, Role, usize)>,
    pub(super) sessions_begun: Vec<(ClientProtocol, Role, u64)>,
    pub(super) sessions_ended: Vec<(Reason, u64)>,
    pub(super) skipped: Vec<(SkipReason, u64)>,
    pub(super) lost: u64,
    pub(super) send_delay: HistogramCounts,
    pub(super) first_frame: HistogramCounts,
    /// Bytes that wait for players whose sockets are full.
    pub(super) backlog: usize,
    pub(super) workers: Vec<WorkerSnapshot>,
    pub(super) callbacks: Vec<EventTotals>,
    pub(super) callbacks_pending: usize,
    pub(super) done_waiting: usize,
    pub(super) done_lost: u64,
    pub(super) pulls: RelaySnapshot,
    pub(super) pushes: RelaySnapshot,
    pub(super) generation: u64,
    /// Time at which the configuration came into force, in seconds since 1970.
    pub(super) generation_since: f64,
    pub(super) reloads: ReloadTotals,
    /// Whether the last reload was refused.
    pub(super) is_refused: bool,
    pub(super) http_requests: u64,
    pub(super) http_accepted: u64,
    pub(super) http_doing: [(&'static str, u64); 3],
    /// Figures of the cluster that the server is in.
    pub(super) cluster: Option<ClusterFigures>,
    /// Ends of certificates that were ordered, in seconds since 1970.
    pub(super) certificates: Vec<(String, i64)>,
    pub(super) unfinished: usize,
    pub(super) log_lines_lost: u64,
    pub(super) statistics: Statistics,
}

/// A worker.
pub(super) struct WorkerSnapshot {
    /// Time during which it was busy, in seconds.
    pub(super) busy: f64,
    pub(super) tasks: usize,
    pub(super) blocked: usize,
}

/// Relays of one direction.
pub(super) struct RelaySnapshot {
    pub(super) open: usize,
    pub(super) attempts: u64,
    pub(super) started: u64,
    pub(super) failed: u64,
}

impl MetricsSource {
    /// The present figures. Walks all sessions.
    pub(super) fn snapshot(&self) -> Snapshot {
        let sessions = self.statistics.sessions();
        let statistics = self.statistics.whole();
        let clients = || statistics.streams.iter().flat_map(|stream| &stream.clients);
        let roles = [Role::Publisher, Role::Player];
        let protocols = [Protocol::Rtmp, Protocol::HttpFlv, Protocol::HttpTs, Protocol::Hls2];
        let kinds = || protocols.into_iter().flat_map(|protocol| roles.map(|role| (protocol, role)));
        let open = |(protocol, role): (Protocol, Role)| {
            let protocol = ClientProtocol::from(protocol);
            let publishes = role == Role::Publisher;
            let count = clients().filter(|c| c.protocol == protocol && c.publishes == publishes).count();
            (protocol, role, count)
        };
        let begun = |(protocol, role): (Protocol, Role)| {
            (protocol.into(), role, sessions.begun_total(protocol, role))
        };
        let (streams, published) = self.statistics.registry().count();
        let figures = self.workers.figures();
        let relays = |counter: &RelayCounter, pulls: bool| {
            let open = clients().filter(|client| client.is_relay && client.publishes == pulls).count();
            RelaySnapshot::of(counter, open)
        };
        let (done_waiting, done_lost) = self.callbacks.done();
        let history = self.history.lock();
        let doing = |name, doing| (name, self.http.doing(doing));
        Snapshot {
            started: self.start_time(),
            traffic: statistics.counts.traffic,
            accepted: statistics.counts.accepted,
            connections: self.connections.count(),
            connections_limit: (self.connection_limit)(&self.store),
            streams,
            published,
            media: self.statistics.registry().media_total(),
            sessions: kinds().map(open).collect(),
            sessions_begun: kinds().map(begun).collect(),
            sessions_ended: sessions.ended_total().collect(),
            skipped: SkipReason::ALL
                .into_iter()
                .map(|why| {
                    let of_workers = figures.iter().flat_map(|figures| figures.skipped_total());
                    (why, of_workers.filter(|(other, _)| *other == why).map(|(_, count)| count).sum())
                })
                .collect(),
            lost: figures.iter().map(|figures| figures.lost_total()).sum(),
            send_delay: sum(figures, |figures| figures.send_delay.counts()),
            first_frame: sum(figures, |figures| figures.first_frame.counts()),
            backlog: self.workers.backlog(),
            workers: self.workers_now(),
            callbacks: self.callbacks.totals(),
            callbacks_pending: self.callbacks.under_way(),
            done_waiting,
            done_lost,
            pulls: relays(&sessions.relays.pull, true),
            pushes: relays(&sessions.relays.push, false),
            generation: self.store.generation(),
            generation_since: history
                .current()
                .map_or(0.0, |current| current.since.as_millisecond() as f64 / 1000.0),
            reloads: history.reloads(),
            is_refused: history.refusal().is_some(),
            http_requests: self.http.requests(),
            http_accepted: self.http.accepted(),
            http_doing: [
                doing("reading", ConnectionActivity::Reading),
                doing("writing", ConnectionActivity::Writing),
                doing("waiting", ConnectionActivity::Waiting),
            ],
            cluster: self.cluster.figures(),
            certificates: self.issued.all().into_iter().map(|(id, validity)| (id, validity.end)).collect(),
            unfinished: self.lifetime.unfinished.len(),
            log_lines_lost: log::lines_lost_total(),
            statistics,
        }
    }

    fn workers_now(&self) -> Vec<WorkerSnapshot> {
        let workers = self.workers.iter().zip(self.workers.busy()).zip(self.workers.figures());
        let one =
            |((worker, busy), figures): ((Arc<Worker>, Duration), &Arc<WorkerFigures>)| WorkerSnapshot {
                busy: busy.as_secs_f64(),
                tasks: worker.runtime.metrics().num_alive_tasks(),
                blocked: figures.blocked(),
            };
        workers.map(one).collect()
    }

    fn start_time(&self) -> f64 {
        let at = SystemTime::now().checked_sub(self.started.elapsed());
        let at = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        // In steps, so that the value stays the same as long as the system's clock is not set.
        at.as_secs_f64().round()
    }
}

impl RelaySnapshot {
    fn of(counter: &RelayCounter, open: usize) -> Self {
        let read = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        RelaySnapshot {
            open,
            attempts: read(&counter.attempts),
            started: read(&counter.started),
            failed: read(&counter.failed),
        }
    }
}

/// Sum of the histograms of all workers.
fn sum(figures: &[Arc<WorkerFigures>], of: impl Fn(&WorkerFigures) -> HistogramCounts) -> HistogramCounts {
    let mut all = figures.iter().map(|figures| of(figures));
    let mut sum = all.next().unwrap_or(HistogramCounts { classes: Vec::new(), sum: 0.0 });
    all.for_each(|other| sum.add(&other));
    sum
}
