//! What became of callbacks: for each line its counters, how long answers took, and its last calls.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Answer;
use crate::limits;
use crate::module::notify::hook::Hook;
use crate::module::notify::request::Act;

/// Upper ends of the histogram's classes, in milliseconds; one more class holds the rest.
const CLASSES: [u64; 9] = [1, 2, 5, 10, 50, 100, 500, 1_000, 3_000];

/// All callback lines that have been used.
#[derive(Default)]
pub struct Ledger {
    lines: Mutex<BTreeMap<(String, u32), Line>>,
}

/// One callback line.
#[derive(Default)]
struct Line {
    event: String,
    answered_total: u64,
    refused_total: u64,
    failed_total: u64,
    timed_out_total: u64,
    classes: [u64; CLASSES.len() + 1],
    last: VecDeque<(Instant, Call)>,
}

/// A call that has come to its end.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Stage of the event.
    pub act: Act,
    /// Number of the session it was about.
    pub session: Option<u64>,
    /// What came back.
    pub answer: Answer,
    /// How long that took.
    pub took: Duration,
    /// Who answered.
    pub address: Option<SocketAddr>,
}

impl Ledger {
    /// Enters a call.
    pub fn record(&self, hook: &Hook, event: &str, call: Call) {
        let key = (hook.pos.file.display().to_string(), hook.pos.line);
        let mut lines = self.lock();
        if lines.len() >= limits::LEDGER_LINES && !lines.contains_key(&key) {
            return;
        }
        let line = lines.entry(key).or_default();
        if line.event != event {
            line.event = event.to_owned();
        }
        match call.answer {
            Answer::Status(400..) => line.refused_total += 1,
            Answer::Status(_) => line.answered_total += 1,
            Answer::Failed => line.failed_total += 1,
            Answer::TimedOut => line.timed_out_total += 1,
        }
        let millis = call.took.as_millis();
        let class = CLASSES.iter().position(|end| millis <= u128::from(*end)).unwrap_or(CLASSES.len());
        line.classes[class] += 1;
        if line.last.len() >= limits::LEDGER_CALLS {
            line.last.pop_front();
        }
        line.last.push_back((Instant::now(), call));
    }

    /// The ledger as text: a paragraph per line, its counters, its histogram, its last calls.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for ((file, number), line) in self.lock().iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "{} {file}:{number}\n  answered {} refused {} failed {} timed out {}",
                line.event, line.answered_total, line.refused_total, line.failed_total, line.timed_out_total
            );
            out.push_str("  latency");
            for (class, count) in line.classes.iter().enumerate().filter(|(_, count)| **count > 0) {
                let _ = match CLASSES.get(class) {
                    Some(end) => write!(out, " <={end}ms:{count}"),
                    None => write!(out, " more:{count}"),
                };
            }
            out.push('\n');
            for (at, call) in line.last.iter().rev() {
                let _ = write!(
                    out,
                    "  {:.1}s ago {} {} {:.1}ms",
                    at.elapsed().as_secs_f64(),
                    call.act.name(),
                    call.answer,
                    call.took.as_secs_f64() * 1000.0
                );
                if let Some(address) = call.address {
                    let _ = write!(out, " {address}");
                }
                if let Some(session) = call.session {
                    let _ = write!(out, " *{session}");
                }
                out.push('\n');
            }
        }
        out
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, u32), Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Msec, Pos};
    use crate::module::notify::hook::{Enforce, Stages};
    use crate::module::notify::url::Url;
    use crate::module::notify::variable::Template;

    fn hook(line: u32) -> Hook {
        Hook {
            url: Url::parse(b"http://h/").unwrap().0,
            args: Template::default(),
            groupid: "".into(),
            stages: Stages::default(),
            timeout: Msec(1),
            update: Msec(1),
            enforce: Enforce::default(),
            legacy: false,
            pos: Pos { file: std::path::Path::new("nginx.conf").into(), line },
        }
    }

    fn record(ledger: &Ledger, line: u32, answer: Answer, millis: u64) {
        let took = Duration::from_millis(millis);
        let call = Call { act: Act::Start, session: Some(7), answer, took, address: None };
        ledger.record(&hook(line), "publish", call);
    }

    #[test]
    fn calls_are_counted_by_line_outcome_and_latency() {
        let ledger = Ledger::default();
        record(&ledger, 5, Answer::Status(200), 1);
        record(&ledger, 5, Answer::Status(403), 7);
        record(&ledger, 5, Answer::TimedOut, 5_000);
        record(&ledger, 9, Answer::Failed, 0);
        let text = ledger.text();
        assert!(
            text.contains("publish nginx.conf:5\n  answered 1 refused 1 failed 0 timed out 1\n"),
            "{text}"
        );
        assert!(text.contains("  latency <=1ms:1 <=10ms:1 more:1\n"), "{text}");
        assert!(text.contains("publish nginx.conf:9\n  answered 0 refused 0 failed 1"), "{text}");
        assert!(text.contains("start timed out 5000.0ms *7\n"), "{text}");
    }

    #[test]
    fn only_the_last_calls_are_kept() {
        let ledger = Ledger::default();
        for _ in 0..10 * limits::LEDGER_CALLS {
            record(&ledger, 1, Answer::Status(200), 1);
        }
        assert_eq!(ledger.text().lines().count(), 3 + limits::LEDGER_CALLS);
        for line in 0..2 * limits::LEDGER_LINES as u32 {
            record(&ledger, line, Answer::Status(200), 1);
        }
        assert_eq!(ledger.lock().len(), limits::LEDGER_LINES);
    }
}
