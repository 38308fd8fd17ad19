//! A page of metrics: every metric with its name, its help and its labels. `docs/metrics.md` lists them.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::conf::MetricsPage;
use super::labels::label;
use super::snapshot::{RelaySnapshot, Snapshot};
use crate::media::cluster_view::ClusterFigures;
use crate::media::delivery::figures::HistogramCounts;
use crate::media::session::Role;
use crate::media::statistics::{ClientProtocol, StreamStatistics};

/// Text format of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFormat {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
}

/// Labels of a series.
type Labels = Vec<(&'static str, String)>;

/// The page as the crate's registry asks for it.
struct Page {
    snapshot: Snapshot,
    page: MetricsPage,
}

/// Writes the metrics of a page.
struct Writer<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl TextFormat {
    /// The format that a client with this `Accept` header gets: OpenMetrics only if it names that.
    pub(super) fn accepted(accept: &[u8]) -> Self {
        match bstr::ByteSlice::contains_str(accept, b"application/openmetrics-text") {
            true => TextFormat::OpenMetrics,
            false => TextFormat::Prometheus,
        }
    }

    /// Value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            TextFormat::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// Writes the page.
///
/// # Errors
///
/// The crate's encoder fails; it does not for strings.
pub(super) fn write(snapshot: Snapshot, page: MetricsPage, format: TextFormat) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page { snapshot, page }));
    let mut out = String::new();
    match format {
        TextFormat::OpenMetrics => text::encode(&mut out, &registry)?,
        TextFormat::Prometheus => prometheus_text::encode(&mut out, &registry)?,
    }
    Ok(out)
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut out, snapshot) = (Writer { encoder }, &self.snapshot);
        process(&mut out, snapshot)?;
        sessions(&mut out, snapshot)?;
        media(&mut out, snapshot)?;
        workers(&mut out, snapshot)?;
        callbacks(&mut out, snapshot)?;
        relays(&mut out, snapshot)?;
        configuration(&mut out, snapshot)?;
        http(&mut out, snapshot)?;
        cluster(&mut out, snapshot.cluster.as_ref())?;
        match self.page.streams {
            0 => Ok(()),
            most => streams(&mut out, &snapshot.statistics.streams, most),
        }
    }
}

fn process(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let build =
        vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("nginx", crate::NGINX_VERSION.to_owned())];
    out.gauge(
        "pingosd_build_info",
        "Version of the server, and of the nginx whose behaviour it has",
        None,
        [(build, 1.0)],
    )?;
    out.value(
        "pingosd_process_start_time",
        "Start of the process, in seconds since 1970",
        Some(Unit::Seconds),
        snapshot.started,
    )?;
    out.value("pingosd_connections", "Open connections of all protocols", None, snapshot.connections as f64)?;
    out.value(
        "pingosd_connections_limit",
        "Connections that may be open",
        None,
        snapshot.connections_limit as f64,
    )?;
    out.count("pingosd_connections_accepted", "Accepted connections", None, snapshot.accepted)?;
    out.value(
        "pingosd_unfinished_work",
        "Files and commands that a shutdown waits for",
        None,
        snapshot.unfinished as f64,
    )?;
    out.count("pingosd_log_lines_lost", "Log lines that could not be written", None, snapshot.log_lines_lost)
}

fn sessions(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let labels = |protocol: ClientProtocol, role: Role| {
        let role = if role == Role::Publisher { "publisher" } else { "player" };
        vec![("protocol", protocol.name().to_owned()), ("role", role.to_owned())]
    };
    let open =
        snapshot.sessions.iter().map(|(protocol, role, count)| (labels(*protocol, *role), *count as f64));
    out.gauge("pingosd_sessions", "Open sessions, relays included", None, open)?;
    let begun =
        snapshot.sessions_begun.iter().map(|(protocol, role, count)| (labels(*protocol, *role), *count));
    out.counter("pingosd_sessions_started", "Sessions begun", None, begun)?;
    let ended = snapshot.sessions_ended.iter().fold(BTreeMap::new(), |mut ended, (reason, count)| {
        // Some reasons have the same name.
        *ended.entry(reason.name()).or_insert(0) += count;
        ended
    });
    let ended = ended.into_iter().map(|(reason, count)| (vec![("reason", reason.to_owned())], count));
    out.counter("pingosd_sessions_ended", "Ended sessions by reason", None, ended)
}

