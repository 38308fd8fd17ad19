//! Values of the configuration as the process uses them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use bstr::BString;

use super::core::process::{EnvVar, WorkerProcesses};
use super::{core, events};
use crate::config::Config;
use crate::limits;
use crate::log::LineForm;
use crate::log::level::LogLevel;
use crate::log::sink::SinkSpec;
use crate::log::sink::spec::NotedSinks;
use crate::log::spec::LogSpec;

impl Config {
    /// Number of worker threads.
    pub fn workers(&self) -> usize {
        match self.get::<core::conf::Conf>().worker_processes {
            WorkerProcesses::Auto => std::thread::available_parallelism().map_or(1, |n| n.get()),
            WorkerProcesses::Count(n) => usize::try_from(n).unwrap_or(usize::MAX).clamp(1, limits::WORKERS),
        }
    }

    /// Environment variables of commands, as `env` has them: name and value.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let lines = self.get::<core::conf::Current>().env.iter().filter(|line| !line.name.is_empty());
        let os = |text: &BString| OsStr::from_bytes(text).to_owned();
        let values = lines.filter_map(|EnvVar { name, value }| {
            let name = os(name);
            let value = value.as_ref().map(os).or_else(|| std::env::var_os(&name))?;
            Some((name, value))
        });
        values.collect()
    }

    /// Destinations of the error log: the `error_log` lines of the main context, otherwise the default log.
    pub fn log_specs(&self) -> Vec<LogSpec> {
        let configured = &self.get::<core::conf::Current>().error_log;
        if configured.is_empty() {
            let sink = SinkSpec::file(self.paths.error_log.clone());
            return vec![LogSpec { sink, level: LogLevel::Error, form: LineForm::Text }];
        }
        configured.iter().map(LogSpec::from).collect()
    }

    /// Destinations of all logs, each once.
    pub fn sink_specs(&self) -> Vec<SinkSpec> {
        let mut noted = NotedSinks::default();
        self.log_specs().iter().for_each(|spec| noted.note(&spec.sink));
        self.log_sinks.iter().for_each(|spec| noted.note(spec));
        noted.into_specs()
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

#[cfg(test)]
mod tests {
    use crate::directive::ReloadClass;
    use crate::directive::context::{EVENTS, MAIN};
    use crate::modules::MODULES;

    #[test]
    fn values_that_stay_until_a_restart_are_those_that_a_reload_keeps() {
        let rows = MODULES.iter().flat_map(|module| module.rows);
        let mut kept = rows.filter(|row| row.class == ReloadClass::Restart && !row.inert).peekable();
        assert!(kept.peek().is_some());
        for row in kept {
            assert_eq!(
                row.contexts & !(MAIN | EVENTS),
                0,
                "{:?}: see Config::keep_restart_values",
                row.names
            );
        }
    }
}
