//! How the server is.

use std::time::Instant;

use tokio::runtime::Handle;

use super::on_disk;
use super::protocol::{Configuration, Kept, Queues, Refusal, SessionCounts, Status};
use crate::config::history::Generation;
use crate::config::watch::Fingerprint;
use crate::log;
use crate::media::session::{Protocol, Role};
use crate::net::listener;
use crate::server::context::Context;

/// The status at this moment. Reads the files of the configuration, on a thread that may wait.
pub async fn of(context: &Context) -> Status {
    let found = context.conf_files.look(context.store.generation()).await;
    let config = context.store.load();
    let queues = Queues {
        callbacks: context.notifier.under_way(),
        unfinished: context.pending.count(),
        log_lines_lost_total: log::lines_lost_total(),
    };
    let open = listener::wanted(&config, &context.tls.load().server).into_keys();
    let mut listeners: Vec<String> = open.map(|(speaks, addr)| format!("{speaks} {addr}")).collect();
    listeners.sort();
    let callbacks = context.notifier.snapshot();
    Status {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        uptime_seconds: context.started.elapsed().as_secs(),
        draining: *context.draining.borrow(),
        configuration: configuration(context, found),
        listeners,
        streams: context.registry.list().len(),
        sessions: sessions(context),
        queues,
        connections: context.connections.count(),
        connections_limit: config.connection_limit(),
        tasks: tasks(context),
        accepted_total: context.sessions.accepted_total(),
        done_waiting: callbacks.done_waiting,
        done_lost_total: callbacks.done_lost_total,
    }
}

fn sessions(context: &Context) -> SessionCounts {
    let mut counts = SessionCounts::default();
    for session in context.sessions.snapshot() {
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

/// Tasks of the control thread, which is where this runs, and of the workers.
fn tasks(context: &Context) -> usize {
    let workers = context.workers.iter().map(|worker| worker.runtime.metrics().num_alive_tasks());
    Handle::current().metrics().num_alive_tasks() + workers.sum::<usize>()
}

fn configuration(context: &Context, found: Option<Fingerprint>) -> Configuration {
    let history = context.history();
    let current = history.current();
    let in_force = current.map(|generation| generation.fingerprint);
    let kept = |generation: &Generation| Kept {
        generation: generation.number,
        hash: generation.fingerprint.short(),
        since: generation.since.to_string(),
    };
    let archive = context.store.load().archive();
    let left = history.confirm_by().map(|by| by.saturating_duration_since(Instant::now()).as_secs());
    Configuration {
        file: context.conf_files.load().conf_name().display().to_string(),
        generation: context.store.generation(),
        hash: in_force.map(|hash| hash.to_string()).unwrap_or_default(),
        since: current.map(|generation| generation.since.to_string()).unwrap_or_default(),
        kept: history.kept().map(kept).collect(),
        kept_in: archive.map(|archive| archive.directory().display().to_string()),
        not_kept: history.unkept().map(str::to_owned),
        on_disk: on_disk::verdict(&history, found),
        refused: history
            .refusal()
            .map(|refusal| Refusal { at: refusal.at.to_string(), reasons: refusal.reasons.clone() }),
        confirm_seconds_left: left,
    }
}
