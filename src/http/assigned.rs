//! Values assigned to a request's variables.

use std::sync::atomic::{AtomicBool, Ordering};

use bstr::{BStr, BString, ByteSlice};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::variable::Variable;
use crate::directive::Match;

/// Values that statements and regular expressions have assigned to a request's variables.
#[derive(Default)]
pub struct AssignedValues {
    /// Values of `set` and of named groups.
    values: FxHashMap<BString, BString>,
    /// Groups of the latest match of a regular expression, the whole match first.
    groups: Vec<BString>,
    /// Values of modules' variables at their first use. As in nginx they stay, even if another location follows.
    kept: Mutex<FxHashMap<BString, Option<BString>>>,
    /// What matches of variables' regular expressions have assigned since the last change of the values above.
    looked_up: Mutex<Option<Match>>,
    /// Whether there is one.
    has_looked_up: AtomicBool,
}

impl AssignedValues {
    /// The same values for a request beside this one.
    pub(super) fn for_another(&self) -> AssignedValues {
        AssignedValues {
            values: self.values.clone(),
            groups: self.groups.clone(),
            kept: Mutex::new(self.kept.lock().clone()),
            looked_up: Mutex::new(self.looked_up.lock().clone()),
            has_looked_up: AtomicBool::new(self.has_looked_up.load(Ordering::Relaxed)),
        }
    }

    /// The values for a subrequest, until they are taken back. As in nginx, it shares them, but has groups of its own.
    pub(super) fn lend(&mut self) -> AssignedValues {
        self.settle();
        let values = std::mem::take(&mut self.values);
        AssignedValues { values, kept: std::mem::take(&mut self.kept), ..AssignedValues::default() }
    }

    /// As [`AssignedValues::lend`], for a subrequest that repeats its request: it begins with the same groups.
    pub(super) fn lend_all(&mut self) -> AssignedValues {
        AssignedValues { groups: self.groups().to_vec(), ..self.lend() }
    }

    /// Takes back the values of a subrequest.
    pub(super) fn take_back(&mut self, mut lent: AssignedValues) {
        lent.settle();
        (self.values, self.kept) = (lent.values, lent.kept);
    }

    /// Assigns a value to a variable, whose name is in lower case.
    pub fn set(&mut self, name: &BString, value: BString) {
        self.settle();
        self.values.insert(name.clone(), value);
    }

    /// Records a match: its groups replace all former ones, its named groups replace the values of their variables.
    pub fn matched(&mut self, found: Match) {
        self.settle();
        self.groups = found.groups;
        self.values.extend(found.named);
    }

    /// Clears the groups after a regular expression did not match.
    pub fn not_matched(&mut self) {
        self.settle();
        self.groups.clear();
    }

    /// Records the match of a regular expression of a variable that is being looked up: its groups replace all former
    /// ones, its named groups only those of the same names.
    pub fn looked_up(&self, mut found: Match) {
        let mut latest = self.looked_up.lock();
        if let Some(former) = latest.take() {
            let is_new = |name: &BString| found.named.iter().all(|(known, _)| known != name);
            let others: Vec<_> = former.named.into_iter().filter(|(name, _)| is_new(name)).collect();
            found.named.extend(others);
        }
        *latest = Some(found);
        self.has_looked_up.store(true, Ordering::Relaxed);
    }

    /// Value that matches of variables' regular expressions have assigned to a variable: a value, or that there is none.
    pub(super) fn found(&self, variable: &Variable) -> Option<Option<BString>> {
        if !self.has_looked_up.load(Ordering::Relaxed) {
            return None;
        }
        let found = self.looked_up.lock();
        let found = found.as_ref()?;
        match variable {
            Variable::Capture(number) => Some(found.groups.get(usize::from(*number)).cloned()),
            Variable::User(name) => {
                found.named.iter().find(|(known, _)| known == name).map(|(_, text)| Some(text.clone()))
            }
            _ => None,
        }
    }

    /// Makes matches of variables' regular expressions ones like those of statements.
    fn settle(&mut self) {
        self.has_looked_up = AtomicBool::new(false);
        if let Some(found) = self.looked_up.get_mut().take() {
            self.groups = found.groups;
            self.values.extend(found.named);
        }
    }

    /// Groups of the latest match, the whole match first.
    pub fn groups(&mut self) -> &[BString] {
        self.settle();
        &self.groups
    }

    /// Replaces the groups of the latest match.
    pub fn set_groups(&mut self, groups: Vec<BString>) -> Vec<BString> {
        self.settle();
        std::mem::replace(&mut self.groups, groups)
    }

    /// Value that statements have assigned to a variable.
    pub(super) fn given(&self, variable: &Variable) -> Option<&BString> {
        if self.values.is_empty() {
            return None;
        }
        self.values.get(&variable.definable()?)
    }

    /// Value that statements have assigned to the variable of this name.
    pub(super) fn given_named(&self, name: &[u8]) -> Option<&BString> {
        self.values.get(name.as_bstr())
    }

    /// Group of the latest match of a regular expression: of a condition, a location or the server's name. A condition
    /// that does not match clears the groups.
    pub(super) fn group(&self, number: u8) -> Option<&BString> {
        self.groups.get(usize::from(number))
    }

    /// Keeps the first value of a module's variable.
    pub(super) fn keep(&self, name: &BStr, value: Option<BString>) {
        self.kept.lock().insert(name.to_owned(), value);
    }

    /// The kept value of a module's variable: a value, or that there is none.
    pub(super) fn kept(&self, name: &BStr) -> Option<Option<BString>> {
        self.kept.lock().get(name).cloned()
    }
}
