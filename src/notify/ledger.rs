//! Ledger of callbacks: counters, a latency histogram and the last calls for each line.
//!
//! [`snapshot`] defines the values that are shown.

pub mod snapshot;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use strum::FromRepr;

use self::snapshot::{CallSnapshot, LatencyClass, LedgerSnapshot, LineSnapshot};
use super::CallbackAnswer;
use super::hook::Hook;
use super::request::Stage;
use super::url::Url;
use crate::limits;

/// Upper bounds of the histogram's classes in milliseconds; one more class contains the rest.
const CLASSES: [u64; 9] = [1, 2, 5, 10, 50, 100, 500, 1_000, 3_000];

/// All callback lines that have been used.
#[derive(Debug, Default)]
pub struct Ledger {
    records: Mutex<LineRecords>,
}

#[derive(Debug, Default)]
struct LineRecords {
    /// By file, line and event, since one line of a file may hold several callbacks.
    lines: BTreeMap<(Arc<Path>, u32, &'static str), LineRecord>,
    unlisted_total: u64,
    /// By event, also of lines that are not listed.
    events: BTreeMap<&'static str, EventRecord>,
}

/// Calls of one event.
#[derive(Debug, Default)]
struct EventRecord {
    outcomes: BTreeMap<(Stage, CallOutcome), u64>,
    took: Duration,
    classes: [u64; CLASSES.len() + 1],
    decisions: Arc<DecisionCounts>,
}

/// Number of consequences, by [`CallDecision`].
type DecisionCounts = [AtomicU64; CallDecision::GiveUp as usize + 1];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    /// Status below 400.
    Answered,
    /// Status of 400 or above.
    Refused,
    /// No answer.
    Failed,
    /// No answer in time.
    TimedOut,
}

/// Calls of one event so far.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTotals {
    /// Value of `call=`.
    pub event: &'static str,
    /// Calls by stage and outcome.
    pub outcomes: Vec<(Stage, CallOutcome, u64)>,
    /// Sum of their durations.
    pub took: Duration,
    /// Upper bound of each class of durations in seconds, the last one infinite, and number of calls in it alone.
    pub classes: Vec<(f64, u64)>,
    /// Consequences of answers.
    pub decisions: Vec<(CallDecision, u64)>,
}

/// One callback line.
#[derive(Debug, Default)]
struct LineRecord {
    url: Option<Url>,
    answered_total: u64,
    refused_total: u64,
    failed_total: u64,
    timed_out_total: u64,
    took: Duration,
    classes: [u64; CLASSES.len() + 1],
    last: VecDeque<CallRecord>,
}

#[derive(Debug)]
struct CallRecord {
    at: SystemTime,
    call: FinishedCall,
    receipt: Receipt,
}

/// A request that was answered or failed.
#[derive(Clone, Debug)]
pub struct FinishedCall {
    /// Stage of the event.
    pub stage: Stage,
    /// Number of its session, if it has one.
    pub session: Option<u64>,
    /// The answer.
    pub answer: CallbackAnswer,
    /// Time until the answer.
    pub took: Duration,
    /// Address of the callback server, if it answered.
    pub address: Option<SocketAddr>,
}

/// The consequence of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRepr)]
#[repr(u8)]
pub enum CallDecision {
    /// Nothing: the answer decides nothing, or its session has ended.
    #[default]
    None,
    /// The session is admitted.
    Allow,
    /// The session is admitted although there was no answer (`ignore_invalid_notify`).
    AllowUnanswered,
    /// The session is refused, or the sessions that depend on a relay end.
    Refuse,
    /// An update ends its session.
    End,
    /// A relay begins.
    Relay,
    /// No relay is wanted.
    NoRelay,
    /// `start` is sent again.
    AskAgain,
    /// `done` is sent again.
    TellAgain,
    /// `done` is given up.
    GiveUp,
}

/// Reference to a recorded call, for adding its consequence later.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    decision: Arc<AtomicU8>,
    counts: Arc<DecisionCounts>,
}

impl CallDecision {
    /// Its displayed name; `-` for [`CallDecision::None`].
    pub fn name(self) -> &'static str {
        match self {
            CallDecision::None => "-",
            CallDecision::Allow => "allow",
            CallDecision::AllowUnanswered => "allow-unanswered",
            CallDecision::Refuse => "refuse",
            CallDecision::End => "end",
            CallDecision::Relay => "relay",
            CallDecision::NoRelay => "no-relay",
            CallDecision::AskAgain => "ask-again",
            CallDecision::TellAgain => "tell-again",
            CallDecision::GiveUp => "give-up",
        }
    }
}