fn media(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    out.value("pingosd_streams", "Streams with sessions", None, snapshot.streams as f64)?;
    out.value("pingosd_streams_published", "Streams with a publisher", None, snapshot.published as f64)?;
    out.count(
        "pingosd_received",
        "Bytes received from publishers",
        Some(Unit::Bytes),
        snapshot.traffic.received,
    )?;
    out.count("pingosd_sent", "Bytes sent to players", Some(Unit::Bytes), snapshot.traffic.sent)?;
    let kinds = |audio, video| {
        [("audio", audio), ("video", video)].map(|(kind, count)| (vec![("kind", kind.to_owned())], count))
    };
    let bytes = kinds(snapshot.media.audio_bytes, snapshot.media.video_bytes);
    out.counter(
        "pingosd_media_received",
        "Bytes of media received from publishers",
        Some(Unit::Bytes),
        bytes,
    )?;
    let frames = kinds(snapshot.media.audio_frames, snapshot.media.video_frames);
    out.counter("pingosd_frames_received", "Frames received from publishers", None, frames)?;
    out.count(
        "pingosd_key_frames_received",
        "Key frames received from publishers",
        None,
        snapshot.media.key_frames,
    )?;
    let skipped = snapshot.skipped.iter().map(|(why, count)| (vec![("reason", word(why.name()))], *count));
    out.counter(
        "pingosd_packets_skipped",
        "Packets that players were not sent because they were too slow",
        None,
        skipped,
    )?;
    out.count("pingosd_packets_lost", "Packets that a worker was too late for", None, snapshot.lost)?;
    let help = "Time from the arrival of media to the moment at which a group of players has been sent it";
    out.histograms("pingosd_send_delay", help, [(Vec::new(), &snapshot.send_delay)])?;
    let help = "Time from the request of a player to its first frame";
    out.histograms("pingosd_first_frame", help, [(Vec::new(), &snapshot.first_frame)])?;
    let help = "Bytes that wait for players whose sockets are full";
    out.value("pingosd_player_backlog", help, Some(Unit::Bytes), snapshot.backlog as f64)
}

fn workers(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let series = || snapshot.workers.iter().enumerate();
    let labels = |number: usize| vec![("worker", number.to_string())];
    let busy = series().map(|(number, worker)| (labels(number), worker.busy));
    out.counter("pingosd_worker_busy", "Time during which a worker was busy", Some(Unit::Seconds), busy)?;
    let tasks = series().map(|(number, worker)| (labels(number), worker.tasks as f64));
    out.gauge("pingosd_worker_tasks", "Tasks of a worker", None, tasks)?;
    let blocked = series().map(|(number, worker)| (labels(number), worker.blocked as f64));
    out.gauge("pingosd_worker_players_blocked", "Players of a worker whose sockets are full", None, blocked)
}

fn callbacks(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let events = || snapshot.callbacks.iter();
    let calls = events().flat_map(|event| {
        event.outcomes.iter().map(|(stage, outcome, count)| {
            let labels = [("event", event.event), ("stage", stage.name()), ("outcome", outcome.name())];
            (labels.map(|(name, value)| (name, value.to_owned())).to_vec(), *count)
        })
    });
    out.counter("pingosd_callbacks", "Callbacks by event, stage and outcome", None, calls)?;
    let verdicts = events().flat_map(|event| {
        let decided = event.decisions.iter().filter(|(decision, count)| *count > 0 && decision.name() != "-");
        decided.map(|(decision, count)| {
            (vec![("event", event.event.to_owned()), ("verdict", word(decision.name()))], *count)
        })
    });
    out.counter("pingosd_callback_verdicts", "Consequences of callbacks' answers", None, verdicts)?;
    let counts: Vec<_> = events()
        .map(|event| {
            let counts = HistogramCounts { classes: event.classes.clone(), sum: event.took.as_secs_f64() };
            (vec![("event", event.event.to_owned())], counts)
        })
        .collect();
    let series = counts.iter().map(|(labels, counts)| (labels.clone(), counts));
    out.histograms("pingosd_callback_duration", "Time until a callback was answered or failed", series)?;
    out.value(
        "pingosd_callbacks_pending",
        "Callbacks without an answer so far",
        None,
        snapshot.callbacks_pending as f64,
    )?;
    out.value(
        "pingosd_callbacks_done_waiting",
        "Callbacks of stage done that wait to be repeated",
        None,
        snapshot.done_waiting as f64,
    )?;
    out.count(
        "pingosd_callbacks_done_lost",
        "Callbacks of stage done that were given up",
        None,
        snapshot.done_lost,
    )
}

