//! History of generations, the last refusal, and a pending confirmation.
//!
//! Generations are numbered from 1 in the order in which they came into force. Numbers continue across restarts as far
//! as generations are kept on disk: a server that starts with the last configuration in force keeps its number,
//! otherwise it takes the next one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use super::watch::Fingerprint;
use crate::limits;
use crate::syntax::Sources;

/// A configuration that is or was in force.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Number; see the module's documentation.
    pub number: u64,
    /// Time at which it first came into force.
    pub since: Timestamp,
    /// Fingerprint of its texts.
    pub fingerprint: Fingerprint,
    /// Its texts, including those of all included files.
    pub sources: Sources,
}

/// A refused reload.
#[derive(Clone, Debug)]
pub struct RefusedConfig {
    /// Time.
    pub at: Timestamp,
    /// Fingerprint of the texts, if they were read.
    pub fingerprint: Option<Fingerprint>,
    /// Reasons, one per line.
    pub reasons: Vec<String>,
}

/// History of configurations.
#[derive(Debug, Default)]
pub struct History {
    /// Oldest first; the last one is in force.
    kept: VecDeque<Generation>,
    refused: Option<RefusedConfig>,
    /// Texts replaced by a rollback, which are not retried automatically.
    set_aside: Option<Fingerprint>,
    confirm_by: Option<Instant>,
    /// Reason why the current generation is not on disk, if it should be.
    unkept: Option<String>,
    reloads: ReloadTotals,
}

/// Reloads of this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadTotals {
    /// Generations that were applied, also the one in force.
    pub applied: u64,
    /// Generations that were refused.
    pub refused: u64,
}

impl Generation {
    /// A generation that comes into force now.
    pub fn new(number: u64, fingerprint: Fingerprint, sources: Sources) -> Generation {
        Generation { number, since: Timestamp::now(), fingerprint, sources }
    }
}

impl History {
    /// Prepends the generations of an earlier process, oldest first.
    pub fn preceded_by(&mut self, earlier: Vec<Generation>) {
        for generation in earlier.into_iter().rev() {
            self.kept.push_front(generation);
        }
        self.shorten();
    }

    /// Records that another configuration came into force.
    pub fn taken(&mut self, generation: Generation) {
        self.refused = None;
        self.set_aside = None;
        self.kept.push_back(generation);
        self.shorten();
    }

    /// Records a refused reload.
    pub fn refused(&mut self, fingerprint: Option<Fingerprint>, reasons: Vec<String>) {
        self.refused = Some(RefusedConfig { at: Timestamp::now(), fingerprint, reasons });
    }

    /// Forgets the last refusal: the files hold the current generation.
    pub fn withdraw_refusal(&mut self) {
        self.refused = None;
    }

    /// Counts a reload.
    pub fn count_reload(&mut self, is_applied: bool) {
        match is_applied {
            true => self.reloads.applied += 1,
            false => self.reloads.refused += 1,
        }
    }

    /// Reloads so far.
    pub fn reloads(&self) -> ReloadTotals {
        self.reloads
    }

    /// The current generation.
    pub fn current(&self) -> Option<&Generation> {
        self.kept.back()
    }

    /// The latest generation before the current one that differs from it.
    pub fn previous(&self) -> Option<&Generation> {
        let current = self.current()?.fingerprint;
        self.kept.iter().rev().find(|generation| generation.fingerprint != current)
    }

    /// Prepares a rollback, under a new number: removes and returns the older generation and all later ones. The
    /// current texts will not be retried automatically.
    pub fn rolled_back(&mut self, to: Generation) -> Vec<Generation> {
        let given_up = self.current().map(|current| current.fingerprint);
        let target = to.fingerprint;
        let at = self.kept.iter().rposition(|generation| generation.fingerprint == target);
        let forgotten = self.kept.split_off(at.unwrap_or(self.kept.len()));
        self.taken(to);
        self.set_aside = given_up;
        forgotten.into()
    }

    /// All kept generations, newest first.
    pub fn kept(&self) -> impl Iterator<Item = &Generation> {
        self.kept.iter().rev()
    }

    /// Sets why the current generation is not on disk; `None` if it is.
    pub fn set_unkept(&mut self, why: Option<String>) {
        self.unkept = why;
    }

    /// Reason why the current generation is not on disk.
    pub fn unkept(&self) -> Option<&str> {
        self.unkept.as_deref()
    }

    /// The last refusal, unless a later reload succeeded.
    pub fn refusal(&self) -> Option<&RefusedConfig> {
        self.refused.as_ref()
    }

    /// Whether the current generation came into force by a rollback.
    pub fn is_rolled_back(&self) -> bool {
        self.set_aside.is_some()
    }

    /// Whether a rollback has replaced these texts.
    pub fn is_set_aside(&self, fingerprint: Fingerprint) -> bool {
        self.set_aside == Some(fingerprint)
    }

    /// Requires a confirmation within this time; `None` withdraws that.
    pub fn confirm_within(&mut self, time: Option<Duration>) {
        self.confirm_by = time.and_then(|time| Instant::now().checked_add(time));
    }

    /// Time of the automatic rollback.
    pub fn confirm_by(&self) -> Option<Instant> {
        self.confirm_by
    }

    fn shorten(&mut self) {
        while self.kept.len() > limits::GENERATIONS {
            self.kept.pop_front();
        }
    }
}

/// A history shared between threads.
pub struct SharedHistory(Mutex<History>);

impl SharedHistory {
    /// Shares a history.
    pub fn new(history: History) -> SharedHistory {
        SharedHistory(Mutex::new(history))
    }

    /// The guard must not be held over an `.await`.
    pub fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::syntax::source::{SourceFile, TextOrigin};

    fn generation(number: u64, text: &'static str) -> Generation {
        let mut sources = Sources::default();
        let name = Arc::from(Path::new("a.conf"));
        sources.add(SourceFile { name, bytes: text.into(), origin: TextOrigin::File });
        Generation::new(number, Fingerprint::of(&sources), sources)
    }

    #[test]
    fn going_back_leads_further_back_each_time() {
        let mut history = History::default();
        assert!(history.previous().is_none());
        for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
            history.taken(generation(number, text));
        }
        let two = history.previous().unwrap().clone();
        assert_eq!(two.number, 2);
        let three = history.current().unwrap().fingerprint;
        let forgotten = history.rolled_back(Generation { number: 4, ..two });
        assert_eq!(forgotten.iter().map(|generation| generation.number).collect::<Vec<_>>(), [2, 3]);
        assert!(history.is_set_aside(three));
        assert_eq!(history.current().unwrap().number, 4);
        assert_eq!(history.previous().unwrap().number, 1);
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut history = History::default();
        history.taken(generation(1, "now"));
        history.preceded_by(vec![generation(0, "before")]);
        assert!(history.previous().is_some());
        for number in 2..100 {
            history.taken(generation(number, "now"));
        }
        assert_eq!(history.kept.len(), limits::GENERATIONS);
        assert!(history.previous().is_none(), "the same texts are nothing to go back to");
    }
}
