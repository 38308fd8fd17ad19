//! What a service manager such as systemd is told (sd_notify): ready, reloading, stopping, alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sd_notify::NotifyState;

use super::process::is_supervised;
use crate::server::log;

/// The service manager, if there is one.
#[derive(Clone)]
pub struct Service {
    /// There is one.
    listens: bool,
    /// Another process has taken over: what becomes of the service is for that one to tell.
    replaced: Arc<AtomicBool>,
}

impl Service {
    /// Looks at the environment.
    pub fn from_env() -> Service {
        Service { listens: is_supervised(), replaced: Arc::default() }
    }

    /// Whether there is one.
    pub fn listens(&self) -> bool {
        self.listens
    }

    /// We serve. `replaces`: in the place of the process that the manager knows.
    pub fn ready(&self, status: &str, replaces: bool) {
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

    /// A reload has begun; [`Service::ready`] ends it, whatever came of it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            // Without the stamp the manager would wait in vain.
            Err(error) => log::service_not_told(&error),
        }
    }

    /// We are about to end.
    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Leaves the word to the process that takes over.
    pub fn step_aside(&self) {
        self.replaced.store(true, Ordering::Relaxed);
    }

    /// The process that had taken over is gone: the manager has to look at us again.
    pub fn step_back(&self, status: &str) {
        self.replaced.store(false, Ordering::Relaxed);
        self.ready(status, true);
    }

    /// The server is alive: it and its threads answer.
    pub fn alive(&self) {
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
