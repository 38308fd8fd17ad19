//! Values assigned to a request's variables.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};
use parking_lot::Mutex;

use super::variable::Variable;
use crate::directive::Match;

/// Values that statements and regular expressions have assigned to a request's variables.
#[derive(Default)]
pub struct AssignedValues {
    /// Values of `set` and of named groups.
    values: HashMap<BString, BString>,
    /// Groups of the latest match of a regular expression, the whole match first.
    groups: Vec<BString>,
    /// Values of modules' variables at their first use. As in nginx they stay, even if another location follows.
    kept: Mutex<HashMap<BString, Option<BString>>>,
}

impl AssignedValues {
    /// Assigns a value to a variable, whose name is in lower case.
    pub fn set(&mut self, name: &BString, value: BString) {
        self.values.insert(name.clone(), value);
    }

    /// Records a match: its groups replace all former ones, its named groups replace the values of their variables.
    pub fn matched(&mut self, found: Match) {
        self.groups = found.groups;
        self.values.extend(found.named);
    }

    /// Clears the groups after a regular expression did not match.
    pub fn not_matched(&mut self) {
        self.groups.clear();
    }

    /// Groups of the latest match, the whole match first.
    pub fn groups(&self) -> &[BString] {
        &self.groups
    }

    /// Replaces the groups of the latest match.
    pub fn set_groups(&mut self, groups: Vec<BString>) -> Vec<BString> {
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
