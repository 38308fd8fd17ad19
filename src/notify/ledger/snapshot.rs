//! Snapshot of the ledger, for `pingosd status callbacks`, statistics, and JSON.
//!
//! Fields are added but never renamed or removed, because readers of the JSON rely on their names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of every callback line that has been used, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerSnapshot {
    /// By file and line.
    pub lines: Vec<LineSnapshot>,
    /// Number of calls of lines beyond the ledger's bound.
    pub unlisted_total: u64,
    /// Number of `done` requests waiting to be repeated.
    pub done_waiting: usize,
    /// Number of `done` requests that were given up.
    pub done_lost_total: u64,
}

/// One callback line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineSnapshot {
    /// File of the configuration, as it was opened.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Value of `call=`; `proc` and `master` for callbacks about the process.
    pub event: String,
    /// The callback server: scheme, host and port, without path and query.
    pub server: String,
    /// Number of calls answered with a status below 400.
    pub answered_total: u64,
    /// Number of calls answered with a status of 400 or above.
    pub refused_total: u64,
    /// Number of calls without an answer.
    pub failed_total: u64,
    /// Number of calls that timed out.
    pub timed_out_total: u64,
    /// Sum of the durations of calls, in milliseconds.
    pub took_ms_total: f64,
    /// Latency histogram, in ascending order.
    pub latency: Vec<LatencyClass>,
    /// The last calls, newest first.
    pub calls: Vec<CallSnapshot>,
}

/// A class of the latency histogram. It does not include the calls of lower classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyClass {
    /// Upper bound in milliseconds, inclusive; `None` for the last class.
    pub most_ms: Option<u64>,
    /// Number of calls.
    pub count: u64,
}

/// A call that was answered or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallSnapshot {
    /// Time at which it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// Value of `act=`.
    pub act: String,
    /// HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The reason why there was no answer.
    pub failure: Option<String>,
    /// Duration in milliseconds.
    pub took_ms: f64,
    /// Address and port of the callback server.
    pub address: Option<String>,
    /// Consequence; see [`super::CallDecision::name`].
    pub decision: String,
    /// `clientid`, the `*N` of the error log.
    pub session: Option<u64>,
}

/// One paragraph per line: counters, histogram, last calls.
impl fmt::Display for LedgerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "done events: {} waiting, {} lost", self.done_waiting, self.done_lost_total)?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl fmt::Display for LineSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}:{} {}", self.event, self.file, self.line, self.server)?;
        writeln!(
            f,
            "  answered {} refused {} failed {} timed out {}",
            self.answered_total, self.refused_total, self.failed_total, self.timed_out_total
        )?;
        f.write_str("  latency")?;
        for class in self.latency.iter().filter(|class| class.count > 0) {
            match class.most_ms {
                Some(most) => write!(f, " <={most}ms:{}", class.count)?,
                None => write!(f, " more:{}", class.count)?,
            }
        }
        writeln!(f)?;
        self.calls.iter().try_for_each(|call| writeln!(f, "  {call}"))
    }
}

impl fmt::Display for CallSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = i64::try_from(self.at_ms).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        if let Some(at) = at {
            let at = at.to_zoned_datetime(jiff::tz::TimeZone::system());
            write!(f, "{} ", at.strftime("%Y-%m-%d %H:%M:%S%.3f %z"))?;
        }
        f.write_str(&self.act)?;
        match (&self.status, &self.failure) {
            (Some(status), _) => write!(f, " {status}")?,
            (None, Some(failure)) => write!(f, " {failure}")?,
            (None, None) => {}
        }
        write!(f, " {:.1}ms", self.took_ms)?;
        if let Some(address) = &self.address {
            write!(f, " {address}")?;
        }
        write!(f, " {}", self.decision)?;
        match self.session {
            Some(session) => write!(f, " *{session}"),
            None => Ok(()),
        }
    }
}
