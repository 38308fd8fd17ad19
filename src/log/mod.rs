//! Error log: nginx's line format as a `tracing` subscriber.
//!
//! `YYYY/MM/DD hh:mm:ss [level] pid#tid: *conn message, field: value`. nginx's eight levels are mapped to tracing's
//! five: an event whose target is `emerg`, `alert`, `crit` or `notice` has that level, any other has its tracing level.
//! Control bytes and bytes from 0x80 on are escaped here, so that peers cannot forge lines, and long lines are
//! truncated. A separate thread writes the lines (`writer`).

pub mod arguments;
mod file;
mod file_error;
pub mod level;
mod line;
mod logs;
pub mod os_text;
pub mod shown;
pub mod spec;
mod writer;

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub use self::file::open_log;
pub use self::file_error::{FileError, RenameError, rename};
use self::level::LogLevel;
pub use self::line::line;
use self::line::{LineVisitor, format_line};
pub use self::logs::{Logs, lines_lost_total};
pub use self::os_text::os_text;
use self::writer::LogWriter;
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

/// Handle to the error log, for reopen and reload.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    logs: Arc<ArcSwap<Logs>>,
    writer: LogWriter,
}

impl ErrorLog {
    /// Makes `logs` the log of the process. Called once.
    pub fn install(logs: Logs) -> Self {
        let log = ErrorLog { logs: Arc::new(ArcSwap::from_pointee(logs)), writer: LogWriter::default() };
        let subscriber = tracing_subscriber::registry().with(NginxLayer(log.clone()));
        // A second call, in tests, keeps the first subscriber.
        let _ = tracing::subscriber::set_global_default(subscriber);
        log
    }

    /// Replaces the logs (reload).
    pub fn replace(&self, logs: Logs) {
        self.logs.store(Arc::new(logs));
        // Call sites cache whether they are enabled; a new level may enable others.
        tracing::callsite::rebuild_interest_cache();
    }

    /// Starts a separate thread that writes the lines. The process must not fork afterwards.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(&self) -> io::Result<()> {
        self.writer.start()
    }

    /// Waits, at most [`limits::LOG_FLUSH`], until all lines are written.
    pub fn flush(&self) {
        self.writer.flush(limits::LOG_FLUSH);
    }

    /// Opens the same files again (log rotation) and then calls `done`. After a failure the old files stay. Lines
    /// queued before are still written to the old files.
    pub fn reopen(&self, done: impl FnOnce(Result<(), FileError>) + Send + 'static) {
        let log = self.clone();
        self.writer.run(move || {
            let before = log.logs.load_full();
            done(Logs::open(&before.specs()).map(|logs| {
                // A reload in the meantime has already opened its own logs.
                log.logs.compare_and_swap(&before, Arc::new(logs));
            }));
        });
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
        (ours || *metadata.level() <= Level::WARN) && self.0.logs.load().takes(severity_of(metadata))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = severity_of(event.metadata());
        let mut visitor = LineVisitor::default();
        event.record(&mut visitor);
        let line = format_line(severity, &visitor);
        self.0.writer.write(&self.0.logs.load_full(), severity, line);
    }
}
