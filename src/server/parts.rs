//! Builds and connects the parts of the running server.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::acceptor::Acceptor;
use super::console::ConsoleOrders;
use super::error::StartError;
use super::http_modules;
use crate::config::history::{History, SharedHistory};
use crate::config::on_disk::ConfFiles;
use crate::config::store::Store;
use crate::config::{Config, LoadOptions};
use crate::http::HttpService;
use crate::http::counters::HttpCounters;
use crate::http::exchange::Handler;
use crate::hub::pace::Grid;
use crate::hub::registry::StreamRegistry;
use crate::log::ErrorLog;
use crate::media::admission::Admission;
use crate::media::counterpart::Counterpart;
use crate::media::extension::{Output, SessionObserver, Source};
use crate::media::files::claims::FileClaims;
use crate::media::ingest::Intake;
use crate::media::listing::CarriedCounts;
use crate::media::mpegts;
use crate::media::mpegts::Feeds;
use crate::media::past::Pasts;
use crate::media::segments::Presentations;
use crate::media::session::{Session, Sessions};
use crate::media::statistics::StatisticsSource;
use crate::media::stream_events::StreamEvents;
use crate::media::trails::{Secrets, Trails};
use crate::media::workers::Workers;
use crate::module::acme::{Acme, Answers};
use crate::module::ban::{BanRule, BanVerb, BanVerbs, Bans};
use crate::module::cluster::{Cluster, ClusterVerb};
use crate::module::console::{ConsoleHandler, ConsoleSource, EventStreams};
use crate::module::control::conf::ControlParts;
use crate::module::control::{ControlHandler, ControlSections};
use crate::module::dash::DashOutput;
use crate::module::exec::execs::Execs;
use crate::module::exec::keeper::CommandPrerequisites;
use crate::module::flv::FlvHandler;
use crate::module::gzip::GzipFilter;
use crate::module::hls::HlsFiles;
use crate::module::hls2::{Hls2Handler, HlsMemory, SampleFeeds, Viewers};
use crate::module::http_log::line::HttpAccess;
use crate::module::http_static::EmptyGifHandler;
use crate::module::live_record::CurrentFiles;
use crate::module::live_record::playback::{RecordedPasts, VodHandler};
use crate::module::live_record::task::TsRecording;
use crate::module::metrics::{MetricsHandler, MetricsSource};
use crate::module::monitor::Monitor;
use crate::module::proxy::ProxyExcess;
use crate::module::record::RecorderSettings;
use crate::module::record::recordings::{FlvRecording, RecordDone, Recordings};
use crate::module::relay::relays::Relays;
use crate::module::rtmp::connection::RtmpService;
use crate::module::rtmp_log::sessions::RtmpAccess;
use crate::module::session_limit::SessionLimits;
use crate::module::slice::SliceFilter;
use crate::module::snapshot::{Pictures, SnapshotHandler};
use crate::module::stat::{SharedDocuments, StatHandler, StatService};
use crate::module::stub_status::StubStatusHandler;
use crate::module::ts::TsHandler;
use crate::net::connections::Connections;
use crate::net::dns::Dns;
use crate::net::listener::Listeners;
use crate::net::tls::Tls;
use crate::notify::Notifier;
use crate::notify::transport::Transport;
use crate::task::lifetime::Lifetime;
use crate::task::loader::Loader;

