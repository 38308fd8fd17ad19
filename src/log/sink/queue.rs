//! Queue and thread of one log.
//!
//! Lines are written by a separate thread for each log, so that a log that blocks, such as a FIFO without a reader or a
//! file on a stalled disk, blocks neither media nor other logs. The queue is bounded; further lines are dropped and
//! counted. Lost lines of the error log are reported in their place as soon as the log accepts lines again, those of
//! other logs in the error log, once in [`limits::LOG_LOSS_REPORT`]. Until the thread starts, when the process is still
//! attached to its terminal, each line is written immediately.
//!
//! To wake the thread for each line would cost more than many requests do. A line that comes after a pause is written at
//! once; those that come within [`limits::LOG_GATHER`] of the last write gather until then, which only a full write, a
//! severe line, a flush, reopening or the end cuts short.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::log;
use super::lost::count_lost;
use super::spec::SinkSpec;
use super::writer::{QueuedLine, WriteLoss, Writer};
use crate::limits;
use crate::log::file_error::FileError;
use crate::log::form::LineForm;
use crate::log::level::LogLevel;
use crate::log::line::line;

/// Called when a log was opened again.
pub(super) type Reopened = Box<dyn FnOnce(Result<(), FileError>) + Send>;

/// The queue of a log.
pub(super) struct Queue {
    name: String,
    state: Mutex<State>,
    /// Signalled when there is work.
    filled: Condvar,
    /// Signalled when all work is done.
    drained: Condvar,
}

struct State {
    mode: Mode,
    work: VecDeque<Work>,
    /// Bytes of the lines not written yet.
    bytes: usize,
    /// Number of items in `work` that lines do not gather before.
    urgent: usize,
    /// Activity of the thread.
    doing: ThreadActivity,
    /// Whether no more lines can come.
    ended: bool,
    lost_errors: Option<LostErrors>,
    unreported: Unreported,
}

enum Mode {
    /// Each line is written by the thread that brings it.
    Direct(Box<Writer>),
    /// The log's own thread writes.
    Threaded,
    /// There is no thread.
    Dead,
}

enum Work {
    Line(QueuedLine),
    Flush,
    Reopen(Option<File>, Reopened),
}

/// Activity of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThreadActivity {
    /// It waits for work.
    Waiting,
    /// It lets lines gather.
    Gathering,
    /// It processes an item.
    Working,
}

impl Work {
    /// Whether it is done at once, with what is before it.
    fn is_urgent(&self) -> bool {
        match self {
            Work::Line(line) => line.level.is_some_and(|level| level <= LogLevel::Error),
            Work::Flush | Work::Reopen(..) => true,
        }
    }
}

/// Next action of the thread.
enum NextAction {
    Lines,
    Flush,
    Reopen(Option<File>, Reopened),
    Tick,
    End,
}

/// Lines of the error log that were dropped.
struct LostErrors {
    /// Form of the lines.
    form: LineForm,
    /// Level of the most severe one.
    level: LogLevel,
    lines: u64,
}

/// Lines of other logs that were lost and not reported yet.
#[derive(Default)]
struct Unreported {
    lines: u64,
    why: String,
    /// Time of the next report; `None` before the first one.
    due: Option<Instant>,
}

