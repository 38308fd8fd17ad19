//! The logs that error lines go to: those of the main context, or those of a connection's server or location.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::form::LineForm;
use super::level::LogLevel;
use super::line::{LineVisitor, format_line};
use super::sink::{LogSink, Sinks};
use super::spec::LogSpec;

/// Destinations of error lines.
#[derive(Debug, Default)]
pub(super) struct Logs(Vec<(LogLevel, LineForm, LogSink)>);

impl Logs {
    pub(super) fn new(sinks: &Sinks, specs: &[LogSpec]) -> Logs {
        Logs(specs.iter().map(|spec| (spec.level, spec.form, sinks.get(&spec.sink))).collect())
    }

    /// Least severe level that any of them takes.
    pub(super) fn level(&self) -> Option<LogLevel> {
        self.0.iter().map(|(level, ..)| *level).max()
    }

    /// Queues a line for each of them that takes its level.
    pub(super) fn write(&self, level: LogLevel, visitor: &LineVisitor) {
        // Each form is made once.
        let mut made: [Option<String>; 2] = [None, None];
        for (_, form, sink) in self.0.iter().filter(|(least, ..)| level <= *least) {
            let line = made[*form as usize].get_or_insert_with(|| format_line(*form, level, visitor));
            sink.error_line(*form, level, line.clone());
        }
    }
}

/// Connections whose server or location has an `error_log` of its own, which replaces those of the main context.
#[derive(Debug, Default)]
pub(super) struct ConnectionLogs {
    logs: RwLock<HashMap<u64, Arc<Logs>>>,
    /// Their number, so that most lines need no lock.
    count: AtomicUsize,
}

impl ConnectionLogs {
    /// The logs of a connection, if it has its own.
    pub(super) fn of(&self, conn: Option<u64>) -> Option<Arc<Logs>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.logs.read().get(&conn?).cloned()
    }

    /// Gives a connection logs of its own, or takes them away.
    pub(super) fn set(&self, conn: u64, own: Option<Logs>) {
        let mut logs = self.logs.write();
        match own {
            Some(own) => drop(logs.insert(conn, Arc::new(own))),
            None => drop(logs.remove(&conn)),
        }
        self.count.store(logs.len(), Ordering::Release);
    }
}
