//! The generations that were in force, what was refused last, and what waits to be confirmed.
//!
//! Generations are numbered from 1 in the order in which they came into force. The numbers go on over restarts, as far as
//! earlier generations are kept on disk: a server that starts with what was in force last has the same number again, else
//! the next one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::watch::Fingerprint;
use crate::limits;
use crate::syntax::Sources;

/// A configuration that is or was in force.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number, see above.
    pub number: u64,
    /// When it came into force first.
    pub since: Timestamp,
    /// Identifies its texts.
    pub fingerprint: Fingerprint,
    /// Its texts, those of all included files among them.
    pub sources: Sources,
}

/// A reload that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// The texts, if it came to reading them.
    pub fingerprint: Option<Fingerprint>,
    /// Why, a line each.
    pub reasons: Vec<String>,
}

/// What has become of configurations.
#[derive(Debug, Default)]
pub struct History {
    /// The oldest first; the last one is in force.
    kept: VecDeque<Generation>,
    refused: Option<Refusal>,
    /// Texts that were given up for older ones: they are not tried again by themselves.
    set_aside: Option<Fingerprint>,
    confirm_by: Option<Instant>,
    /// Why the one in force is not on disk, if it was to be.
    unkept: Option<String>,
}

impl Generation {
    /// One that begins now.
    pub fn new(number: u64, fingerprint: Fingerprint, sources: Sources) -> Generation {
        Generation { number, since: Timestamp::now(), fingerprint, sources }
    }
}

impl History {
    /// Begins with what an earlier process has left, the oldest first.
    pub fn preceded_by(&mut self, earlier: Vec<Generation>) {
        for generation in earlier.into_iter().rev() {
            self.kept.push_front(generation);
        }
        self.shorten();
    }

    /// Another configuration is in force.
    pub fn taken(&mut self, generation: Generation) {
        self.refused = None;
        self.set_aside = None;
        self.kept.push_back(generation);
        self.shorten();
    }

    /// A reload was refused.
    pub fn refused(&mut self, fingerprint: Option<Fingerprint>, reasons: Vec<String>) {
        self.refused = Some(Refusal { at: Timestamp::now(), fingerprint, reasons });
    }

    /// The one in force.
    pub fn current(&self) -> Option<&Generation> {
        self.kept.back()
    }

    /// The latest before the one in force that differs from it.
    pub fn previous(&self) -> Option<&Generation> {
        let current = self.current()?.fingerprint;
        self.kept.iter().rev().find(|generation| generation.fingerprint != current)
    }

    /// An older one is about to be in force again, under a number of its own: it and all that came after it are forgotten
    /// and returned, and the texts that are in force now are not tried again by themselves.
    pub fn rolled_back(&mut self, to: Generation) -> Vec<Generation> {
        let given_up = self.current().map(|current| current.fingerprint);
        let target = to.fingerprint;
        let at = self.kept.iter().rposition(|generation| generation.fingerprint == target);
        let forgotten = self.kept.split_off(at.unwrap_or(self.kept.len()));
        self.taken(to);
        self.set_aside = given_up;
        forgotten.into()
    }

    /// All that are kept, the newest first.
    pub fn kept(&self) -> impl Iterator<Item = &Generation> {
        self.kept.iter().rev()
    }

    /// Whether the one in force is on disk, or why not.
    pub fn set_unkept(&mut self, why: Option<String>) {
        self.unkept = why;
    }

    /// Why the one in force is not on disk.
    pub fn unkept(&self) -> Option<&str> {
        self.unkept.as_deref()
    }

    /// The last refusal, unless a reload has succeeded since.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refused.as_ref()
    }

    /// Whether these texts were given up for older ones.
    pub fn is_set_aside(&self, fingerprint: Fingerprint) -> bool {
        self.set_aside == Some(fingerprint)
    }

    /// What is in force has to be confirmed within that time; `None`: no more.
    pub fn confirm_within(&mut self, time: Option<Duration>) {
        self.confirm_by = time.and_then(|time| Instant::now().checked_add(time));
    }

    /// When the server goes back by itself.
    pub fn confirm_by(&self) -> Option<Instant> {
        self.confirm_by
    }

    fn shorten(&mut self) {
        while self.kept.len() > limits::GENERATIONS {
            self.kept.pop_front();
        }
    }
}

/// A history that several threads use.
pub struct SharedHistory(Mutex<History>);

impl SharedHistory {
    /// Begins with `history`.
    pub fn new(history: History) -> SharedHistory {
        SharedHistory(Mutex::new(history))
    }

    /// Not to be held over an `.await`.
    pub fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::syntax::source::{Origin, SourceFile};

    fn generation(number: u64, text: &'static str) -> Generation {
        let mut sources = Sources::default();
        let name = Arc::from(Path::new("a.conf"));
        sources.add(SourceFile { name, bytes: text.into(), origin: Origin::File });
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
