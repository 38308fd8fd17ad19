//! What the log says of the life of the process: signals, reloads, upgrades, workers, the control socket.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::config::history::Generation;
use crate::log::os_text;
use crate::log::shown::Shown;

/// A signal came in.
pub fn signal(name: &str, what: &str) {
    info!(target: "notice", "signal {name} received, {what}");
}

/// The server runs.
pub fn started(workers: usize) {
    info!(target: "notice", "pingosd/{} started, {workers} workers", env!("CARGO_PKG_VERSION"));
}

/// The server has stopped.
pub fn stopped() {
    info!(target: "notice", "exit");
}

/// A new configuration is in force.
pub fn reloaded(generation: u64, hash: &str, conf: &Path) {
    info!(target: "notice", "configuration {} reloaded, generation {generation}, {hash}", Shown::path(conf));
}

/// The files hold what is in force already; certificates and logs were opened anew.
pub fn reloaded_unchanged(generation: u64, conf: &Path) {
    info!(
        target: "notice",
        "configuration {} reloaded, generation {generation} goes on: nothing has changed",
        Shown::path(conf)
    );
}

/// Part of a change that needs a restart.
pub fn reload_needs_restart(directive: &str, place: &str) {
    warn!("\"{directive}\" has changed, the change takes effect after a restart only, in {place}");
}

/// What the configuration says is accepted, but probably not meant.
pub fn configuration_warning(line: &str) {
    warn!("{}", line.trim_start_matches("[warn] "));
}

/// A reload was refused; one line of the reason.
pub fn reload_error(line: &str) {
    // The log says the level itself.
    error!(target: "emerg", "{}", line.trim_start_matches("[emerg] "));
}

/// A reload was refused.
pub fn reload_refused(generation: u64) {
    error!("reload refused, generation {generation} goes on");
}

/// A reload takes long: the files may be on a file system that hangs.
pub fn reload_slow(time: std::time::Duration) {
    warn!("the configuration is still being read after {}s, the one in force goes on", time.as_secs());
}

/// A new binary has taken over while a reload was under way.
pub fn reload_given_up() {
    info!(target: "notice", "the reload is given up: the new binary reads the files");
}

/// A reload hangs, and the next one is asked for.
pub fn reload_hangs() {
    warn!("the reload under way hangs, it is given up for the next one");
}

/// Logs were opened anew.
pub fn reopened() {
    info!(target: "notice", "reopening logs");
}

/// A log could not be opened anew; the old file is kept.
pub fn reopen_failed(path: &Path, error: &io::Error) {
    error!(target: "emerg", "open() \"{}\" failed ({error})", Shown::path(path));
}

/// A limit of the process could not be set.
pub fn limit_not_set(what: &str, error: &dyn Display) {
    error!(target: "alert", "{what} failed ({error})");
}

/// Commands cannot reach the server.
pub fn not_listening(error: &str) {
    warn!("control socket: {error}");
}

/// A user who may not use the control socket.
pub fn stranger(user: u32) {
    warn!("control socket: refused user {user}");
}

/// What a reload has changed, one line of it.
pub fn change(line: &dyn Display) {
    info!(target: "notice", "reload: {line}");
}

/// A reload that had to be confirmed was not.
pub fn not_confirmed() {
    warn!("the reload was not confirmed in time, going back");
}

/// What the server has begun with.
pub fn in_force(generation: &Generation, conf: &Path) {
    let Generation { number, fingerprint, .. } = generation;
    info!(target: "notice", "configuration {} in force, generation {number}, {}", Shown::path(conf), fingerprint.short());
}

/// Generations cannot be kept on disk.
pub fn generations_unusable(error: &str) {
    warn!("conf_generations: {error}; a rollback is not possible after a restart");
}

/// Something in the directory of generations is left out.
pub fn generation_skipped(what: &str) {
    warn!("conf_generations: {what}, it is left out");
}

/// A generation is not on disk.
pub fn generation_not_kept(why: &str) {
    warn!("conf_generations: {why}; a rollback to it is not possible after a restart");
}

/// A reload has ended sessions, as the configuration wants it.
pub fn released(directive: &str, count: usize) {
    warn!("reload: {directive} ends {count} sessions");
}

/// `conf_watch` has found other contents.
pub fn configuration_changed() {
    info!(target: "notice", "configuration files have changed, reconfiguring");
}

/// The system cannot tell of changes.
pub fn configuration_not_watched(error: &str, poll: Duration) {
    warn!("conf_watch: {error}; looking every {}s instead", poll.as_secs());
}

/// A descriptor that the process was started with is no listening socket.
pub fn socket_not_inherited(index: usize, error: &io::Error) {
    warn!("inherited socket number {index} cannot be used: {error}");
}

/// The configuration has no `listen` for a socket that the process was started with.
pub fn inherited_socket_unused(name: &str) {
    warn!("inherited socket {name} is closed, no \"listen\" has its address");
}

/// A new binary was started.
pub fn upgrade_started(program: &Path, pid: Option<u32>) {
    let pid = pid.unwrap_or_default();
    info!(target: "notice", "start new binary process {pid}, program: {}", Shown::path(program));
}

/// A new binary could not be started.
pub fn upgrade_failed(error: &str) {
    error!(target: "alert", "changing binary failed: {error}");
}

/// An upgrade is under way already.
pub fn upgrade_ignored(why: &str) {
    info!(target: "notice", "changing binary signal is ignored: {why}");
}

/// The process that had taken over has ended.
pub fn successor_ended(status: &str) {
    error!(target: "alert", "new binary process has ended ({status}), this process goes on in its place");
}

/// The pid file could not be renamed back.
pub fn pid_file_lost(error: &str) {
    error!(target: "alert", "{error}");
}

/// Connections are accepted again, or no more, on sockets that stay.
pub fn accepting(on: bool) {
    info!(target: "notice", "{}", if on { "accepting connections again" } else { "accepting no more connections" });
}

/// The service manager does not listen.
pub fn service_not_told(error: &io::Error) {
    warn!("the service manager was not told: {error}");
}

/// A worker thread has panicked, and with it its sessions have ended.
pub fn worker_died(number: usize, then: &str) {
    error!(target: "alert", "worker thread {number} has died by a panic, its sessions have ended; {then}");
}

/// There is a thread again in the place of one that has died.
pub fn worker_replaced(number: usize) {
    info!(target: "notice", "worker thread {number} is replaced");
}

/// No thread could be started in the place of one that has died.
pub fn worker_not_replaced(number: usize, error: &io::Error) {
    error!(target: "alert", "worker thread {number} can't be replaced ({})", os_text(error));
}

/// Worker threads that have not answered: the watchdog is not told that all is well.
pub fn no_answer(names: &str) {
    error!("no answer from: {names}; the watchdog is not told that the server is alive");
}
