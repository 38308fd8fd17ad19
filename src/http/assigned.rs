//! Values assigned to a request's variables.

use std::collections::HashMap;

use bstr::BString;

use super::exchange::Exchange;
use super::variable::Variable;
use crate::directive::{Match, Undecided};

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

    /// The value of a module's variable, if a statement has used it.
    pub(super) fn first(&self, name: &str) -> Option<&[u8]> {
        self.first.get(name).map(Vec::as_slice)
    }
}

impl Exchange<'_> {
    /// Whether a variable has a value.
    pub fn can_tell(&self, variable: &Variable) -> bool {
        let of_query = matches!(variable, Variable::Args | Variable::Arg(_) | Variable::IsArgs);
        if of_query && matches!(self.assigned.query, Some(None)) {
            return false;
        }
        let Some(name) = variable.definable() else { return true };
        match self.assigned.values.get(&name) {
            Some(value) => value.is_some(),
            None => !self.server.routes().without_value.contains(&name) && *variable != Variable::Other(name),
        }
    }

    /// Keeps the value of a variable that does not change after its first use.
    ///
    /// # Errors
    ///
    /// [`Undecided`], if a regular expression is.
    pub fn keep_first(&mut self, variable: &Variable) -> Result<(), Undecided> {
        let Some(name) = variable.of_module() else { return Ok(()) };
        let Some(given) = self.service().variable(name) else { return Ok(()) };
        if !self.assigned.first.contains_key(name) {
            let mut value = Vec::new();
            given.value(self, &mut value)?;
            self.assigned.first.insert(name, value);
        }
        Ok(())
    }
}