/// Parts that signals, reloads and the control socket use.
pub(super) struct Parts {
    /// Configuration in force.
    pub(super) store: Arc<Store>,
    /// Files of the configuration.
    pub(super) conf_files: Arc<ConfFiles>,
    /// Thread that reads them.
    pub(super) loader: Loader,
    /// History of configurations.
    pub(super) history: Arc<SharedHistory>,
    /// All streams.
    pub(super) registry: Arc<StreamRegistry>,
    /// All sessions.
    pub(super) sessions: Arc<Sessions>,
    /// Callbacks.
    pub(super) callbacks: Notifier,
    /// Host names.
    pub(super) dns: Dns,
    /// TLS of listening sockets and of connections to other servers.
    pub(super) tls: Arc<ArcSwap<Tls>>,
    /// Relay trails.
    pub(super) trails: Arc<Trails>,
    /// Relays.
    pub(super) relays: Arc<Relays>,
    /// The other process of an upgrade.
    pub(super) counterpart: Arc<Counterpart>,
    /// Streams in use, with their events.
    pub(super) stream_events: Arc<StreamEvents>,
    /// Statistics of this process.
    pub(super) statistics: Arc<StatisticsSource>,
    /// Statistics of both processes of an upgrade.
    pub(super) stat: Arc<StatService>,
    /// Control requests to this process.
    pub(super) control: Arc<ControlSections>,
    /// Requests of the console.
    pub(super) console: Arc<ConsoleOrders>,
    /// Addresses and streams that are refused.
    pub(super) bans: Arc<Bans>,
    /// Viewers of HLS from memory.
    pub(super) viewers: Arc<Viewers>,
    /// Worker threads.
    pub(super) workers: Arc<Workers>,
    /// Files being written: HLS playlists and recordings.
    pub(super) places: Arc<FileClaims>,
    /// Commands run at events.
    pub(super) execs: Arc<Execs>,
    /// This server's part in a cluster.
    pub(super) cluster: Arc<Cluster>,
    /// Certificates that are ordered.
    pub(super) acme: Arc<Acme>,
    /// Open connections.
    pub(super) connections: Arc<Connections>,
    /// Shutdown of the process.
    pub(super) lifetime: Lifetime,
    /// Start time of the process.
    pub(super) started: Instant,
}

/// Prerequisites of the parts.
pub(super) struct Foundation {
    pub(super) store: Arc<Store>,
    pub(super) load: LoadOptions,
    pub(super) loader: Loader,
    pub(super) history: History,
    pub(super) carried: CarriedCounts,
    pub(super) transport: Transport,
    pub(super) dns: Dns,
    pub(super) tls: Tls,
    pub(super) secrets: Secrets,
    pub(super) workers: Workers,
    pub(super) grid: Grid,
    pub(super) log: ErrorLog,
}