impl Receipt {
    /// Enters the consequence.
    pub fn decided(&self, decision: CallDecision) {
        let before = self.decision.swap(decision as u8, Ordering::Relaxed);
        // One call has one consequence.
        if before == CallDecision::None as u8 {
            self.counts[decision as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn decision(&self) -> CallDecision {
        CallDecision::from_repr(self.decision.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

impl Ledger {
    /// Records a call.
    pub fn record(&self, hook: &Hook, event: &'static str, call: FinishedCall) -> Receipt {
        let outcome = CallOutcome::of(&call.answer);
        let class = class_of(call.took);
        let mut records = self.records.lock();
        let of_event = records.events.entry(event).or_default();
        *of_event.outcomes.entry((call.stage, outcome)).or_default() += 1;
        of_event.took += call.took;
        of_event.classes[class] += 1;
        let receipt = Receipt { decision: Arc::default(), counts: of_event.decisions.clone() };
        let key = (hook.pos.file.clone(), hook.pos.line, event);
        if records.lines.len() >= limits::LEDGER_LINES && !records.lines.contains_key(&key) {
            records.unlisted_total += 1;
            return receipt;
        }
        let line = records.lines.entry(key).or_default();
        // A reload may have given the line another address.
        if line.url.as_ref() != Some(&hook.url) {
            line.url = Some(hook.url.clone());
        }
        match outcome {
            CallOutcome::Answered => line.answered_total += 1,
            CallOutcome::Refused => line.refused_total += 1,
            CallOutcome::Failed => line.failed_total += 1,
            CallOutcome::TimedOut => line.timed_out_total += 1,
        }
        line.took += call.took;
        line.classes[class] += 1;
        if line.last.len() >= limits::LEDGER_CALLS {
            line.last.pop_front();
        }
        line.last.push_back(CallRecord { at: SystemTime::now(), call, receipt: receipt.clone() });
        receipt
    }

    /// Calls by event. Not bounded by the number of lines, so no call is missing.
    pub(super) fn totals(&self) -> Vec<EventTotals> {
        self.records.lock().events.iter().map(|(event, record)| record.totals(event)).collect()
    }

    /// The present state.
    pub(super) fn snapshot(&self, done_waiting: usize, done_lost_total: u64) -> LedgerSnapshot {
        let records = self.records.lock();
        let lines = records.lines.iter();
        let lines = lines.map(|((file, number, event), line)| line.snapshot(file, *number, event)).collect();
        LedgerSnapshot { lines, unlisted_total: records.unlisted_total, done_waiting, done_lost_total }
    }
}

impl CallOutcome {
    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            CallOutcome::Answered => "answered",
            CallOutcome::Refused => "refused",
            CallOutcome::Failed => "failed",
            CallOutcome::TimedOut => "timed_out",
        }
    }

    fn of(answer: &CallbackAnswer) -> Self {
        match answer {
            CallbackAnswer::Status(400..) => CallOutcome::Refused,
            CallbackAnswer::Status(_) => CallOutcome::Answered,
            CallbackAnswer::Failed(_) => CallOutcome::Failed,
            CallbackAnswer::TimedOut => CallOutcome::TimedOut,
        }
    }
}

impl EventRecord {
    fn totals(&self, event: &'static str) -> EventTotals {
        let ends = CLASSES.iter().map(|millis| *millis as f64 / 1000.0).chain([f64::INFINITY]);
        let decision = |(number, count): (usize, &AtomicU64)| {
            let decision = u8::try_from(number).ok().and_then(CallDecision::from_repr)?;
            Some((decision, count.load(Ordering::Relaxed)))
        };
        EventTotals {
            event,
            outcomes: self
                .outcomes
                .iter()
                .map(|((stage, outcome), count)| (*stage, *outcome, *count))
                .collect(),
            took: self.took,
            classes: ends.zip(self.classes).collect(),
            decisions: self.decisions.iter().enumerate().filter_map(decision).collect(),
        }
    }
}

/// Class of a duration in [`CLASSES`].
fn class_of(took: Duration) -> usize {
    let millis = took.as_micros().div_ceil(1000);
    CLASSES.iter().position(|end| millis <= u128::from(*end)).unwrap_or(CLASSES.len())
}

impl LineRecord {
    fn snapshot(&self, file: &Path, line: u32, event: &str) -> LineSnapshot {
        let ends = CLASSES.iter().copied().map(Some).chain([None]);
        LineSnapshot {
            file: file.display().to_string(),
            line,
            event: event.to_owned(),
            server: self.url.as_ref().map(Url::server).unwrap_or_default(),
            answered_total: self.answered_total,
            refused_total: self.refused_total,
            failed_total: self.failed_total,
            timed_out_total: self.timed_out_total,
            took_ms_total: self.took.as_secs_f64() * 1000.0,
            latency: ends.zip(self.classes).map(|(most_ms, count)| LatencyClass { most_ms, count }).collect(),
            calls: self.last.iter().rev().map(CallRecord::snapshot).collect(),
        }
    }
}

impl CallRecord {
    fn snapshot(&self) -> CallSnapshot {
        let FinishedCall { stage, session, answer, took, address } = &self.call;
        let (status, failure) = match answer {
            CallbackAnswer::Status(status) => (Some(*status), None),
            answer => (None, Some(answer.to_string())),
        };
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        CallSnapshot {
            at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            act: stage.name().to_owned(),
            status,
            failure,
            took_ms: took.as_secs_f64() * 1000.0,
            address: address.map(|address| address.to_string()),
            decision: self.receipt.decision().name().to_owned(),
            session: *session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::Msec;
    use crate::notify::CallFailure;
    use crate::notify::hook::{Enforce, Stages};
    use crate::notify::variable::Template;
    use crate::syntax::Pos;

    fn hook(line: u32) -> Hook {
        Hook {
            url: Url::parse(b"http://h:81/cb").unwrap().0,
            args: Template::default(),
            groupid: "".into(),
            stages: Stages::default(),
            timeout: Msec(1),
            update: Msec(1),
            update_written: false,
            enforce: Enforce::default(),
            legacy: false,
            pos: Pos { file: Path::new("nginx.conf").into(), line },
        }
    }

    fn record(ledger: &Ledger, line: u32, answer: CallbackAnswer, millis: u64) -> Receipt {
        let took = Duration::from_millis(millis);
        let call = FinishedCall { stage: Stage::Start, session: Some(7), answer, took, address: None };
        ledger.record(&hook(line), "publish", call)
    }

    #[test]
    fn calls_are_counted_by_line_outcome_and_latency() {
        let ledger = Ledger::default();
        record(&ledger, 5, CallbackAnswer::Status(200), 1).decided(CallDecision::Allow);
        record(&ledger, 5, CallbackAnswer::Status(403), 7).decided(CallDecision::Refuse);
        record(&ledger, 5, CallbackAnswer::TimedOut, 5_000);
        record(&ledger, 9, CallbackAnswer::Failed(CallFailure::Closed), 0);
        let text = ledger.snapshot(2, 1).to_string();
        assert!(text.starts_with("done events: 2 waiting, 1 lost\n"), "{text}");
        let totals = &ledger.totals()[0];
        let outcomes: Vec<_> =
            totals.outcomes.iter().map(|(_, outcome, count)| (outcome.name(), *count)).collect();
        assert_eq!(outcomes, [("answered", 1), ("refused", 1), ("failed", 1), ("timed_out", 1)]);
        assert_eq!((totals.classes[0], totals.classes[3]), ((0.001, 2), (0.01, 1)));
        assert_eq!(totals.took, Duration::from_millis(5_008));
        let decided: Vec<_> = totals.decisions.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(decided, [&(CallDecision::Allow, 1), &(CallDecision::Refuse, 1)]);
        let line = "publish nginx.conf:5 http://h:81\n  answered 1 refused 1 failed 0 timed out 1\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("  latency <=1ms:1 <=10ms:1 more:1\n"), "{text}");
        assert!(text.contains(" start 403 7.0ms refuse *7\n"), "{text}");
        assert!(text.contains(" start timed out 5000.0ms - *7\n"), "{text}");
        assert!(text.contains(" start no answer (the connection was closed) 0.0ms - *7\n"), "{text}");
    }

    #[test]
    fn callbacks_on_one_line_are_kept_apart() {
        let ledger = Ledger::default();
        record(&ledger, 5, CallbackAnswer::Status(200), 1);
        let call = FinishedCall {
            stage: Stage::Start,
            session: Some(8),
            answer: CallbackAnswer::TimedOut,
            took: Duration::ZERO,
            address: None,
        };
        ledger.record(&hook(5), "play", call);
        let lines = ledger.snapshot(0, 0).lines;
        let events: Vec<&str> = lines.iter().map(|line| line.event.as_str()).collect();
        assert_eq!(events, ["play", "publish"]);
        assert_eq!((lines[0].timed_out_total, lines[1].answered_total), (1, 1));
    }

    #[test]
    fn a_snapshot_survives_json() {
        let ledger = Ledger::default();
        record(&ledger, 5, CallbackAnswer::Status(200), 3).decided(CallDecision::Allow);
        let snapshot = ledger.snapshot(0, 0);
        let json = serde_json::to_string(&snapshot).unwrap();
        assert!(json.contains(r#""status":200,"failure":null,"took_ms":3.0"#), "{json}");
        assert_eq!(serde_json::from_str::<LedgerSnapshot>(&json).unwrap(), snapshot);
    }

    #[test]
    fn only_the_last_calls_are_kept() {
        let ledger = Ledger::default();
        for _ in 0..10 * limits::LEDGER_CALLS {
            record(&ledger, 1, CallbackAnswer::Status(200), 1);
        }
        assert_eq!(ledger.snapshot(0, 0).lines[0].calls.len(), limits::LEDGER_CALLS);
        for line in 0..2 * limits::LEDGER_LINES as u32 {
            record(&ledger, line, CallbackAnswer::Status(200), 1);
        }
        let snapshot = ledger.snapshot(0, 0);
        assert_eq!(snapshot.lines.len(), limits::LEDGER_LINES);
        assert_eq!(snapshot.unlisted_total, limits::LEDGER_LINES as u64);
        let calls = 10 * limits::LEDGER_CALLS as u64 + 2 * limits::LEDGER_LINES as u64;
        assert_eq!(ledger.totals()[0].outcomes, [(Stage::Start, CallOutcome::Answered, calls)]);
    }
}
