//! Finding things in a configuration by what a connection knows.

use std::path::PathBuf;

use super::load::render_all;
use super::model::{Config, Http, HttpServer, Listener, Rtmp, RtmpServer};
use super::names::NameTable;
use super::socket::covers;
use crate::directive::ListenAddr;
use crate::log::level::{LogLevel, LogTarget};
use crate::log::spec::LogSpec;
use crate::server::core::process::WorkerProcesses;
use crate::server::{core, events};
use crate::syntax::Severity;
use crate::syntax::render::Style;

impl Rtmp {
    /// The servers that a connection to an address meets: those that listen on it, by a socket of its own or by that of
    /// a wildcard, else those of the wildcard.
    pub fn servers_at(&self, addr: &ListenAddr) -> Option<&NameTable<RtmpServer>> {
        servers_at(&self.listeners, addr)
    }

    /// The addresses that `listen` lines name, also those that a wildcard's socket accepts for.
    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddr> {
        self.listeners
            .iter()
            .flat_map(|l| std::iter::once(&l.addr).chain(l.specific.iter().map(|(addr, _)| addr)))
    }

    /// As [`Rtmp::servers_at`], but only where a `listen` line names the very address.
    pub fn servers_on(&self, addr: &ListenAddr) -> Option<&NameTable<RtmpServer>> {
        servers_on(&self.listeners, addr)
    }
}

impl Http {
    /// As [`Rtmp::servers_at`].
    pub fn servers_at(&self, addr: &ListenAddr) -> Option<&NameTable<HttpServer>> {
        servers_at(&self.listeners, addr)
    }
}

fn servers_at<'a, S>(listeners: &'a [Listener<S>], addr: &ListenAddr) -> Option<&'a NameTable<S>> {
    let covering = || listeners.iter().find(|wildcard| covers(&wildcard.addr, addr));
    servers_on(listeners, addr).or_else(|| covering().map(|wildcard| &wildcard.servers))
}

fn servers_on<'a, S>(listeners: &'a [Listener<S>], addr: &ListenAddr) -> Option<&'a NameTable<S>> {
    listeners.iter().find_map(|listener| {
        if listener.addr == *addr {
            return Some(&listener.servers);
        }
        listener.specific.iter().find(|(specific, _)| specific == addr).map(|(_, servers)| servers)
    })
}

impl Config {
    /// What `-t` warns of, as text.
    pub fn render_warnings(&self, style: Style) -> Vec<u8> {
        render_all(&self.warnings, &self.sources, style, Severity::Warn)
    }

    /// Threads that move media.
    pub fn workers(&self) -> usize {
        match self.get::<core::conf::Conf>().worker_processes {
            WorkerProcesses::Auto => std::thread::available_parallelism().map_or(1, |n| n.get()),
            WorkerProcesses::Count(n) => usize::try_from(n).unwrap_or(usize::MAX).clamp(1, MAX_WORKERS),
        }
    }

    /// Where log lines go: the `error_log` lines outside every block, else the default log. Syslog and memory
    /// targets have no effect (`-t` says so).
    pub fn log_specs(&self) -> Vec<LogSpec> {
        let configured = self.get::<core::conf::Current>().error_log.iter().filter_map(|line| {
            let path = match &line.target {
                LogTarget::File(path) => Some(path.clone()),
                LogTarget::Stderr => None,
                LogTarget::Memory(_) | LogTarget::Syslog(_) => return None,
            };
            Some(LogSpec { path, level: line.level })
        });
        let configured: Vec<LogSpec> = configured.collect();
        if configured.is_empty() {
            vec![LogSpec { path: Some(self.paths.error_log.clone()), level: LogLevel::Error }]
        } else {
            configured
        }
    }

    /// The pid file; none for the embedded configuration, which has no prefix to put it in.
    pub fn pid_path(&self) -> Option<PathBuf> {
        (!self.paths.conf_file.as_os_str().is_empty()).then(|| self.get::<core::conf::Conf>().pid.0.clone())
    }

    /// Connections of all workers together, as nginx counts them: `worker_connections` each.
    pub fn connection_limit(&self) -> u64 {
        self.events.get::<events::conf::Conf>().worker_connections.0.saturating_mul(self.workers() as u64)
    }
}

impl Config {
    /// Takes the values of class *restart* from the configuration in force: they count until the next start.
    pub fn keep_restart_values(&mut self, in_force: &Config) {
        self.values = self.values.keeping_restart_values(&in_force.values);
        self.events = self.events.keeping_restart_values(&in_force.events);
    }
}

/// More threads than this only cost memory; the original's slot table ends at 128 too.
const MAX_WORKERS: usize = 128;

#[cfg(test)]
mod tests {
    use crate::directive::ReloadClass;
    use crate::modules::MODULES;

    #[test]
    fn every_module_with_restart_values_is_kept() {
        let has =
            |class| MODULES.iter().filter(move |m| m.rows.iter().any(|row| row.class == class && !row.inert));
        let names: Vec<&str> = has(ReloadClass::Restart).map(|module| module.name).collect();
        assert_eq!(names, ["core", "events"], "see Config::keep_restart_values");
    }
}
