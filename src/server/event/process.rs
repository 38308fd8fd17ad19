//! What the server logs about its own life: files that are watched, upgrades, the service manager.

use std::io;
use std::path::Path;
use std::time::Duration;

use tracing::{info, warn};

use super::Shown;
use crate::module::core::log::LogLevel;
use crate::server::os_text;

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
    tracing::error!(target: "alert", "changing binary failed: {error}");
}

/// An upgrade is under way already.
pub fn upgrade_ignored(why: &str) {
    info!(target: "notice", "changing binary signal is ignored: {why}");
}

/// The process that had taken over has ended.
pub fn successor_ended(status: &str) {
    tracing::error!(target: "alert", "new binary process has ended ({status}), this process goes on in its place");
}

/// The pid file could not be renamed back.
pub fn pid_file_lost(error: &str) {
    tracing::error!(target: "alert", "{error}");
}

/// Connections are accepted again, or no more, on sockets that stay.
pub fn accepting(on: bool) {
    info!(target: "notice", "{}", if on { "accepting connections again" } else { "accepting no more connections" });
}

/// The service manager does not listen.
pub fn service_not_told(error: &io::Error) {
    warn!("the service manager was not told: {error}");
}

/// A thread has panicked.
pub fn panicked(thread: &str, text: &str, place: &str) {
    tracing::error!(target: "alert", "thread {thread} panicked at {place}: {text}");
}

/// A task that has panicked goes on.
pub fn begun_anew(name: &str) {
    tracing::error!(target: "alert", "{name} has died by a panic and is begun anew");
}

/// A worker thread has panicked, and with it its sessions have ended.
pub fn worker_died(number: usize, then: &str) {
    tracing::error!(target: "alert", "worker thread {number} has died by a panic, its sessions have ended; {then}");
}

/// There is a thread again in the place of one that has died.
pub fn worker_replaced(number: usize) {
    info!(target: "notice", "worker thread {number} is replaced");
}

/// No thread could be started in the place of one that has died.
pub fn worker_not_replaced(number: usize, error: &io::Error) {
    tracing::error!(target: "alert", "worker thread {number} can't be replaced ({})", os_text(error));
}

/// Worker threads that have not answered: the watchdog is not told that all is well.
pub fn no_answer(names: &str) {
    tracing::error!("no answer from: {names}; the watchdog is not told that the server is alive");
}

/// About the file of `dynamic_conf`, where it has no log of its own.
pub fn dynamic_conf(level: LogLevel, message: &str) {
    if level <= LogLevel::Error {
        tracing::error!("{message}");
    } else {
        info!(target: "notice", "{message}");
    }
}

/// io_uring is not to be had; `wanted`: the configuration asks for it.
pub fn no_uring(wanted: bool, error: &io::Error) {
    let error = os_text(error);
    if wanted {
        warn!("\"delivery uring\": io_uring is not available ({error}), sending with writev");
    } else {
        info!(target: "notice", "io_uring is not available ({error}), sending with writev");
    }
}

/// io_uring does no longer what it did.
pub fn uring_lost(error: &io::Error) {
    warn!("io_uring has failed ({}), sending with writev from now on", os_text(error));
}
