//! Watchdog of the service manager: served once all threads have answered, not merely at intervals.
//!
//! Workers and accepting tasks are probed; the control loop proves itself by sending the probes. Reloads are not
//! probed, because files may hang for any time.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::parts::Parts;
use super::service::Service;
use crate::net::listener::Listeners;
use crate::server::log;
use crate::task::questions::OpenQuestions;

/// Notifies the service manager that the server is alive.
pub(super) struct Watchdog {
    service: Service,
    /// Half of the watchdog time; `None` without a watchdog.
    ticks: Option<Interval>,
    asked: Option<OpenQuestions>,
}

impl Watchdog {
    /// Reads the environment. Must be called within the control runtime.
    pub(super) fn from_env(service: &Service) -> Watchdog {
        let allowed = sd_notify::watchdog_enabled().filter(|_| service.listens());
        let ticks = allowed.map(|time| {
            // The interval must not be zero.
            let mut ticks = interval((time / 2).max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Watchdog { service: service.clone(), ticks, asked: None }
    }

    /// Notifies once when due and all probes are answered. Never resolves without a watchdog; may be cancelled and
    /// called again at any time.
    pub(super) async fn alive(&mut self, parts: &Parts, listeners: &Listeners) {
        let Some(ticks) = &mut self.ticks else { return pending().await };
        if self.asked.is_none() {
            ticks.tick().await;
        }
        let asked = self.asked.get_or_insert_with(|| ask(parts, listeners));
        loop {
            tokio::select! {
                biased;
                () = asked.answered() => break,
                _ = ticks.tick() => log::no_answer(&asked.silent()),
            }
        }
        self.asked = None;
        self.service.alive();
    }
}

fn ask(parts: &Parts, listeners: &Listeners) -> OpenQuestions {
    let mut asked = OpenQuestions::default();
    for (number, worker) in parts.workers.iter().enumerate() {
        let question = asked.question(format!("worker thread {number}"));
        worker.runtime.spawn(async move { question.send(()) });
    }
    listeners.ask(&mut asked);
    asked
}
