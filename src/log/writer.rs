//! Log writer thread.
//!
//! Lines are written by a separate thread, so that a log that blocks, such as a FIFO without a reader or a file on a
//! stalled disk, does not block media. The queue is bounded; further lines are dropped, counted, and reported as soon
//! as the log accepts lines again. Until [`LogWriter::start`], when the process is still attached to its terminal, each
//! line is written immediately.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::level::LogLevel;
use super::line::line;
use super::logs::{Logs, count_lost};
use crate::limits;

/// Handle to the thread.
#[derive(Clone, Debug, Default)]
pub(super) struct LogWriter {
    queue: Arc<LineQueue>,
}

#[derive(Debug, Default)]
struct LineQueue {
    state: Mutex<State>,
    /// Signalled when there is work.
    filled: Condvar,
    /// Signalled when all work is done.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    running: bool,
    work: VecDeque<WriterWork>,
    /// Bytes of the lines not written yet.
    bytes: usize,
    /// Whether the thread is processing an item.
    busy: bool,
    lost: Option<LostLines>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

enum WriterWork {
    /// A line, for the logs that were in force when it was made.
    Line(Arc<Logs>, LogLevel, String),
    /// Other work that may block on files.
    Other(Box<dyn FnOnce() + Send>),
}

/// Lines that were dropped.
struct LostLines {
    logs: Arc<Logs>,
    /// Level of the most severe one: a log that accepts only severe lines is informed too.
    severity: LogLevel,
    lines: u64,
}

impl LogWriter {
    /// Starts the thread. The process must not fork afterwards.
    ///
    /// # Errors
    ///
    /// The thread cannot be started; lines are then written immediately, as before.
    pub(super) fn start(&self) -> io::Result<()> {
        self.queue.state.lock().running = true;
        let queue = self.queue.clone();
        let started = std::thread::Builder::new().name("log".into()).spawn(move || queue.run());
        started.map(drop).inspect_err(|_| self.queue.state.lock().running = false)
    }

    /// Writes a line immediately, or queues it.
    pub(super) fn write(&self, logs: &Arc<Logs>, severity: LogLevel, line: String) {
        let mut state = self.queue.state.lock();
        if !state.running {
            drop(state);
            return logs.write(severity, line.as_bytes());
        }
        if !state.has_room(severity, line.len()) {
            return state.lose(logs, severity);
        }
        state.tell_lost();
        state.push(logs.clone(), severity, line);
        self.queue.filled.notify_one();
    }

    /// Queues work that may block on files, after the lines queued so far.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) {
        let mut state = self.queue.state.lock();
        if !state.running {
            drop(state);
            return work();
        }
        state.work.push_back(WriterWork::Other(Box::new(work)));
        self.queue.filled.notify_one();
    }

    /// Waits until everything queued so far is written, at most for `limit`. Returns whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.queue.state.lock();
        self.queue.drained.wait_while_for(&mut state, |state| !state.is_idle(), limit);
        state.is_idle()
    }
}

impl LineQueue {
    fn run(&self) {
        loop {
            match self.next() {
                WriterWork::Line(logs, severity, line) => {
                    logs.write(severity, line.as_bytes());
                    self.state.lock().bytes -= line.len();
                }
                WriterWork::Other(work) => work(),
            }
        }
    }