/// A report of lost lines.
struct LossReport {
    why: String,
    lines: u64,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(spec: &SinkSpec, file: Option<File>) -> Queue {
        Queue {
            name: spec.name(),
            state: Mutex::new(State {
                mode: Mode::Direct(Box::new(Writer::new(spec, file))),
                work: VecDeque::new(),
                bytes: 0,
                urgent: 0,
                doing: ThreadActivity::Waiting,
                ended: false,
                lost_errors: None,
                unreported: Unreported::default(),
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    /// Starts the thread. The process must not fork afterwards.
    ///
    /// # Errors
    ///
    /// The thread cannot be started; lines are then counted as lost.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state.lock();
        let writer = match std::mem::replace(&mut state.mode, Mode::Threaded) {
            Mode::Direct(writer) => writer,
            mode => {
                state.mode = mode;
                return Ok(());
            }
        };
        drop(state);
        let queue = self.clone();
        let thread = std::thread::Builder::new().name("log".into()).stack_size(limits::LOG_STACK);
        let started = thread.spawn(move || queue.run(*writer));
        started.map(drop).inspect_err(|error| {
            self.state.lock().mode = Mode::Dead;
            log::no_thread(&self.name, &error.to_string());
        })
    }

    /// Queues a line, or writes it if there is no thread yet.
    pub(super) fn push(&self, line: QueuedLine) {
        let mut state = self.state.lock();
        match &mut state.mode {
            Mode::Direct(writer) => return count_lost(writer.write(&[line]).lines),
            Mode::Dead => return count_lost(1),
            Mode::Threaded => {}
        }
        if !state.has_room(&line) {
            count_lost(1);
            let report = state.drop_line(&line, &self.name);
            drop(state);
            return report.into_iter().for_each(LossReport::tell);
        }
        state.tell_lost_errors();
        state.add(Work::Line(line));
        self.wake(&state);
    }

    /// Opens the files again, after the lines queued so far; `file` is the new file if it is open already.
    pub(super) fn reopen(&self, file: Option<File>, done: Reopened) {
        let mut state = self.state.lock();
        match &mut state.mode {
            Mode::Direct(writer) => {
                let (lost, opened) = writer.reopen(file);
                count_lost(lost.lines);
                drop(state);
                done(opened);
            }
            Mode::Dead => {
                drop(state);
                done(Ok(()));
            }
            Mode::Threaded => {
                state.add(Work::Reopen(file, done));
                self.wake(&state);
            }
        }
    }

    /// Has all lines queued so far written, and what is in buffers.
    pub(super) fn begin_flush(&self) {
        let mut state = self.state.lock();
        match &mut state.mode {
            Mode::Direct(writer) => count_lost(writer.flush().lines),
            Mode::Dead => {}
            Mode::Threaded => {
                state.add(Work::Flush);
                self.wake(&state);
            }
        }
    }

    /// Waits until everything queued so far is written, at most until `limit`. Returns whether it is.
    pub(super) fn wait_idle(&self, limit: Duration) -> bool {
        let mut state = self.state.lock();
        self.drained.wait_while_for(&mut state, |state| !state.is_idle(), limit);
        state.is_idle()
    }

    /// No more lines come: the thread ends once all are written.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        if let Mode::Direct(writer) = &mut state.mode {
            count_lost(writer.flush().lines);
        }
        self.filled.notify_one();
    }

    /// Wakes the thread if it has not seen that there is work, or if it need not wait for more.
    fn wake(&self, state: &State) {
        if !(state.doing == ThreadActivity::Gathering && state.may_gather()) {
            self.filled.notify_one();
        }
    }

    fn run(&self, mut writer: Writer) {
        let mut lines = Vec::new();
        let mut gather_until = None;
        loop {
            let lost = match self.next(&mut lines, writer.due(), gather_until) {
                NextAction::Lines => {
                    let lost = writer.write(&lines);
                    gather_until = Instant::now().checked_add(limits::LOG_GATHER);
                    lost
                }
                NextAction::Flush => writer.flush(),
                NextAction::Tick => writer.tick(),
                NextAction::Reopen(file, done) => {
                    let (lost, opened) = writer.reopen(file);
                    done(opened);
                    lost
                }
                NextAction::End => {
                    count_lost(writer.flush().lines);
                    return;
                }
            };
            self.done(&mut lines, lost);
        }
    }

    /// Waits for the next item, at most until `due`; the preceding one counts as done. Lines are put into `lines`, and may
    /// gather until then.
    fn next(
        &self,
        lines: &mut Vec<QueuedLine>,
        due: Option<Instant>,
        gather_until: Option<Instant>,
    ) -> NextAction {
        let mut state = self.state.lock();
        loop {
            if state.work.is_empty() {
                state.tell_lost_errors();
            }
            if state.may_gather()
                && let Some(until) = gather_until.filter(|until| Instant::now() < *until)
            {
                state.doing = ThreadActivity::Gathering;
                self.filled.wait_while_until(&mut state, |state| state.may_gather(), until);
            }
            if let Some(work) = state.take() {
                state.doing = ThreadActivity::Working;
                let first = match work {
                    Work::Line(line) => line,
                    Work::Flush => return NextAction::Flush,
                    Work::Reopen(file, done) => return NextAction::Reopen(file, done),
                };
                let mut bytes = first.bytes.len();
                lines.push(first);
                while let Some(Work::Line(line)) = state.work.front()
                    && bytes + line.bytes.len() <= limits::LOG_WRITE
                    && let Some(Work::Line(line)) = state.take()
                {
                    bytes += line.bytes.len();
                    lines.push(line);
                }
                return NextAction::Lines;
            }
            state.doing = ThreadActivity::Waiting;
            if state.ended {
                self.drained.notify_all();
                return NextAction::End;
            }
            // Release the memory that a flood took.
            state.work.shrink_to(limits::LOG_KEPT_ROOM);
            self.drained.notify_all();
            let report = state.unreported.due.filter(|_| state.unreported.lines > 0);
            let now = Instant::now();
            match due.into_iter().chain(report).min() {
                Some(until) if until <= now => {
                    state.doing = ThreadActivity::Working;
                    return NextAction::Tick;
                }
                Some(until) => drop(self.filled.wait_until(&mut state, until)),
                None => self.filled.wait(&mut state),
            }
        }
    }

    /// Accounts for lines that were written or lost.
    fn done(&self, lines: &mut Vec<QueuedLine>, lost: WriteLoss) {
        let mut state = self.state.lock();
        state.bytes -= lines.iter().map(|line| line.bytes.len()).sum::<usize>();
        count_lost(lost.lines);
        // A failing error log cannot report its own failure.
        let is_reported = lines.iter().all(|line| line.level.is_none());
        let report = match is_reported {
            true => state.unreported.add(lost.lines, lost.why),
            false => None,
        };
        drop(state);
        lines.clear();
        report.into_iter().for_each(LossReport::tell);
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.work.is_empty() && self.doing != ThreadActivity::Working && self.lost_errors.is_none()
    }

    /// Whether lines may wait for others: not severe ones, and nothing behind which something else waits.
    fn may_gather(&self) -> bool {
        !self.work.is_empty() && self.urgent == 0 && !self.ended && self.bytes < limits::LOG_WRITE
    }

    /// Whether a line fits into the queue. Severe lines have extra room, so that a flood of minor lines does not
    /// displace them.
    fn has_room(&self, line: &QueuedLine) -> bool {
        let is_severe = line.level.is_some_and(|level| level <= LogLevel::Crit);
        let most = if is_severe { 2 * limits::LOG_QUEUE_BYTES } else { limits::LOG_QUEUE_BYTES };
        self.bytes + line.bytes.len() <= most
    }

    fn add(&mut self, work: Work) {
        if let Work::Line(line) = &work {
            self.bytes += line.bytes.len();
        }
        self.urgent += usize::from(work.is_urgent());
        self.work.push_back(work);
    }

    fn take(&mut self) -> Option<Work> {
        let work = self.work.pop_front()?;
        self.urgent -= usize::from(work.is_urgent());
        Some(work)
    }

    /// Accounts for a line that found no room.
    fn drop_line(&mut self, line: &QueuedLine, name: &str) -> Option<LossReport> {
        let Some(level) = line.level else {
            return self.unreported.add(1, Some(format!("the log \"{name}\" took no lines in time")));
        };
        let lost = self.lost_errors.get_or_insert(LostErrors { form: line.form, level, lines: 0 });
        lost.level = lost.level.min(level);
        lost.lines += 1;
        None
    }

    /// Queues a line with the number of lines that were dropped in its place.
    fn tell_lost_errors(&mut self) {
        let Some(LostErrors { form, level, lines }) = self.lost_errors.take() else { return };
        let what = if lines == 1 { "line was" } else { "lines were" };
        let text = line(form, level, &format!("{lines} log {what} lost, the log took none in time"));
        self.add(Work::Line(QueuedLine { form, level: Some(level), file: None, bytes: text.into_bytes() }));
    }
}

impl Unreported {
    /// Adds lost lines. Returns a report if one is due.
    fn add(&mut self, lines: u64, why: Option<String>) -> Option<LossReport> {
        self.lines += lines;
        if let Some(why) = why {
            self.why = why;
        }
        let now = Instant::now();
        if self.lines == 0 || self.due.is_some_and(|due| now < due) {
            return None;
        }
        self.due = now.checked_add(limits::LOG_LOSS_REPORT);
        Some(LossReport { why: self.why.clone(), lines: std::mem::take(&mut self.lines) })
    }
}

impl LossReport {
    fn tell(self) {
        log::lines_lost(&self.why, self.lines);
    }
}

#[cfg(test)]
mod tests;
