//! State of the server, for `pingosd status`.

use std::time::Instant;

use tokio::runtime::Handle;

use super::protocol::{
    CertificateStatus, Configuration, GenerationStatus, Queues, RefusedReload, ServerStatus, SessionCounts,
};
use crate::config::history::Generation;
use crate::config::on_disk;
use crate::config::watch::Fingerprint;
use crate::log;
use crate::media::session::{Protocol, Role};
use crate::module::acme::OrderedRow;
use crate::net::listener;
use crate::server::parts::Parts;

/// The current state. Reads the files of the configuration on a blocking thread.
pub(super) async fn of(parts: &Parts) -> ServerStatus {
    let found = parts.conf_files.look(parts.store.generation()).await;
    let config = parts.store.load();
    let queues = Queues {
        callbacks: parts.callbacks.under_way(),
        unfinished: parts.lifetime.unfinished.len(),
        log_lines_lost_total: log::lines_lost_total(),
    };
    let open = listener::wanted(&config, &parts.tls.load().server).into_keys();
    let mut listeners: Vec<String> = open.map(|(speaks, addr)| format!("{speaks} {addr}")).collect();
    listeners.sort();
    let callbacks = parts.callbacks.snapshot();
    ServerStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        uptime_seconds: parts.started.elapsed().as_secs(),
        draining: parts.lifetime.draining.is_cancelled(),
        configuration: configuration(parts, found),
        listeners,
        streams: parts.registry.list().len(),
        sessions: sessions(parts),
        queues,
        connections: parts.connections.count(),
        connections_limit: config.connection_limit(),
        tasks: tasks(parts),
        accepted_total: parts.sessions.accepted_total(),
        done_waiting: callbacks.done_waiting,
        done_lost_total: callbacks.done_lost_total,
        certificates: certificates(parts),
    }
}

fn certificates(parts: &Parts) -> Vec<CertificateStatus> {
    let text = |second: i64| jiff::Timestamp::from_second(second).ok().map(|time| time.to_string());
    let status = |row: OrderedRow| CertificateStatus {
        id: row.id,
        issuer: row.issuer,
        names: row.names,
        valid_until: row.end.and_then(text),
        next_order: row.next.and_then(text),
        failure: row.failure,
    };
    parts.acme.overview.rows(&parts.acme.issued).into_iter().map(status).collect()
}

fn sessions(parts: &Parts) -> SessionCounts {
    let mut counts = SessionCounts::default();
    for session in parts.sessions.snapshot() {
        let protocol = match session.protocol {
            _ if session.relayed_as.get().is_some() => "relay",
            Protocol::Rtmp => "rtmp",
            Protocol::HttpFlv => "http-flv",
            Protocol::HttpTs => "http-ts",
            Protocol::Hls2 => "hls",
        };
        let count = counts.by_protocol.entry(protocol.to_owned()).or_default();
        match session.role {
            Role::Publisher => {
                counts.publishers += 1;
                count.publishers += 1;
            }
            Role::Player => {
                counts.players += 1;
                count.players += 1;
            }
        }
    }
    counts
}

/// Number of tasks on the control thread, where this runs, and on the workers.
fn tasks(parts: &Parts) -> usize {
    let workers = parts.workers.iter().map(|worker| worker.runtime.metrics().num_alive_tasks());
    Handle::current().metrics().num_alive_tasks() + workers.sum::<usize>()
}

fn configuration(parts: &Parts, found: Option<Fingerprint>) -> Configuration {
    let history = parts.history.lock();
    let current = history.current();
    let in_force = current.map(|generation| generation.fingerprint);
    let kept = |generation: &Generation| GenerationStatus {
        generation: generation.number,
        hash: generation.fingerprint.short(),
        since: generation.since.to_string(),
    };
    let archive = parts.store.load().archive();
    let left = history.confirm_by().map(|by| by.saturating_duration_since(Instant::now()).as_secs());
    Configuration {
        file: parts.conf_files.load().conf_name().display().to_string(),
        generation: parts.store.generation(),
        hash: in_force.map(|hash| hash.to_string()).unwrap_or_default(),
        since: current.map(|generation| generation.since.to_string()).unwrap_or_default(),
        kept: history.kept().map(kept).collect(),
        kept_in: archive.map(|archive| archive.directory().display().to_string()),
        not_kept: history.unkept().map(str::to_owned),
        on_disk: on_disk::verdict(&history, found),
        refused: history
            .refusal()
            .map(|refusal| RefusedReload { at: refusal.at.to_string(), reasons: refusal.reasons.clone() }),
        confirm_seconds_left: left,
    }
}
