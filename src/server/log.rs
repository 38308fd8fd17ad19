//! Log lines about the process: signals, reloads, upgrades, workers, control socket.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::config::history::Generation;
use crate::log::shown::Shown;
use crate::log::{FileError, counted, os_text};

/// A signal was received.
pub fn signal(name: &str, what: &str) {
    info!(target: "notice", "signal {name} received, {what}");
}

/// The server runs.
pub fn started(workers: usize) {
    let workers = counted(workers as u64, "worker");
    info!(target: "notice", "pingosd/{} started, {workers}", env!("CARGO_PKG_VERSION"));
}

/// The server has stopped.
pub fn stopped() {
    info!(target: "notice", "exit");
}

/// A new configuration is in force.
pub fn reloaded(generation: u64, hash: &str, conf: &Path) {
    info!(target: "notice", "configuration {} reloaded, generation {generation}, {hash}", Shown::path(conf));
}

/// The files match the current configuration; certificates and logs were reopened.
pub fn reloaded_unchanged(generation: u64, conf: &Path) {
    info!(
        target: "notice",
        "configuration {} reloaded, generation {generation} stays in force: no directive has changed",
        Shown::path(conf)
    );
}

/// Part of a change that needs a restart.
pub fn reload_needs_restart(directive: &str, place: &str) {
    warn!("\"{directive}\" has changed, the change takes effect after a restart only, in {place}");
}

/// A setting is valid but probably not intended.
pub fn configuration_warning(line: &str) {
    warn!("{}", line.trim_start_matches("[warn] "));
}

/// A reload was refused; one line of the reason.
pub fn reload_error(line: &str) {
    // The level is part of the log line.
    error!(target: "emerg", "{}", line.trim_start_matches("[emerg] "));
}

/// A reload was refused.
pub fn reload_refused(generation: u64) {
    error!("reload refused, generation {generation} stays in force");
}

/// A reload is slow: the files may be on a hanging file system.
pub fn reload_slow(time: Duration) {
    warn!("the configuration is still being read after {}s, the one in force is kept", time.as_secs());
}

/// A new binary took over during a reload.
pub fn reload_given_up() {
    info!(target: "notice", "the reload is abandoned: the new binary reads the files");
}

/// A reload hangs, and another one was requested.
pub fn reload_hangs() {
    warn!("the current reload hangs and is abandoned for the next one");
}

/// Logs were reopened.
pub fn reopened() {
    info!(target: "notice", "reopening logs");
}

/// A log could not be reopened; the old file stays in use.
pub fn reopen_failed(error: &FileError) {
    let FileError { path, source, .. } = error;
    error!(target: "emerg", "open() \"{}\" failed ({})", Shown::path(path), os_text(source));
}

/// A limit of the process could not be set.
pub fn limit_not_set(what: &str, error: &io::Error) {
    let error = os_text(error);
    error!(target: "alert", "{what} failed ({error})");
}

/// There is no control socket, so commands cannot reach the server.
pub fn not_listening(error: &dyn Display) {
    warn!("control socket: {error}");
}

/// A user without access connected to the control socket.
pub fn stranger(user: u32) {
    warn!("control socket: refused user {user}");
}

/// One change of a reload.
pub fn change(line: &dyn Display) {
    info!(target: "notice", "reload: {line}");
}

/// A reload was not confirmed in time.
pub fn not_confirmed() {
    warn!("the reload was not confirmed in time, rolling back");
}

/// Configuration with which the server started.
pub fn in_force(generation: &Generation, conf: &Path) {
    let Generation { number, fingerprint, .. } = generation;
    info!(target: "notice", "configuration {} in force, generation {number}, {}", Shown::path(conf), fingerprint.short());
}

/// Generations cannot be kept on disk.
pub fn generations_unusable(error: &dyn Display) {
    warn!("conf_generations: {error}; a rollback is not possible after a restart");
}

/// The group of the server in the cluster has another configuration.
pub fn group_conf(copy: &Path) {
    info!(target: "notice", "configuration of the group for \"{}\" received, reconfiguring", Shown::path(copy));
}

/// The configuration of the group cannot be kept on disk.
pub fn group_conf_not_kept(error: &dyn Display) {
    warn!("cluster_conf: {error}; no configuration of the group can be kept");
}

/// An entry of the generations' directory is skipped.
pub fn generation_skipped(what: &dyn Display) {
    warn!("conf_generations: {what}, it is skipped");
}

/// A generation could not be written to disk.
pub fn generation_not_kept(why: &str) {
    warn!("conf_generations: {why}; a rollback to it is not possible after a restart");
}

