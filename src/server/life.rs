//! Relations to other processes: pid file, service manager, and the process that this one replaces or that takes over.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::control;
use super::control::order::QueuedRequest;
use super::control::socket::ControlSocket;
use super::counterpart::CounterpartService;
use super::error::UpgradeError;
use super::helper::HelperClient;
use super::parts::Parts;
use super::pid_file::PidFile;
use super::service::Service;
use super::upgrade::{Launch, Successor};
use super::watchdog::Watchdog;
use crate::log::ErrorLog;
use crate::media::listing::CarriedCounts;
use crate::net::listener::Listeners;
use crate::server::log;
use crate::task::supervise::keep;

/// State of the relations to other processes.
pub(super) struct Life {
    pub(super) pid_file: Option<PidFile>,
    pub(super) control: Option<ControlSocket>,
    pub(super) launch: Launch,
    pub(super) service: Service,
    pub(super) watchdog: Watchdog,
    /// The privileged helper, if there is one.
    pub(super) helper: Option<Arc<HelperClient>>,
    pub(super) successor: Option<Successor>,
}

/// How a process ends that was told to.
const SUCCESS: &str = "exit status: 0";

/// Reason why [`Life::changed`] returned.
enum WaitEnd {
    Alive,
    SuccessorEnded(String),
}

impl Life {
    /// Starts answering on the control socket.
    pub(super) fn answer(&self, parts: &Arc<Parts>, log: &ErrorLog, orders: mpsc::Sender<QueuedRequest>) {
        let Some(socket) = &self.control else { return };
        match socket.listener() {
            Ok(listener) => {
                let service = CounterpartService { parts: parts.clone(), log: log.clone() };
                keep("the control socket", move || {
                    let (service, listener, orders) = (service.clone(), listener.try_clone(), orders.clone());
                    async move {
                        match listener {
                            Ok(listener) => control::run(service, listener, orders).await,
                            Err(error) => log::not_listening(&error),
                        }
                    }
                });
            }
            Err(error) => log::not_listening(&error),
        }
    }

    /// Notifies the service manager that the server is ready.
    pub(super) fn ready(&self, parts: &Parts) {
        self.service.ready(&status(parts), self.launch.has_predecessor());
    }

    /// Whether another process uses the same listening sockets, so that their files must be kept.
    pub(super) fn shares_sockets(&self) -> bool {
        self.successor.is_some() || self.launch.has_predecessor()
    }

    /// Starts a process that takes over the sockets.
    pub(super) fn upgrade(&mut self, parts: &Parts, listeners: &Listeners) {
        if self.successor.is_some() {
            return log::upgrade_ignored("the new binary runs already");
        }
        if self.launch.has_predecessor() {
            return log::upgrade_ignored("the old binary still runs");
        }
        match self.start_successor(listeners, &parts.sessions.pass_on()) {
            Ok(()) => parts.counterpart.expect(self.successor.as_ref().and_then(Successor::pid)),
            Err(error) => log::upgrade_failed(&error),
        }
    }

    fn start_successor(
        &mut self,
        listeners: &Listeners,
        carried: &CarriedCounts,
    ) -> Result<(), UpgradeError> {
        let sockets = listeners.sockets().map_err(UpgradeError::Sockets)?;
        if let Some(pid_file) = &mut self.pid_file {
            pid_file.step_aside()?;
        }
        if let Some(Err(error)) = self.control.as_mut().map(ControlSocket::step_aside) {
            log::not_listening(&error);
        }
        let started = match &self.helper {
            Some(helper) => helper.upgrade(&sockets, carried),
            None => self.launch.start(sockets, carried),
        };
        match started {
            Ok(successor) => {
                log::upgrade_started(self.launch.program(), successor.pid());
                self.successor = Some(successor);
                self.service.step_aside();
                Ok(())
            }
            Err(source) => {
                self.take_pid_file_back();
                Err(UpgradeError::Program { program: self.launch.program().to_owned(), source })
            }
        }
    }

    fn take_pid_file_back(&mut self) {
        if let Some(Err(error)) = self.pid_file.as_mut().map(PidFile::step_back) {
            log::pid_file_lost(&error);
        }
        if let Some(Err(error)) = self.control.as_mut().map(ControlSocket::step_back) {
            log::not_listening(&error);
        }
    }

    /// Waits until the process that took over ends, and replaces it again. Meanwhile the service manager's watchdog is
    /// served.
    pub(super) async fn successor_ended(&mut self, parts: &Parts, listeners: &Listeners) {
        loop {
            match self.changed(parts, listeners).await {
                WaitEnd::Alive => {}
                WaitEnd::SuccessorEnded(how) => {
                    log::successor_ended(&how);
                    if how != SUCCESS {
                        let launch = self.launch.clone();
                        tokio::spawn(async move { log::successor_complaints(&launch.complaints().await) });
                    }
                    self.successor = None;
                    parts.counterpart.expect(None);
                    self.take_pid_file_back();
                    self.service.step_back(&status(parts));
                    return;
                }
            }
        }
    }

    /// Serves the service manager's watchdog forever.
    pub(super) async fn keep_alive(&mut self, parts: &Parts, listeners: &Listeners) {
        loop {
            self.watchdog.alive(parts, listeners).await;
        }
    }

    async fn changed(&mut self, parts: &Parts, listeners: &Listeners) -> WaitEnd {
        let ended = async {
            match &mut self.successor {
                Some(successor) => match successor.ended().await {
                    Ok(how) => how,
                    Err(error) => error.to_string(),
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            how = ended => WaitEnd::SuccessorEnded(how),
            () = self.watchdog.alive(parts, listeners) => WaitEnd::Alive,
        }
    }
}

/// One line about the server for the service manager.
pub(super) fn status(parts: &Parts) -> String {
    let generation = parts.store.generation();
    format!("Serving, configuration generation {generation}")
}
