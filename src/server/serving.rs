//! The server in operation: signals, stopping, workers that die.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::control::order::QueuedRequest;
use super::core::process::WorkerFailure;
use super::error::StartError;
use super::life::Life;
use super::parts::Parts;
use super::reloads::Reloads;
use super::signals::Signals;
use super::{core, counterpart, log};
use crate::limits;
use crate::log::ErrorLog;
use crate::media::counterpart::message::CounterpartMessage;
use crate::media::files::retention::{self, Retained};
use crate::media::files::sweeper::{self, Swept};
use crate::media::statistics;
use crate::media::workers::{Death, Workers};
use crate::module::dash::DashCleanup;
use crate::module::hls::{HlsCleanup, HlsRecordings};
use crate::module::live_record::TsRecordings;
use crate::module::record::FlvRecordings;
use crate::module::relay::static_pulls::StaticPulls;
use crate::module::{acme, cluster, dynamic, relay};
use crate::net::listener::Listeners;
use crate::task::supervise::keep;

/// The running server: its parts, and the signals that it obeys.
pub(super) struct RunningServer {
    pub(super) parts: Arc<Parts>,
    pub(super) log: ErrorLog,
    pub(super) listeners: Listeners,
    pub(super) life: Life,
    pub(super) reloads: Reloads,
    pub(super) deaths: mpsc::UnboundedReceiver<Death>,
}

impl RunningServer {
    /// Serves until a signal ends it.
    ///
    /// # Errors
    ///
    /// A required system call failed, or a worker thread died with `worker_failure exit`.
    pub(super) async fn serve<W: FnMut() -> F + Send + 'static, F: Future<Output = ()> + Send + 'static>(
        mut self,
        mut signals: Signals,
        watching: W,
        ordering: mpsc::Sender<QueuedRequest>,
    ) -> Result<(), StartError> {
        self.parts.tls.load().server.log_closed();
        self.parts.callbacks.warm();
        log::started(self.parts.workers.count());
        if let Some(generation) = self.parts.history.lock().current() {
            log::in_force(generation, self.parts.conf_files.load().conf_name());
        }
        self.parts.callbacks.announce(self.parts.workers.count());
        let (notifier, dns) = (self.parts.callbacks.clone(), self.parts.dns.clone());
        keep("on_master", move || notifier.clone().keep_master());
        let statistics = self.parts.statistics.clone();
        keep("rates of statistics", move || statistics::timer::run(statistics.clone()));
        let (asker, names) = (self.parts.tls.load().server.asker().clone(), self.parts.dns.clone());
        keep("requests to OCSP responders", move || asker.clone().run(names.clone()));
        keep("the resolver", move || dns.clone().keep_fresh());
        self.parts.execs.start();
        let Parts { store, places, relays, counterpart, lifetime, .. } = &*self.parts;
        let kinds: [(_, Arc<dyn Swept>); 2] = [
            ("the sweeper of HLS files", Arc::new(HlsCleanup)),
            ("the sweeper of DASH files", Arc::new(DashCleanup)),
        ];
        for (name, kind) in kinds {
            let (swept, taken) = (store.clone(), places.clone());
            keep(name, move || sweeper::run(swept.clone(), taken.clone(), kind.clone()));
        }
        let (store_kept, taken, other) = (store.clone(), places.clone(), counterpart.clone());
        let kinds: Arc<[Arc<dyn Retained>]> =
            Arc::new([Arc::new(FlvRecordings), Arc::new(TsRecordings), Arc::new(HlsRecordings)]);
        keep("the removal of old files", move || {
            retention::run(store_kept.clone(), taken.clone(), other.clone(), kinds.clone())
        });
        let followed = relays.clone();
        keep("looking after pulls", move || relay::pull::follow_changes(followed.clone()));
        let joining = self.parts.cluster.clone();
        keep("the cluster", move || cluster::run(joining.clone()));
        let ordering_certificates = self.parts.acme.clone();
        keep("ordering of certificates", move || acme::run(ordering_certificates.clone()));
        let (store, relays, lifetime) = (store.clone(), relays.clone(), lifetime.clone());
        let sinks = self.log.sinks().clone();
        keep("dynamic_conf", move || {
            let (mut standing, relays) = (StaticPulls::default(), relays.clone());
            dynamic::task::run(
                store.clone(),
                sinks.clone(),
                move |pulls| standing.apply(&relays, pulls),
                lifetime.clone(),
            )
        });
        keep("conf_watch", watching);
        self.life.answer(&self.parts, &self.log, ordering);
        self.life.ready(&self.parts);
        loop {
            tokio::select! {
                _ = signals.term.recv() => {
                    log::signal("15 (SIGTERM)", "exiting");
                    break self.stop().await;
                }
                _ = signals.int.recv() => {
                    log::signal("2 (SIGINT)", "exiting");
                    break self.stop().await;
                }
                _ = signals.quit.recv() => {
                    log::signal("3 (SIGQUIT)", "shutting down");
                    self.life.service.stopping("Waiting for the sessions to end");
                    self.reloads.stop();
                    self.listeners.close(!self.life.shares_sockets());
                    // Their streams would keep this process, and the process that takes over starts them again.
                    self.parts.execs.stop();
                    self.parts.counterpart.retire();
                    self.parts.lifetime.draining.cancel();
                    self.drain(&mut signals).await;
                    break self.stop().await;
                }
                _ = signals.hup.recv() => {
                    if self.resume() {
                        continue;
                    }
                    log::signal("1 (SIGHUP)", "reconfiguring");
                    self.reloads.ask();
                }
                _ = signals.usr1.recv() => {
                    log::signal("10 (SIGUSR1)", "reopening logs");
                    self.reopen();
                    self.parts.counterpart.tell(CounterpartMessage::Reopen);
                }
                _ = signals.usr2.recv() => {
                    log::signal("12 (SIGUSR2)", "changing binary");
                    self.life.upgrade(&self.parts, &self.listeners);
                    if self.life.successor.is_some() {
                        self.reloads.give_up();
                    }
                }
                _ = signals.winch.recv() => {
                    log::signal("28 (SIGWINCH)", "no new connections until SIGHUP");
                    self.stop_accepting();
                }
                Some(death) = self.deaths.recv() => if let Some(error) = self.worker_died(&death) {
                    self.stop().await;
                    return Err(error);
                },
                () = self.life.successor_ended(&self.parts, &self.listeners) => self.resume_alone(),
            }
        }
        log::stopped();
        Ok(())
    }