impl Parts {
    /// Builds all parts within the control runtime, and the listeners.
    ///
    /// # Errors
    ///
    /// The system provides no randomness.
    pub(super) fn build(foundation: Foundation) -> Result<(Arc<Parts>, Listeners), StartError> {
        let Foundation {
            store,
            load,
            loader,
            history,
            carried,
            transport,
            dns,
            tls,
            secrets,
            workers,
            grid,
            log,
        } = foundation;
        let lifetime = Lifetime::default();
        let registry: Arc<StreamRegistry> = Arc::default();
        let sessions = Arc::new(Sessions::beginning(carried));
        let callbacks = Notifier::new(Handle::current(), store.clone(), transport);
        let counterpart: Arc<Counterpart> = Arc::default();
        let stream_events =
            Arc::new(StreamEvents::new(registry.clone(), counterpart.clone(), callbacks.clone()));
        let unfinished = lifetime.unfinished.clone();
        let execs = Arc::new(Execs::new(CommandPrerequisites {
            runtime: Handle::current(),
            store: store.clone(),
            environment: Config::environment,
            counterpart: counterpart.clone(),
            unfinished,
        }));
        let (tls, workers) = (Arc::new(ArcSwap::from_pointee(tls)), Arc::new(workers));
        let trails = Arc::new(Trails::new(secret()?, secrets));
        let feeds = Arc::new(Feeds::new(registry.clone()));
        let current: Arc<CurrentFiles> = Arc::default();
        let samples: Arc<SampleFeeds> = Arc::default();
        let (places, recordings): (Arc<FileClaims>, Arc<Recordings>) = Default::default();

        // They begin with a publish in this order.
        let outputs: Vec<Arc<dyn Output>> = vec![
            Arc::new(mpegts::Cache::new(feeds.clone())),
            Arc::new(HlsMemory { feeds: feeds.clone(), samples: samples.clone() }),
            Arc::new(HlsFiles {
                feeds: feeds.clone(),
                places: places.clone(),
                presentations: Arc::<Presentations>::default(),
                lifetime: lifetime.clone(),
            }),
            Arc::new(DashOutput { places: places.clone(), lifetime: lifetime.clone() }),
            Arc::new(FlvRecording {
                store: store.clone(),
                places: places.clone(),
                recordings: recordings.clone(),
                done: Arc::new(ExecRecordDone(execs.clone())),
                lifetime: lifetime.clone(),
            }),
            Arc::new(TsRecording {
                store: store.clone(),
                feeds: feeds.clone(),
                current: current.clone(),
                callbacks: callbacks.clone(),
                lifetime: lifetime.clone(),
            }),
            execs.clone(),
        ];
        let intake = Arc::new(Intake::new(outputs, grid));
        let connections: Arc<Connections> = Arc::default();
        let cluster = Arc::new(Cluster::new(
            store.clone(),
            connections.clone(),
            lifetime.clone(),
            Handle::current(),
            secret()?,
        ));
        let relays = Arc::new(Relays {
            pulls: Default::default(),
            trails: trails.clone(),
            store: store.clone(),
            counterpart: counterpart.clone(),
            stream_events: stream_events.clone(),
            sessions: sessions.clone(),
            callbacks: callbacks.clone(),
            workers: workers.clone(),
            dns: dns.clone(),
            tls: tls.clone(),
            intake: intake.clone(),
            origins: cluster.clone(),
            lifetime: lifetime.clone(),
        });
        let access = RtmpAccess::new(store.clone(), log.sinks().clone());
        access.start().map_err(StartError::runtime("rtmp log thread"))?;
        let access = Arc::new(access);
        let monitor =
            Arc::new(Monitor::start(log.sinks().clone()).map_err(StartError::runtime("monitor thread"))?);
        let limits: Arc<SessionLimits> = Arc::default();
        let observers: Vec<Arc<dyn SessionObserver>> =
            vec![execs.clone(), relays.clone(), access, monitor, limits.clone()];
        let sources: Vec<Arc<dyn Source>> = vec![relays.clone()];
        let bans: Arc<Bans> = Arc::default();
        let admission = Arc::new(Admission::new(
            sessions.clone(),
            callbacks.clone(),
            trails.clone(),
            observers,
            sources,
            vec![Arc::new(BanRule(bans.clone())), limits.clone(), cluster.clone()],
            stream_events.clone(),
            counterpart.clone(),
            cluster.clone(),
        ));
        let conf_files = Arc::new(ConfFiles::new(load, loader.clone()));
        let history = Arc::new(SharedHistory::new(history));
        let started = Instant::now();
        let pasts: Arc<dyn Pasts> = Arc::new(RecordedPasts { current });
        let rtmp = Arc::new(RtmpService {
            store: store.clone(),
            sessions: sessions.clone(),
            callbacks: callbacks.clone(),
            admission: admission.clone(),
            intake,
            pasts: pasts.clone(),
            lifetime: lifetime.clone(),
            open: Default::default(),
        });
        let statistics = Arc::new(StatisticsSource::new(registry.clone(), sessions.clone()));
        let ban_verbs = BanVerbs { bans: bans.clone(), sessions: sessions.clone() };
        let control = Arc::new(ControlSections::new(
            sessions.clone(),
            counterpart.clone(),
            [
                (ControlParts::RECORD, recordings as _),
                // Only over the control socket.
                (ControlParts::empty(), Arc::new(BanVerb::Ban(ban_verbs.clone())) as _),
                (ControlParts::empty(), Arc::new(BanVerb::Unban(ban_verbs.clone())) as _),
                (ControlParts::empty(), Arc::new(BanVerb::List(ban_verbs)) as _),
                (ControlParts::empty(), Arc::new(ClusterVerb(cluster.clone())) as _),
            ],
        ));
        let packaged = (feeds.clone(), samples.clone());
        let viewers = Arc::new(Viewers::new(secret()?, admission.clone(), packaged, lifetime.clone()));
        let counters: Arc<HttpCounters> = Arc::default();
        let stat = Arc::new(StatService {
            store: store.clone(),
            source: statistics.clone(),
            counterpart: counterpart.clone(),
            conf_files: conf_files.clone(),
            history: history.clone(),
            cluster: cluster.clone(),
            started,
            shared: SharedDocuments::default(),
        });
        let console = Arc::new(ConsoleOrders::new(control.clone(), lifetime.clone()));
        let figures = ConsoleSource {
            statistics: statistics.clone(),
            counterpart: counterpart.clone(),
            callbacks: callbacks.clone(),
            store: store.clone(),
            conf_files: conf_files.clone(),
            history: history.clone(),
            cluster: cluster.clone(),
            lifetime: lifetime.clone(),
            started,
        };
        let handlers: Vec<Box<dyn Handler>> = vec![
            Box::new(FlvHandler { admission: admission.clone(), pasts: pasts.clone() }),
            Box::new(TsHandler { admission: admission.clone(), feeds: feeds.clone(), pasts }),
            Box::new(VodHandler { admission: admission.clone() }),
            Box::new(Hls2Handler {
                viewers: viewers.clone(),
                registry: registry.clone(),
                feeds,
                samples,
                sessions: sessions.clone(),
                counterpart: counterpart.clone(),
            }),
            Box::new(StatHandler(stat.clone())),
            Box::new(MetricsHandler {
                source: Arc::new(MetricsSource {
                    statistics: statistics.clone(),
                    workers: workers.clone(),
                    callbacks: callbacks.clone(),
                    store: store.clone(),
                    history: history.clone(),
                    http: counters.clone(),
                    connections: connections.clone(),
                    issued: tls.load().server.issued().clone(),
                    lifetime: lifetime.clone(),
                    cluster: cluster.clone(),
                    connection_limit: |store| store.load().connection_limit(),
                    started,
                }),
                turn: Default::default(),
            }),
            Box::new(ControlHandler { sections: control.clone() }),
            Box::new(SnapshotHandler {
                pictures: Arc::new(Pictures::new(registry.clone(), Handle::current())),
                rule: bans.clone(),
            }),
            Box::new(ConsoleHandler {
                events: Arc::new(EventStreams::new(figures, Handle::current())),
                actions: console.clone(),
            }),
            Box::new(EmptyGifHandler),
            Box::new(StubStatusHandler(counters.clone())),
        ];
        let answers: Arc<Answers> = Arc::default();
        let acme = Arc::new(Acme {
            store: store.clone(),
            dns: dns.clone(),
            issued: tls.load().server.issued().clone(),
            answers: answers.clone(),
            lifetime: lifetime.clone(),
            keys: Default::default(),
            overview: Default::default(),
        });
        let http = Arc::new(HttpService {
            store: store.clone(),
            sessions: sessions.clone(),
            trails: trails.clone(),
            lifetime: lifetime.clone(),
            phases: http_modules::phases(&store, &dns, log.sinks(), &bans, answers),
            handlers,
            adapters: vec![Box::new(SliceFilter)],
            filters: http_modules::filters(workers.count()),
            encodings: vec![Box::new(GzipFilter)],
            variables: http_modules::variables(&counters),
            counters,
            logs: vec![Box::new(ProxyExcess), Box::new(HttpAccess::new(log.sinks().clone()))],
            error_log: log,
        });
        let listeners = Listeners::new(Arc::new(Acceptor {
            store: store.clone(),
            workers: workers.clone(),
            connections: connections.clone(),
            tls: tls.clone(),
            lifetime: lifetime.clone(),
            rtmp,
            http,
        }));
        let parts = Parts {
            store,
            conf_files,
            loader,
            history,
            registry,
            sessions,
            callbacks,
            dns,
            tls,
            trails,
            relays,
            counterpart,
            stream_events,
            statistics,
            stat,
            control,
            console,
            bans,
            viewers,
            workers,
            places,
            execs,
            cluster,
            acme,
            connections,
            lifetime,
            started,
        };
        Ok((Arc::new(parts), listeners))
    }

    /// Waits until no connection is open, no work is unfinished, and all `done` callbacks are sent.
    pub(super) async fn finished(&self) {
        self.connections.drained().await;
        self.lifetime.finished().await;
        self.callbacks.drained().await;
    }
}

/// `exec_record_done`.
struct ExecRecordDone(Arc<Execs>);

impl RecordDone for ExecRecordDone {
    fn record_done(&self, recorder: &RecorderSettings, session: &Arc<Session>, file: &std::path::Path) {
        self.0.record_done(&recorder.values, session, recorder.name.as_ref(), file);
    }
}

/// A random key.
fn secret() -> Result<[u8; 32], StartError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(StartError::Randomness)?;
    Ok(secret)
}
