//! Lookups in a configuration by the properties of a connection.

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
    /// Servers for connections to an address: those that listen on it, through their own socket or that of a wildcard,
    /// otherwise those of the wildcard.
    pub fn servers_at(&self, addr: &ListenAddr) -> Option<&NameTable<RtmpServer>> {
        servers_at(&self.listeners, addr)
    }

    /// Addresses in `listen` lines, including those for which a wildcard's socket accepts.
    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddr> {
        self.listeners
            .iter()
            .flat_map(|l| std::iter::once(&l.addr).chain(l.specific.iter().map(|(addr, _)| addr)))
    }

    /// As [`Rtmp::servers_at`], but only if a `listen` line names this exact address.
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
    /// The warnings of `-t` as text.
    pub fn render_warnings(&self, style: Style) -> Vec<u8> {
        render_all(&self.warnings, &self.sources, style, Severity::Warn)
    }

    /// Number of worker threads.
    pub fn workers(&self) -> usize {
        match self.get::<core::conf::Conf>().worker_processes {
            WorkerProcesses::Auto => std::thread::available_parallelism().map_or(1, |n| n.get()),
            WorkerProcesses::Count(n) => usize::try_from(n).unwrap_or(usize::MAX).clamp(1, MAX_WORKERS),
        }
    }

    /// Destinations of log lines: the `error_log` lines of the main context, otherwise the default log. Syslog and
    /// memory targets have no effect (`-t` warns of that).
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

    /// Path of the pid file; `None` for the embedded configuration, which has no prefix.
    pub fn pid_path(&self) -> Option<PathBuf> {
        (!self.paths.conf_file.as_os_str().is_empty()).then(|| self.get::<core::conf::Conf>().pid.0.clone())
    }

    /// Maximum number of connections of all workers together: `worker_connections` each, as in nginx.
    pub fn connection_limit(&self) -> u64 {
        self.events.get::<events::conf::Conf>().worker_connections.0.saturating_mul(self.workers() as u64)
    }
}

impl Config {
    /// Takes the values of the reload class `restart` from the configuration in force: they stay until the next start.
    pub fn keep_restart_values(&mut self, in_force: &Config) {
        self.values = self.values.keeping_restart_values(&in_force.values);
        self.events = self.events.keeping_restart_values(&in_force.events);
    }
}

/// Maximum number of worker threads; more only cost memory, and PingOS's slot table ends at 128 too.
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