    /// Ends all sessions and waits, within bounds, until their `done` callbacks are sent.
    async fn stop(&mut self) {
        self.life.service.stopping("Ending all sessions");
        self.reloads.stop();
        self.listeners.close(!self.life.shares_sockets());
        self.parts.lifetime.shutdown.cancel();
        self.parts.execs.stop();
        let _ = tokio::time::timeout(limits::STOP_CALLBACK_GRACE, self.parts.finished()).await;
        counterpart::pass_on_counts(&self.parts).await;
    }

    /// Waits until all sessions have ended, of which it closes none, and their `done` callbacks are sent, `worker_shutdown_timeout`
    /// has passed, or a signal requests a fast stop.
    async fn drain(&mut self, signals: &mut Signals) {
        let limit =
            self.parts.store.load().get::<core::conf::Conf>().worker_shutdown_timeout.map(|t| t.duration());
        let parts = self.parts.clone();
        // This includes `done` callbacks waiting to be repeated, which `notify_done_retry` bounds.
        let ended = parts.finished();
        tokio::select! {
            () = ended => {}
            () = self.life.keep_alive(&self.parts, &self.listeners) => {}
            () = tokio::time::sleep(limit.unwrap_or(Duration::MAX)) => {}
            _ = signals.term.recv() => log::signal("15 (SIGTERM)", "exiting"),
            _ = signals.int.recv() => log::signal("2 (SIGINT)", "exiting"),
        }
    }

    /// Replaces a worker, or returns why the server must end.
    fn worker_died(&self, death: &Death) -> Option<StartError> {
        let number = death.number;
        let last = || Some(StartError::WorkerDied(number));
        if self.parts.store.load().get::<core::conf::Conf>().worker_failure == WorkerFailure::Exit {
            log::worker_died(number, "the server ends, as worker_failure says");
            return last();
        }
        log::worker_died(number, "another takes its place");
        if death.at_once {
            let parts = self.parts.clone();
            tokio::spawn(async move {
                tokio::time::sleep(limits::REVIVE_AFTER).await;
                let _ = replace(&parts.workers, number);
            });
            return None;
        }
        replace(&self.parts.workers, number).err().and_then(|_| last())
    }

    /// SIGWINCH: stops accepting. While another process shares the sockets, they stay open here too, so that accepting
    /// can be resumed.
    fn stop_accepting(&mut self) {
        if self.life.shares_sockets() {
            self.listeners.pause();
            log::accepting(false);
        } else {
            self.listeners.close(!self.life.shares_sockets());
            self.reloads.accept_no_more();
        }
    }

    /// SIGHUP after another process has taken over, or after SIGWINCH: accepts again with the unchanged configuration, as
    /// nginx does in the first case. Returns whether that is the case.
    fn resume(&mut self) -> bool {
        if self.life.successor.is_none() && !self.listeners.is_paused() {
            return false;
        }
        self.accept_again();
        true
    }

    /// The process that took over has ended.
    fn resume_alone(&mut self) {
        self.accept_again();
    }

    fn accept_again(&mut self) {
        match self.listeners.resume() {
            Ok(()) => log::accepting(true),
            Err(error) => log::upgrade_failed(&error),
        }
    }

    fn reopen(&self) {
        self.log.reopen(|opened| match opened {
            Ok(()) => log::reopened(),
            Err(error) => log::reopen_failed(&error),
        });
    }
}

/// Replaces a dead worker by a new thread.
fn replace(workers: &Workers, number: usize) -> io::Result<()> {
    match workers.replace(number) {
        Ok(()) => log::worker_replaced(number),
        Err(error) => {
            log::worker_not_replaced(number, &error);
            return Err(error);
        }
    }
    Ok(())
}
