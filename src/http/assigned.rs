//! What a request's variables have been set to.

use std::collections::HashMap;

use bstr::BString;

use super::exchange::Exchange;
use super::variable::Variable;
use crate::directive::{Match, Undecided};

/// What statements and regular expressions have assigned for a request.
#[derive(Default)]
pub struct Assigned {
    /// Values of `set` and of named groups; `None`: it cannot be told.
    values: HashMap<BString, Option<BString>>,
    /// What `set $args` has made of the query string.
    query: Option<Option<BString>>,
    /// Groups of the last regular expression that matched, the whole match first.
    groups: Vec<BString>,
    /// Values that modules have given to variables, as statements have first seen them: as in nginx they then stay,
    /// whatever location follows.
    first: HashMap<&'static str, Vec<u8>>,
}

impl Assigned {
    /// Gives a variable, whose name is in lower case, a value; `None`: it cannot be told.
    pub fn set(&mut self, name: &BString, value: Option<BString>) {
        if name == "args" {
            self.query = Some(value.clone());
        }
        self.values.insert(name.clone(), value);
    }

    /// A regular expression has matched: its groups take the place of all before, its named ones that of their values.
    pub fn matched(&mut self, found: Match) {
        self.groups = found.groups;
        self.values.extend(found.named.into_iter().map(|(name, text)| (name, Some(text))));
    }

    /// A regular expression has not matched.
    pub fn not_matched(&mut self) {
        self.groups.clear();
    }

    /// The value that statements have given to a variable.
    pub(super) fn given(&self, variable: &Variable) -> Option<&BString> {
        if self.values.is_empty() {
            return None;
        }
        self.values.get(&variable.definable()?)?.as_ref()
    }

    /// The query string, if `set $args` has given another.
    pub(super) fn query(&self) -> Option<&BString> {
        self.query.as_ref()?.as_ref()
    }

    /// A group of the last regular expression that has matched: of a condition, a location or the server's name. A
    /// condition about one that does not match leaves none.
    pub(super) fn group(&self, number: u8) -> Option<&BString> {
        self.groups.get(usize::from(number))
    }

    /// The value of a module's variable, if statements have asked for it.
    pub(super) fn first(&self, name: &str) -> Option<&[u8]> {
        self.first.get(name).map(Vec::as_slice)
    }
}

impl Exchange<'_> {
    /// Whether a variable has a value here.
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
