//! Notifications to a service manager such as systemd (sd_notify): ready, reloading, stopping, alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sd_notify::NotifyState;

use super::process::is_supervised;
use crate::server::log;

/// The service manager, if there is one.
#[derive(Clone)]
pub(super) struct Service {
    /// Whether there is one.
    listens: bool,
    /// Whether another process has taken over, which now sends the notifications.
    replaced: Arc<AtomicBool>,
}

impl Service {
    /// Reads the environment.
    pub(super) fn from_env() -> Service {
        Service { listens: is_supervised(), replaced: Arc::default() }
    }

    /// Whether there is one.
    pub(super) fn listens(&self) -> bool {
        self.listens
    }

    /// Notifies that the server is ready. With `replaces`, this process becomes the main process.
    pub(super) fn ready(&self, status: &str, replaces: bool) {
        if replaces {
            self.tell(&[
                NotifyState::MainPid(std::process::id()),
                NotifyState::Ready,
                NotifyState::Status(status),
            ]);
        } else {
            self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        }
    }

    /// Notifies that a reload has begun; [`Service::ready`] ends it, whatever its result.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            // Without the timestamp the manager would wait in vain.
            Err(error) => log::service_not_told(&error),
        }
    }

    /// Notifies that the server is about to end.
    pub(super) fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Leaves notifications to the process that takes over.
    pub(super) fn step_aside(&self) {
        self.replaced.store(true, Ordering::Relaxed);
    }

    /// Resumes notifications after the process that took over has ended.
    pub(super) fn step_back(&self, status: &str) {
        self.replaced.store(false, Ordering::Relaxed);
        self.ready(status, true);
    }

    /// Serves the watchdog: the server and its threads are alive.
    pub(super) fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if !self.replaced.load(Ordering::Relaxed) {
            self.send(state);
        }
    }

    fn send(&self, state: &[NotifyState<'_>]) {
        if self.listens
            && let Err(error) = sd_notify::notify(state)
        {
            log::service_not_told(&error);
        }
    }
}
