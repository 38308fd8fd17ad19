//! Error log: nginx's line format as a `tracing` subscriber.
//!
//! `YYYY/MM/DD hh:mm:ss [level] pid#tid: *conn message, field: value`. nginx's eight levels are mapped to tracing's
//! five: an event whose target is `emerg`, `alert`, `crit` or `notice` has that level, any other has its tracing level.
//! Control bytes and bytes from 0x80 on are escaped here, so that peers cannot forge lines, and long lines are
//! truncated. Errors that repeat are summarised, and secrets in query strings are left out. Separate threads write the lines
//! ([`sink`]).

pub mod arguments;
mod counted;
mod file;
mod file_error;
mod form;
pub mod format_name;
pub mod level;
mod line;
mod logs;
pub mod os_text;
mod redact;
mod repeats;
pub mod shown;
pub mod sink;
pub mod spec;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub use self::counted::counted;
pub use self::file::open_log;
pub use self::file_error::{FileError, RenameError, rename};
pub use self::form::LineForm;
use self::level::{ErrorLogLine, LogLevel};
use self::line::LineVisitor;
pub use self::line::line;
use self::logs::{ConnectionLogs, Logs};
pub use self::os_text::os_text;
use self::repeats::{Repeats, Summary};
use self::sink::Sinks;
pub use self::sink::lines_lost_total;
use self::spec::LogSpec;
use crate::limits;

/// The level of an event.
fn severity_of(metadata: &tracing::Metadata<'_>) -> LogLevel {
    match metadata.target() {
        "emerg" => LogLevel::Emerg,
        "alert" => LogLevel::Alert,
        "crit" => LogLevel::Crit,
        "notice" => LogLevel::Notice,
        _ => match *metadata.level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG | Level::TRACE => LogLevel::Debug,
        },
    }
}

/// Handle to the error log, for reopen and reload, and to the destinations of all logs.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    inner: Arc<ErrorLogInner>,
    sinks: Sinks,
}

#[derive(Debug)]
struct ErrorLogInner {
    main: ArcSwap<Logs>,
    connections: ConnectionLogs,
    /// Least severe level that any log takes.
    level: ArcSwap<Option<LogLevel>>,
    repeats: Repeats,
}

impl ErrorLog {
    /// Makes logs the log of the process. Called once. `own` is the least severe level of logs that servers and
    /// locations have of their own.
    pub fn install(sinks: Sinks, specs: &[LogSpec], own: Option<LogLevel>) -> Self {
        let inner = ErrorLogInner {
            main: ArcSwap::default(),
            connections: ConnectionLogs::default(),
            level: ArcSwap::default(),
            repeats: Repeats::default(),
        };
        let log = ErrorLog { inner: Arc::new(inner), sinks };
        log.replace(specs, own);
        let subscriber = tracing_subscriber::registry().with(NginxLayer(log.clone()));
        // A second call, in tests, keeps the first subscriber.
        let _ = tracing::subscriber::set_global_default(subscriber);
        log
    }

    /// Replaces the logs (reload), after their destinations were put in force.
    pub fn replace(&self, specs: &[LogSpec], own: Option<LogLevel>) {
        let logs = Logs::new(&self.sinks, specs);
        self.inner.level.store(Arc::new(logs.level().max(own)));
        self.inner.main.store(Arc::new(logs));
        // Call sites cache whether they are enabled; a new level may enable others.
        tracing::callsite::rebuild_interest_cache();
    }

    /// The destinations of all logs.
    pub fn sinks(&self) -> &Sinks {
        &self.sinks
    }

    /// Logs of a connection, which has those of the main context at first.
    pub fn connection(&self, conn: u64) -> ConnectionLog {
        ConnectionLog { log: self.clone(), conn, specs: Vec::new() }
    }

    /// Starts the threads that write the lines. The process must not fork afterwards.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub fn start(&self) -> io::Result<()> {
        self.sinks.start()?;
        let log = self.clone();
        let thread = std::thread::Builder::new().name("log repeats".into()).stack_size(limits::LOG_STACK);
        thread.spawn(move || {
            loop {
                log.summarise(log.inner.repeats.wait());
            }
        })?;
        self.inner.repeats.begin();
        Ok(())
    }

    /// Waits, at most [`limits::LOG_FLUSH`], until all lines of all logs are written.
    pub fn flush(&self) {
        self.summarise(self.inner.repeats.rest());
        self.sinks.flush(limits::LOG_FLUSH);
    }

    /// Opens the files of all logs again (log rotation) and then calls `done`. After a failure the old file stays. Lines
    /// queued before are still written to the old files.
    pub fn reopen(&self, done: impl FnOnce(Result<(), FileError>) + Send + 'static) {
        self.sinks.reopen(done);
    }

    fn summarise(&self, summaries: Vec<Summary>) {
        for Summary { level, text } in summaries {
            self.inner.main.load().write(level, &LineVisitor::of_text(text));
        }
    }

    fn takes(&self, level: LogLevel) -> bool {
        self.inner.level.load().is_some_and(|least| level <= least)
    }
}

/// The logs to which a connection's lines go, until it is dropped.
#[derive(Debug)]
pub struct ConnectionLog {
    log: ErrorLog,
    conn: u64,
    specs: Vec<LogSpec>,
}

impl ConnectionLog {
    /// Selects the `error_log` lines of a server or location; without any, the lines go to the logs of the main context.
    pub fn select(&mut self, lines: &[ErrorLogLine]) {
        if self.specs.len() == lines.len() && self.specs.iter().zip(lines).all(|(spec, line)| spec.is(line)) {
            return;
        }
        self.specs = lines.iter().map(LogSpec::from).collect();
        let own = (!lines.is_empty()).then(|| Logs::new(&self.log.sinks, &self.specs));
        self.log.inner.connections.set(self.conn, own);
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        self.select(&[]);
    }
}

/// Waits for the last lines at the end of the process.
#[derive(Debug)]
pub struct FlushAtEnd(pub ErrorLog);

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        self.0.flush();
    }
}

struct NginxLayer(ErrorLog);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for NginxLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries log with their module paths; only their warnings matter to operators.
        let target = metadata.target();
        let ours = target.starts_with("pingosd") || !target.contains("::");
        (ours || *metadata.level() <= Level::WARN) && self.0.takes(severity_of(metadata))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = severity_of(event.metadata());
        let mut visitor = LineVisitor::default();
        event.record(&mut visitor);
        if !arguments::are_shown() {
            visitor.redact();
        }
        let ErrorLogInner { connections, main, repeats, .. } = &*self.0.inner;
        if may_repeat(event.metadata(), severity)
            && !repeats.admits(event.metadata().callsite(), severity, &visitor.text(), Instant::now())
        {
            return;
        }
        match connections.of(visitor.conn()) {
            Some(own) => own.write(severity, &visitor),
            None => main.load().write(severity, &visitor),
        }
    }
}

/// Whether repeated lines of this kind are summarised: errors, except those about requests over HTTP, which scripts count by
/// client, and those about reloads and other acts of operators.
fn may_repeat(metadata: &tracing::Metadata<'_>, severity: LogLevel) -> bool {
    let place = metadata.module_path().unwrap_or_default();
    severity == LogLevel::Error
        && !place.starts_with("pingosd::http")
        && !place.starts_with("pingosd::server")
}