    /// Waits for the next item; the preceding one counts as done.
    fn next(&self) -> WriterWork {
        let mut state = self.state.lock();
        state.busy = false;
        loop {
            if state.work.is_empty() {
                state.tell_lost();
            }
            if let Some(work) = state.work.pop_front() {
                state.busy = true;
                return work;
            }
            // Release the memory that a flood took.
            state.work.shrink_to(0);
            self.drained.notify_all();
            self.filled.wait(&mut state);
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.work.is_empty() && !self.busy && self.lost.is_none()
    }

    /// Whether a line fits into the queue. Severe lines have extra room, so that a flood of minor lines does not
    /// displace them.
    fn has_room(&self, severity: LogLevel, bytes: usize) -> bool {
        let severe = severity <= LogLevel::Crit;
        let most = if severe { 2 * limits::LOG_QUEUE_BYTES } else { limits::LOG_QUEUE_BYTES };
        self.bytes + bytes <= most
    }

    fn push(&mut self, logs: Arc<Logs>, severity: LogLevel, line: String) {
        self.bytes += line.len();
        self.work.push_back(WriterWork::Line(logs, severity, line));
    }

    fn lose(&mut self, logs: &Arc<Logs>, severity: LogLevel) {
        count_lost();
        let lost = self.lost.get_or_insert_with(|| LostLines { logs: logs.clone(), severity, lines: 0 });
        lost.logs = logs.clone();
        lost.severity = lost.severity.min(severity);
        lost.lines += 1;
    }

    /// Queues a line with the number of lines that were dropped in its place.
    fn tell_lost(&mut self) {
        let Some(LostLines { logs, severity, lines }) = self.lost.take() else { return };
        let what = if lines == 1 { "line was" } else { "lines were" };
        self.push(
            logs,
            severity,
            line(severity, &format!("{lines} log {what} lost, the log took none in time")),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    use nix::libc::O_NONBLOCK;
    use nix::sys::stat::Mode;

    use super::*;
    use crate::log::spec::LogSpec;

    /// Longer than any test runs.
    const LONG: Duration = Duration::from_secs(600);

    fn logs(path: &Path) -> Arc<Logs> {
        Arc::new(Logs::open(&[LogSpec { path: Some(path.to_owned()), level: LogLevel::Info }]).unwrap())
    }

    fn fifo(path: &Path) -> File {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        // Both ends are open, so that opening the log does not block.
        OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(path).unwrap()
    }

    #[test]
    fn before_the_thread_lines_are_written_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        LogWriter::default().write(&logs(&path), LogLevel::Info, "line\n".into());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "line\n");
    }

    #[test]
    fn lines_keep_their_order_and_go_where_they_were_meant_to() {
        let dir = tempfile::tempdir().unwrap();
        let (before, after) = (dir.path().join("before"), dir.path().join("after"));
        let writer = LogWriter::default();
        writer.start().unwrap();
        let (old, new) = (logs(&before), logs(&after));
        for n in 0..1000 {
            writer.write(if n < 500 { &old } else { &new }, LogLevel::Info, format!("{n}\n"));
        }
        assert!(writer.flush(LONG));
        let numbers = |range: std::ops::Range<i32>| range.map(|n| format!("{n}\n")).collect::<String>();
        assert_eq!(std::fs::read_to_string(before).unwrap(), numbers(0..500));
        assert_eq!(std::fs::read_to_string(after).unwrap(), numbers(500..1000));
    }

    #[test]
    fn a_log_that_is_not_read_costs_lines_and_says_how_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let kept = fifo(&path);
        let logs = logs(&path);
        let writer = LogWriter::default();
        writer.start().unwrap();
        let lines = 3 * limits::LOG_QUEUE_BYTES / 1000;
        for n in 0..lines {
            writer.write(&logs, LogLevel::Info, format!("{n:0999}\n"));
        }
        writer.write(&logs, LogLevel::Crit, "crit\n".into());
        assert!(!writer.flush(Duration::ZERO));
        assert!(writer.queue.state.lock().bytes <= limits::LOG_QUEUE_BYTES + limits::LOG_LINE);

        let reader = BufReader::new(File::open(&path).unwrap());
        let (mut came, mut lost) = (0, None);
        for text in reader.lines().map(Result::unwrap) {
            if text == "crit" {
                break;
            }
            match text.parse::<usize>() {
                Ok(n) => {
                    assert_eq!((n, lost.as_ref()), (came, None));
                    came += 1;
                }
                Err(_) => lost = Some(text),
            }
        }
        let lost = lost.unwrap();
        let told = format!("[info] {}#", std::process::id());
        assert!(
            lost.contains(&told) && lost.contains(&format!(" {} log lines were lost", lines - came)),
            "{lost}"
        );
        assert!(writer.flush(LONG));
        drop(kept);
    }
}