fn relays(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let both = [("pull", &snapshot.pulls), ("push", &snapshot.pushes)];
    let series = |of: fn(&RelaySnapshot) -> u64| {
        both.map(|(direction, relays)| (vec![("direction", direction.to_owned())], of(relays)))
    };
    let open =
        both.map(|(direction, relays)| (vec![("direction", direction.to_owned())], relays.open as f64));
    out.gauge("pingosd_relays", "Relays that connect or are connected", None, open)?;
    out.counter("pingosd_relay_attempts", "Attempts of relays", None, series(|relays| relays.attempts))?;
    out.counter(
        "pingosd_relays_started",
        "Attempts of relays through which media flowed",
        None,
        series(|relays| relays.started),
    )?;
    out.counter(
        "pingosd_relays_failed",
        "Attempts of relays that failed or were refused",
        None,
        series(|relays| relays.failed),
    )
}

fn configuration(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    out.value(
        "pingosd_config_generation",
        "Number of the configuration in force",
        None,
        snapshot.generation as f64,
    )?;
    let help = "Time at which the configuration came into force, in seconds since 1970";
    out.value("pingosd_config_since_timestamp", help, Some(Unit::Seconds), snapshot.generation_since)?;
    let reloads = [("applied", snapshot.reloads.applied), ("refused", snapshot.reloads.refused)];
    let reloads = reloads.map(|(outcome, count)| (vec![("outcome", outcome.to_owned())], count));
    out.counter("pingosd_reloads", "Reloads by outcome", None, reloads)?;
    out.value(
        "pingosd_config_refused",
        "1 if the last reload was refused, 0 otherwise",
        None,
        f64::from(u8::from(snapshot.is_refused)),
    )
}

fn http(out: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let doing = snapshot.http_doing.map(|(state, count)| (vec![("state", state.to_owned())], count as f64));
    out.gauge("pingosd_http_connections", "Open HTTP connections by what they do", None, doing)?;
    let ends = snapshot.certificates.iter().map(|(id, end)| (vec![("certificate", id.clone())], *end as f64));
    let help =
        "End of the validity of a certificate that acme_certificate has ordered, in seconds since 1970";
    out.gauge("pingosd_acme_certificate_end_timestamp", help, Some(Unit::Seconds), ends)?;
    out.count(
        "pingosd_http_connections_accepted",
        "Accepted HTTP connections",
        None,
        snapshot.http_accepted,
    )?;
    out.count("pingosd_http_requests", "HTTP requests", None, snapshot.http_requests)
}

/// Without a cluster the metrics have no series.
fn cluster(out: &mut Writer<'_>, figures: Option<&ClusterFigures>) -> fmt::Result {
    let labels = |figures: &ClusterFigures, further: Option<(&'static str, &str)>| {
        let further = further.map(|(name, value)| (name, value.to_owned()));
        [("cluster", figures.cluster.clone())].into_iter().chain(further).collect::<Labels>()
    };
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, of: &dyn Fn(&ClusterFigures) -> f64| {
        out.gauge(name, help, unit, figures.map(|figures| (labels(figures, None), of(figures))))
    };
    let flag = |flag: bool| f64::from(u8::from(flag));
    gauge("pingosd_cluster_etcd_up", "1 if etcd is reached, 0 otherwise", None, &|f| flag(f.is_up))?;
    let help = "1 if the server has a lease in etcd, 0 otherwise";
    gauge("pingosd_cluster_lease_held", help, None, &|f| flag(f.has_lease))?;
    gauge("pingosd_cluster_nodes", "Servers of the cluster that are known", None, &|f| f.nodes as f64)?;
    gauge("pingosd_cluster_streams", "Streams of the cluster that are known", None, &|f| f.streams as f64)?;
    let help = "Streams of the cluster that this server has";
    gauge("pingosd_cluster_own_streams", help, None, &|f| f.own_streams as f64)?;
    let help = "Revision of etcd up to which changes are known";
    gauge("pingosd_cluster_watch_revision", help, None, &|f| f.revision as f64)?;
    let help = "Time since the oldest write of the server that its watch has not shown";
    gauge("pingosd_cluster_watch_lag", help, Some(Unit::Seconds), &|f| f.watch_lag_ms as f64 / 1000.0)?;
    let leases = figures.map(|figures| (labels(figures, None), figures.leases));
    out.counter("pingosd_cluster_leases", "Leases that the server has had", None, leases)?;
    let claims = figures.into_iter().flat_map(|figures| {
        figures
            .claims
            .iter()
            .map(move |(outcome, count)| (labels(figures, Some(("outcome", outcome))), *count))
    });
    out.counter("pingosd_cluster_claims", "Claims of stream names by outcome", None, claims)?;
    let errors = figures.into_iter().flat_map(|figures| {
        figures.errors.iter().map(move |(kind, count)| (labels(figures, Some(("kind", kind))), *count))
    });
    out.counter("pingosd_cluster_etcd_errors", "Failed requests to etcd by kind", None, errors)
}

