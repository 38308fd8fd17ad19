//! Destinations of log lines: access logs and the error log. Each has a queue and a thread of its own.

mod log;
mod lost;
mod memory;
mod paths;
mod queue;
pub mod spec;
pub mod syslog;
mod writer;

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

pub use self::lost::lines_lost_total;
pub use self::paths::LineFile;
use self::queue::Queue;
pub use self::spec::SinkSpec;
use self::writer::{QueuedLine, opener};
use super::file_error::FileError;
use super::form::LineForm;
use super::level::LogLevel;
use super::line::line;

/// Destinations with their files opened.
#[derive(Debug, Default)]
pub struct OpenedSinks(Vec<(SinkSpec, Option<File>)>);

impl OpenedSinks {
    /// Opens the files of all destinations. This may block.
    ///
    /// # Errors
    ///
    /// The error of the first file that cannot be opened.
    pub fn open(specs: &[SinkSpec]) -> Result<OpenedSinks, FileError> {
        let open = |spec: &SinkSpec| {
            let open = opener(spec);
            let file = spec.path().map(|path| open(path).map_err(FileError::of("open", path)));
            Ok((spec.clone(), file.transpose()?))
        };
        Ok(OpenedSinks(specs.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// Appends a line to the files of these error logs, for a process that ends before there are threads.
    pub fn append<'l>(
        &self,
        logs: impl Iterator<Item = (&'l SinkSpec, LineForm)>,
        severity: LogLevel,
        text: &str,
    ) {
        for (log, form) in logs {
            if let Some((_, Some(file))) = self.0.iter().find(|(spec, _)| spec == log) {
                // The caller reports the same elsewhere.
                let _ = (&*file).write_all(line(form, severity, text).as_bytes());
            }
        }
    }
}

/// A destination of lines. Cheap to clone; its thread ends with the last clone, once all lines are written.
#[derive(Clone, Debug)]
pub struct LogSink(Arc<SinkHandle>);

#[derive(Debug)]
struct SinkHandle(Arc<Queue>);

impl Drop for SinkHandle {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl LogSink {
    /// Queues a line, which ends in a newline; never blocks. If the log does not accept lines in time, the line is
    /// dropped and counted.
    pub fn line(&self, line: Vec<u8>) {
        self.0.0.push(QueuedLine { form: LineForm::Text, level: None, file: None, bytes: line });
    }

    /// As [`LogSink::line`], for a destination with variables in its path.
    pub fn line_to(&self, file: LineFile, line: Vec<u8>) {
        self.0.0.push(QueuedLine { form: LineForm::Text, level: None, file: Some(file), bytes: line });
    }

    /// Queues a line of an error log.
    pub fn error_line(&self, form: LineForm, level: LogLevel, line: String) {
        let bytes = line.into_bytes();
        self.0.0.push(QueuedLine { form, level: Some(level), file: None, bytes });
    }
}

/// All destinations of the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sinks(Arc<SinkSet>);

#[derive(Debug, Default)]
struct SinkSet {
    open: RwLock<FxHashMap<SinkSpec, LogSink>>,
    /// Destinations that the configuration names no longer and that may still be writing.
    retired: Mutex<Vec<Weak<Queue>>>,
    /// Whether threads are allowed.
    running: AtomicBool,
}

impl Sinks {
    /// The destination. One that the configuration in force does not name is opened by its own thread: a session that
    /// began before a reload may still use it.
    pub fn get(&self, spec: &SinkSpec) -> LogSink {
        if let Some(sink) = self.0.open.read().get(spec) {
            return sink.clone();
        }
        self.0.open.write().entry(spec.clone()).or_insert_with(|| self.begin(spec, None)).clone()
    }

    /// Puts the destinations of a configuration in force. Files of those that were there before are replaced by the ones
    /// just opened; destinations that are missing end once their lines are written.
    pub fn apply(&self, opened: OpenedSinks) {
        let mut open = self.0.open.write();
        let mut before = std::mem::take(&mut *open);
        for (spec, file) in opened.0 {
            if open.contains_key(&spec) {
                continue;
            }
            let sink = match before.remove(&spec) {
                Some(sink) => {
                    sink.0.0.reopen(file, Box::new(|_| {}));
                    sink
                }
                None => self.begin(&spec, file),
            };
            open.insert(spec, sink);
        }
        drop(open);
        let mut retired = self.0.retired.lock();
        retired.retain(|queue| queue.strong_count() > 0);
        retired.extend(before.values().map(|sink| Arc::downgrade(&sink.0.0)));
    }

    /// Starts the threads. The process must not fork afterwards.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub fn start(&self) -> io::Result<()> {
        self.0.running.store(true, Ordering::Release);
        self.0.open.read().values().try_for_each(|sink| sink.0.0.start())
    }

    /// Opens all files again (log rotation) and then calls `done`, with the first failure if there is one. After a
    /// failure the old file stays. Lines queued before are still written to the old files.
    pub fn reopen(&self, done: impl FnOnce(Result<(), FileError>) + Send + 'static) {
        let sinks: Vec<LogSink> = self.0.open.read().values().cloned().collect();
        let left = Arc::new(AtomicUsize::new(sinks.len() + 1));
        let outcome = Arc::new(Mutex::new((Ok(()), Some(done))));
        let finished = move |opened: Result<(), FileError>| {
            let mut outcome = outcome.lock();
            if outcome.0.is_ok() {
                outcome.0 = opened;
            }
            if left.fetch_sub(1, Ordering::AcqRel) == 1
                && let Some(done) = outcome.1.take()
            {
                let result = std::mem::replace(&mut outcome.0, Ok(()));
                drop(outcome);
                done(result);
            }
        };
        for sink in sinks {
            sink.0.0.reopen(None, Box::new(finished.clone()));
        }
        finished(Ok(()));
    }

    /// Waits, at most for `limit`, until all lines are written, including those in buffers.
    pub fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut queues: Vec<Arc<Queue>> = self.0.open.read().values().map(|sink| sink.0.0.clone()).collect();
        queues.extend(self.0.retired.lock().iter().filter_map(Weak::upgrade));
        queues.iter().for_each(|queue| queue.begin_flush());
        for queue in queues {
            queue.wait_idle(end.saturating_duration_since(Instant::now()));
        }
    }

    fn begin(&self, spec: &SinkSpec, file: Option<File>) -> LogSink {
        let queue = Arc::new(Queue::new(spec, file));
        if self.0.running.load(Ordering::Acquire) {
            // A failure is in the log, and the lines count as lost.
            let _ = queue.start();
        }
        LogSink(Arc::new(SinkHandle(queue)))
    }
}
