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
pub mod shown;
pub mod spec;
mod writer;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub use self::file::open_log;
pub use self::file_error::{FileError, RenameError, rename};
use self::level::LogLevel;
use self::spec::LogSpec;
use self::writer::Writer;
use crate::limits;

/// Number of lines that a log could not accept, for example because the disk was full or a FIFO had no reader.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Number of lines lost since the start.
pub fn lines_lost_total() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

fn count_lost() {
    LINES_LOST.fetch_add(1, Ordering::Relaxed);
}

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

/// Open logs; reopen and reload replace them as a whole.
#[derive(Debug)]
pub struct Logs {
    targets: Vec<(LogSpec, Option<File>)>,
}

impl Logs {
    /// Opens all logs; the first failure is the error.
    ///
    /// # Errors
    ///
    /// That of the first that cannot be opened.
    pub fn open(specs: &[LogSpec]) -> Result<Self, FileError> {
        let open = |spec: &LogSpec| match &spec.path {
            Some(path) => {
                let file = open_log(path).map_err(FileError::of("open", path))?;
                Ok((spec.clone(), Some(file)))
            }
            None => Ok((spec.clone(), None)),
        };
        Ok(Logs { targets: specs.iter().map(open).collect::<Result<_, _>>()? })
    }

    fn specs(&self) -> Vec<LogSpec> {
        self.targets.iter().map(|(spec, _)| spec.clone()).collect()
    }

    fn write(&self, severity: LogLevel, line: &[u8]) {
        for (_, file) in self.targets.iter().filter(|(spec, _)| severity <= spec.level) {
            // A failing log must not stop the server; `pingosd status` shows lost lines.
            let written = match file {
                Some(file) => (&*file).write_all(line),
                None => io::stderr().write_all(line),
            };
            if written.is_err() {
                count_lost();
            }
        }
    }
}

/// Handle to the error log, for reopen and reload.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    logs: Arc<ArcSwap<Logs>>,
    writer: Writer,
}

impl ErrorLog {
    /// Makes `logs` the log of the process. Called once.
    pub fn install(logs: Logs) -> Self {
        let log = ErrorLog { logs: Arc::new(ArcSwap::from_pointee(logs)), writer: Writer::default() };
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
        (ours || *metadata.level() <= Level::WARN)
            && self.0.logs.load().targets.iter().any(|(spec, _)| severity_of(metadata) <= spec.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let severity = severity_of(event.metadata());
        let mut visitor = LineVisitor::default();
        event.record(&mut visitor);
        let line = format_line(severity, &visitor);
        self.0.writer.write(&self.0.logs.load_full(), severity, line);
    }
}

/// A formatted line, for a log outside the error log.
pub fn line(severity: LogLevel, message: &str) -> String {
    format_line(severity, &LineVisitor { message: message.to_owned(), ..LineVisitor::default() })
}

fn format_line(severity: LogLevel, visitor: &LineVisitor) -> String {
    thread_local! {
        static CLOCK: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let mut line = String::with_capacity(128);
    // Panics are logged too, possibly from within this function or while the thread ends.
    let clock = CLOCK.try_with(|clock| {
        let (second, text) = &mut *clock.try_borrow_mut().ok()?;
        let now = jiff::Timestamp::now();
        if *second != now.as_second() {
            *second = now.as_second();
            *text =
                now.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y/%m/%d %H:%M:%S").to_string();
        }
        line.push_str(text);
        Some(())
    });
    if !matches!(clock, Ok(Some(()))) {
        line.push_str("----/--/-- --:--:--");
    }
    let (pid, tid) = (std::process::id(), nix::unistd::gettid());
    let _ = write!(line, " [{}] {pid}#{tid}: ", severity.name());
    if let Some(conn) = visitor.conn {
        let _ = write!(line, "*{conn} ");
    }
    escape_into(&mut line, &visitor.message);
    escape_into(&mut line, &visitor.fields);
    line.push('\n');
    line
}

/// Escapes a text to one line of ASCII of at most [`limits::LOG_LINE`] bytes: control bytes and bytes from 0x80 on
/// become `\xHH`, and longer text ends in `...`.
fn escape_into(line: &mut String, text: &str) {
    for byte in text.bytes() {
        if line.len() + ESCAPED > limits::LOG_LINE - CUT.len() - 1 {
            if !line.ends_with(CUT) {
                line.push_str(CUT);
            }
            return;
        }
        if byte.is_ascii_control() || !byte.is_ascii() {
            let _ = write!(line, "\\x{byte:02X}");
        } else {
            line.push(char::from(byte));
        }
    }
}

/// Length of `\xHH`.
const ESCAPED: usize = 4;
/// End of a truncated line.
const CUT: &str = "...";

#[derive(Default)]
struct LineVisitor {
    conn: Option<u64>,
    message: String,
    fields: String,
}

impl Visit for LineVisitor {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "conn" {
            self.conn = Some(value);
        } else {
            let _ = write!(self.fields, ", {}: {value}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            let _ = write!(self.fields, ", {}: \"{value}\"", field.name());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.fields, ", {}: {value:?}", field.name());
        }
    }
}

/// A system error in nginx's form: `98: Address already in use`.
pub fn os_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let text = nix::errno::Errno::from_raw(number).desc();
            format!("{number}: {text}")
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_forge_a_line() {
        let visitor = LineVisitor {
            conn: Some(7),
            message: "bad name \"x\ny\u{1b}[0m\"".into(),
            fields: ", app: \"a\rb\"".into(),
        };
        let line = format_line(LogLevel::Info, &visitor);
        assert!(line.ends_with(": *7 bad name \"x\\x0Ay\\x1B[0m\", app: \"a\\x0Db\"\n"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(&line[4..5], "/");
    }

    #[test]
    fn a_line_is_ascii_and_bounded_whatever_a_peer_sends() {
        for name in ["x".repeat(60_000), "\u{e9}".repeat(60_000), "\n".repeat(60_000)] {
            let visitor =
                LineVisitor { message: format!("publish: name='{name}'"), ..LineVisitor::default() };
            let line = format_line(LogLevel::Info, &visitor);
            assert!(line.is_ascii() && line.ends_with("...\n"), "{line}");
            assert!((limits::LOG_LINE - 10..=limits::LOG_LINE).contains(&line.len()), "{}", line.len());
        }
        assert!(super::line(LogLevel::Info, "caf\u{e9}").ends_with("caf\\xC3\\xA9\n"));
    }
}
