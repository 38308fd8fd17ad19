//! What a service manager such as systemd is told (sd_notify): ready, reloading, stopping, alive.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::context::Worker;
use super::event;
use super::process::is_supervised;

/// The service manager, if there is one.
pub struct Service {
    /// There is one.
    listens: bool,
    /// Another process has taken over: what becomes of the service is for that one to tell.
    replaced: bool,
    watchdog: Option<Watchdog>,
}

/// Tells at half the time allowed that control and worker threads are alive.
struct Watchdog {
    ticks: Interval,
    answers: Vec<JoinHandle<()>>,
}

impl Service {
    /// Looks at the environment. To be called within the control runtime.
    pub fn from_env() -> Service {
        let listens = is_supervised();
        let allowed = sd_notify::watchdog_enabled().filter(|_| listens);
        // The interval must not be zero.
        let half = allowed.map(|time| (time / 2).max(Duration::from_millis(1)));
        let watchdog = half.map(|half| {
            let mut ticks = interval(half);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Watchdog { ticks, answers: Vec::new() }
        });
        Service { listens, replaced: false, watchdog }
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
            Err(error) => event::process::service_not_told(&error),
        }
    }

    /// We are about to end.
    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Leaves the word to the process that takes over.
    pub fn step_aside(&mut self) {
        self.replaced = true;
    }

    /// The process that had taken over is gone: the manager has to look at us again.
    pub fn step_back(&mut self, status: &str) {
        self.replaced = false;
        self.ready(status, true);
    }

    /// Tells, for as long as it is polled, that the server is alive: whoever polls it is alive, and the workers
    /// are asked. Never resolves where no watchdog is wanted.
    pub async fn alive(&mut self, workers: &[Worker]) {
        match &mut self.watchdog {
            Some(watchdog) => drop(watchdog.ticks.tick().await),
            None => std::future::pending().await,
        }
        let Some(watchdog) = &mut self.watchdog else { return };
        let stuck = watchdog.answers.iter().filter(|answer| !answer.is_finished()).count();
        if stuck > 0 {
            event::process::workers_stuck(stuck);
            return;
        }
        watchdog.answers = workers.iter().map(|worker| worker.runtime.spawn(async {})).collect();
        self.send(&[NotifyState::Watchdog]);
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if !self.replaced {
            self.send(state);
        }
    }

    fn send(&self, state: &[NotifyState<'_>]) {
        if self.listens
            && let Err(error) = sd_notify::notify(state)
        {
            event::process::service_not_told(&error);
        }
    }
}
