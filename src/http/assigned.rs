//! Values assigned to a request's variables.

use std::collections::HashMap;

use bstr::BString;

use super::variable::Variable;
use crate::directive::Match;

/// Values that statements and regular expressions have assigned to a request's variables.
#[derive(Default)]
pub struct AssignedValues {
    /// Values of `set` and of named groups; `None` if the value is unknown.
    values: HashMap<BString, Option<BString>>,
    /// Query string assigned by `set $args`.
    query: Option<Option<BString>>,
    /// Groups of the latest match of a regular expression, the whole match first.
    groups: Vec<BString>,
    /// Values of modules' variables when a statement first used them. As in nginx they stay, even if another location
    /// follows.
    first: HashMap<&'static str, Vec<u8>>,
}

impl AssignedValues {
    /// Assigns a value to a variable, whose name is in lower case; `None` if the value is unknown.
    pub fn set(&mut self, name: &BString, value: Option<BString>) {
        if name == "args" {
            self.query = Some(value.clone());
        }
        self.values.insert(name.clone(), value);
    }

    /// Records a match: its groups replace all former ones, its named groups replace the values of their variables.
    pub fn matched(&mut self, found: Match) {
        self.groups = found.groups;
        self.values.extend(found.named.into_iter().map(|(name, text)| (name, Some(text))));
    }

    /// Clears the groups after a regular expression did not match.
    pub fn not_matched(&mut self) {
        self.groups.clear();
    }

    /// Value that statements have assigned to a variable.
    pub(super) fn given(&self, variable: &Variable) -> Option<&BString> {
        if self.values.is_empty() {
            return None;
        }
        self.values.get(&variable.definable()?)?.as_ref()
    }

    /// Query string, if `set $args` has replaced it.
    pub(super) fn query(&self) -> Option<&BString> {
        self.query.as_ref()?.as_ref()
    }

    /// Group of the latest match of a regular expression: of a condition, a location or the server's name. A condition
    /// that does not match clears the groups.
    pub(super) fn group(&self, number: u8) -> Option<&BString> {
        self.groups.get(usize::from(number))
    }

    /// Whether `set $args` has assigned an unknown value.
    pub(super) fn query_is_unknown(&self) -> bool {
        matches!(self.query, Some(None))
    }

    /// What statements have assigned to a variable with this name: a value, or an unknown one.
    pub(super) fn assigned(&self, name: &BString) -> Option<Option<&BString>> {
        self.values.get(name).map(Option::as_ref)
    }

    /// Keeps the first value of a module's variable.
    pub(super) fn set_first(&mut self, name: &'static str, value: Vec<u8>) {
        self.first.insert(name, value);
    }

    /// The value of a module's variable, if a statement has used it.
    pub(super) fn first(&self, name: &str) -> Option<&[u8]> {
        self.first.get(name).map(Vec::as_slice)
    }
}