/// A reload has ended sessions, as configured.
pub fn released(directive: &str, count: usize) {
    warn!("reload: {directive} ends {}", counted(count as u64, "session"));
}

/// `conf_watch` found changed contents.
pub fn configuration_changed() {
    info!(target: "notice", "configuration files have changed, reconfiguring");
}

/// The system cannot report changes.
pub fn configuration_not_watched(error: &dyn Display, poll: Duration) {
    warn!("conf_watch: {error}; checking every {}s instead", poll.as_secs());
}

/// An inherited descriptor is not a listening socket.
pub fn socket_not_inherited(index: usize, error: &io::Error) {
    let error = os_text(error);
    warn!("inherited socket number {index} cannot be used: {error}");
}

/// An inherited socket has no `listen` line in the configuration.
pub fn inherited_socket_unused(name: &str) {
    warn!("inherited socket {name} is closed, no \"listen\" has its address");
}

/// A new binary was started.
pub fn upgrade_started(program: &Path, pid: Option<u32>) {
    let pid = pid.unwrap_or_default();
    info!(target: "notice", "start new binary process {pid}, program: {}", Shown::path(program));
}

/// A new binary could not be started.
pub fn upgrade_failed(error: &dyn Display) {
    error!(target: "alert", "changing binary failed: {error}");
}

/// An upgrade is already in progress.
pub fn upgrade_ignored(why: &str) {
    info!(target: "notice", "changing binary signal is ignored: {why}");
}

/// The process that took over has ended.
pub fn successor_ended(status: &str) {
    error!(target: "alert", "new binary process has ended ({status}), this process serves in its place");
}

/// What a program that did not take over finds wrong with the configuration.
pub fn successor_complaints(lines: &[String]) {
    for line in lines {
        error!("the new binary says: {line}");
    }
}

/// The pid file could not be renamed back.
pub fn pid_file_lost(error: &dyn Display) {
    error!(target: "alert", "{error}");
}

/// Accepting on open sockets was resumed or stopped.
pub fn accepting(on: bool) {
    info!(target: "notice", "{}", if on { "accepting connections again" } else { "accepting no more connections" });
}

/// The service manager cannot be notified.
pub fn service_not_told(error: &io::Error) {
    let error = os_text(error);
    warn!("the service manager could not be notified: {error}");
}

/// A worker thread panicked, which ended its sessions.
pub fn worker_died(number: usize, then: &str) {
    error!(target: "alert", "worker thread {number} has panicked, its sessions have ended; {then}");
}

/// A dead worker thread was replaced.
pub fn worker_replaced(number: usize) {
    info!(target: "notice", "worker thread {number} is replaced");
}

/// No thread could be started to replace a dead one.
pub fn worker_not_replaced(number: usize, error: &io::Error) {
    error!(target: "alert", "worker thread {number} can't be replaced ({})", os_text(error));
}

/// Worker threads do not answer, so the watchdog is not served.
pub fn no_answer(names: &str) {
    error!("no answer from: {names}; the watchdog is not notified");
}

/// The process being replaced does not exchange its streams.
pub fn no_counterpart(error: &io::Error) {
    info!(
        target: "notice",
        "control socket of the old binary: {}; its streams are not found by players of this process, nor the other way \
         round",
        os_text(error)
    );
}

/// A process that this one has not started wants to exchange streams.
pub fn unexpected_counterpart(pid: Option<i32>) {
    let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
    warn!("control socket: process {pid} is not the new binary process, its streams are not shared");
}

/// Both processes of an upgrade exchange their streams.
pub fn counterpart_joined() {
    info!(target: "notice", "streams are shared with the other process of the upgrade");
}

/// The other process of an upgrade has ended.
pub fn counterpart_left() {
    info!(target: "notice", "the other process of the upgrade has ended, streams are no longer shared");
}

/// A further process wants to exchange streams.
pub fn second_counterpart() {
    warn!("control socket: streams are shared with another process already, the request is refused");
}

/// A message of the other process was ignored.
pub fn message_not_understood(error: &serde_json::Error) {
    warn!("control socket: a message of the other process of the upgrade is not understood ({error})");
}

/// The privileged helper could not be started or does not answer.
pub fn helper_failed(error: &io::Error) {
    error!(
        target: "alert",
        "the privileged helper is missing ({}): what only root may open cannot be opened until a restart", os_text(error)
    );
}

/// The privileged helper did not open a file.
pub fn not_opened_as_root(path: &Path, error: &io::Error) {
    error!("\"{}\" was not opened as root either ({})", Shown::path(path), os_text(error));
}

/// What only root may change is no valid configuration alone, so nothing is opened as root.
pub fn nothing_listed(why: &str) {
    warn!("files that only root may open cannot be opened: {why}");
}