/// Figures of the streams that have the same labels.
#[derive(Default)]
struct StreamSeries {
    clients: f64,
    publishing: f64,
    received: u64,
    sent: u64,
    audio_frames: u64,
    video_frames: u64,
}

/// Series of the `most` streams with the most clients.
fn streams(out: &mut Writer<'_>, streams: &[StreamStatistics], most: usize) -> fmt::Result {
    let mut chosen: Vec<&StreamStatistics> = streams.iter().collect();
    // The sort is stable: streams with as many clients stay in the order of their names.
    chosen.sort_by_key(|stream| std::cmp::Reverse(stream.clients.len()));
    let mut by_labels: BTreeMap<[String; 3], StreamSeries> = BTreeMap::new();
    for stream in chosen.into_iter().take(most) {
        // Names that differ only in what a label leaves out share their series.
        let series =
            by_labels.entry([label(&stream.serverid), label(&stream.app), label(&stream.name)]).or_default();
        series.clients += stream.clients.len() as f64;
        series.publishing += f64::from(u8::from(stream.media.is_some()));
        series.received += stream.traffic.received;
        series.sent += stream.traffic.sent;
        series.audio_frames += stream.input.audio_frames;
        series.video_frames += stream.input.video_frames;
    }
    let all = || {
        by_labels.iter().map(|([server, app, stream], series)| {
            let labels = [("server", server), ("app", app), ("stream", stream)];
            (labels.map(|(name, value)| (name, value.clone())).to_vec(), series)
        })
    };
    let clients = all().map(|(labels, series)| (labels, series.clients));
    out.gauge("pingosd_stream_clients", "Sessions of a stream, its publisher included", None, clients)?;
    let publishing = all().map(|(labels, series)| (labels, series.publishing));
    out.gauge("pingosd_stream_published", "1 if a stream has a publisher, 0 otherwise", None, publishing)?;
    let received = all().map(|(labels, series)| (labels, series.received));
    out.counter(
        "pingosd_stream_received",
        "Bytes received from the publisher of a stream",
        Some(Unit::Bytes),
        received,
    )?;
    let sent = all().map(|(labels, series)| (labels, series.sent));
    out.counter("pingosd_stream_sent", "Bytes sent to the players of a stream", Some(Unit::Bytes), sent)?;
    let frames = all().flat_map(|(labels, series)| {
        [("audio", series.audio_frames), ("video", series.video_frames)]
            .map(|(kind, count)| (labels.iter().cloned().chain([("kind", kind.to_owned())]).collect(), count))
    });
    out.counter(
        "pingosd_stream_frames_received",
        "Frames received from the publisher of a stream",
        None,
        frames,
    )
}

/// A word of this server as the value of a label.
fn word(text: &str) -> String {
    text.replace([' ', '-'], "_")
}

impl Writer<'_> {
    /// A counter with labels; its name gets the unit and `_total`.
    fn counter<V: prometheus_client::encoding::EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        series: impl IntoIterator<Item = (Labels, V)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (labels, value) in series {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, V, u64>(&value, None)?;
        }
        Ok(())
    }

    /// A counter without labels.
    fn count(&mut self, name: &str, help: &str, unit: Option<Unit>, value: u64) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, u64, u64>(&value, None)
    }

    /// A gauge with labels; its name gets the unit.
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        series.into_iter().try_for_each(|(labels, value)| metric.encode_family(&labels)?.encode_gauge(&value))
    }

    /// A gauge without labels.
    fn value(&mut self, name: &str, help: &str, unit: Option<Unit>, value: f64) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    /// Durations in classes; the name gets `_seconds`.
    fn histograms<'h>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, &'h HistogramCounts)>,
    ) -> fmt::Result {
        let unit = Unit::Seconds;
        let mut metric = self.encoder.encode_descriptor(name, help, Some(&unit), MetricType::Histogram)?;
        for (labels, counts) in series {
            // The crate writes its own infinity as `+Inf`, and sums the classes up.
            let classes: Vec<(f64, u64)> = counts
                .classes
                .iter()
                .map(|(bound, count)| (if bound.is_finite() { *bound } else { f64::MAX }, *count))
                .collect();
            let count = classes.iter().map(|(_, count)| count).sum();
            match labels.is_empty() {
                true => metric.encode_histogram::<NoLabelSet>(counts.sum, count, &classes, None)?,
                false => metric
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(counts.sum, count, &classes, None)?,
            }
        }
        Ok(())
    }
}
