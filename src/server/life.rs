//! The server among processes: its pid file, the service manager, and another process that takes over or that it
//! replaces.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Server;
use super::control::socket::ControlSocket;
use super::control::{self, Order};
use super::parts::Parts;
use super::pid_file::PidFile;
use super::service::Service;
use super::upgrade::{Launch, Successor};
use super::watchdog::Watchdog;
use crate::media::listing::Counted;
use crate::net::listener::Listeners;
use crate::server::log;
use crate::task::supervise::keep;

/// What a server has to do with other processes.
pub(super) struct Life {
    pub(super) pid_file: Option<PidFile>,
    pub(super) control: Option<ControlSocket>,
    pub(super) launch: Launch,
    pub(super) service: Service,
    pub(super) watchdog: Watchdog,
    pub(super) successor: Option<Successor>,
}

/// Why the wait of [`Life::changed`] has ended.
enum Change {
    Alive,
    SuccessorEnded(String),
}

impl Life {
    /// Answers on the control socket from now on.
    pub(super) fn answer(&self, parts: &Arc<Parts>, orders: mpsc::Sender<Order>) {
        let Some(socket) = &self.control else { return };
        match socket.listener() {
            Ok(listener) => {
                let parts = parts.clone();
                keep("the control socket", move || {
                    let (parts, listener, orders) = (parts.clone(), listener.try_clone(), orders.clone());
                    async move {
                        match listener {
                            Ok(listener) => control::run(parts, listener, orders).await,
                            Err(error) => log::not_listening(&error.to_string()),
                        }
                    }
                });
            }
            Err(error) => log::not_listening(&error.to_string()),
        }
    }

    /// Tells the service manager that we serve.
    pub(super) fn ready(&self, parts: &Parts) {
        self.service.ready(&status(parts), self.launch.has_predecessor());
    }

    /// Whether another process accepts on our sockets: their files are its too.
    pub(super) fn shares_sockets(&self) -> bool {
        self.successor.is_some() || self.launch.has_predecessor()
    }

    /// Starts a process that takes over our sockets.
    pub(super) fn upgrade(&mut self, listeners: &Listeners, carried: &Counted) {
        if self.successor.is_some() {
            return log::upgrade_ignored("the new binary runs already");
        }
        if self.launch.has_predecessor() {
            return log::upgrade_ignored("the old binary still runs");
        }
        if let Err(error) = self.start_successor(listeners, carried) {
            log::upgrade_failed(&error);
        }
    }

    fn start_successor(&mut self, listeners: &Listeners, carried: &Counted) -> Result<(), String> {
        let sockets = listeners.sockets().map_err(|error| error.to_string())?;
        if let Some(pid_file) = &mut self.pid_file {
            pid_file.step_aside()?;
        }
        if let Some(Err(error)) = self.control.as_mut().map(ControlSocket::step_aside) {
            log::not_listening(&error);
        }
        match self.launch.start(sockets, carried) {
            Ok(successor) => {
                log::upgrade_started(self.launch.program(), successor.pid());
                self.successor = Some(successor);
                self.service.step_aside();
                Ok(())
            }
            Err(error) => {
                self.take_pid_file_back();
                Err(format!(
                    "execve() \"{}\" failed ({})",
                    self.launch.program().display(),
                    crate::log::os_text(&error)
                ))
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

    /// Waits until the process that has taken over ends, and goes on in its place. The service manager is told in
    /// the meantime that we are alive.
    pub(super) async fn successor_ended(&mut self, parts: &Parts, listeners: &Listeners) {
        loop {
            match self.changed(parts, listeners).await {
                Change::Alive => {}
                Change::SuccessorEnded(how) => {
                    log::successor_ended(&how);
                    self.successor = None;
                    self.take_pid_file_back();
                    self.service.step_back(&status(parts));
                    return;
                }
            }
        }
    }

    /// Tells the service manager that we are alive, for ever.
    pub(super) async fn keep_alive(&mut self, parts: &Parts, listeners: &Listeners) {
        loop {
            self.watchdog.alive(parts, listeners).await;
        }
    }

    async fn changed(&mut self, parts: &Parts, listeners: &Listeners) -> Change {
        let ended = async {
            match &mut self.successor {
                Some(successor) => match successor.ended().await {
                    Ok(status) => status.to_string(),
                    Err(error) => error.to_string(),
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            how = ended => Change::SuccessorEnded(how),
            () = self.watchdog.alive(parts, listeners) => Change::Alive,
        }
    }
}

impl Server {
    /// SIGWINCH. While another process has our sockets, they stay open here as well, so that we can go on.
    pub(super) fn stop_accepting(&mut self) {
        if self.life.successor.is_some() {
            self.listeners.pause();
            log::accepting(false);
        } else {
            self.listeners.close(!self.life.shares_sockets());
            self.reloads.accept_no_more();
        }
    }

    /// SIGHUP while another process has taken over: we accept again, with the configuration as it was, as in nginx.
    /// Says whether that is so.
    pub(super) fn resume(&mut self) -> bool {
        if self.life.successor.is_none() {
            return false;
        }
        self.accept_again();
        true
    }

    /// The process that had taken over is gone.
    pub(super) fn resume_alone(&mut self) {
        self.accept_again();
    }

    fn accept_again(&mut self) {
        match self.listeners.resume() {
            Ok(()) => log::accepting(true),
            Err(error) => log::upgrade_failed(&error.to_string()),
        }
    }
}

/// One line about the server for the service manager.
pub(super) fn status(parts: &Parts) -> String {
    let generation = parts.store.generation();
    format!("Serving, configuration generation {generation}")
}
