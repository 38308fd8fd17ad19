//! The statements of the rewrite module, met by a request: `if`, `set`, `return`, `break`.
//!
//! What cannot be told refuses: a condition about something that has no value here must not let a request pass.

use std::collections::HashMap;

use bstr::BString;
use http::StatusCode;

use super::response::Return;
use super::variable::{Template, Variable, Variables};
use super::variables::RequestVariables;
use super::{Exchange, log};
use crate::config::steps::RequestStep;
use crate::directive::{Match, Undecided};
use crate::module::rewrite::condition::Condition;

/// What the statements have noted for a request.
#[derive(Default)]
pub(super) struct RequestNotes {
    /// Values of `set` and of named groups; `None`: it cannot be told.
    values: HashMap<BString, Option<BString>>,
    /// What `set $args` has made of the query string.
    query: Option<Option<BString>>,
    /// Groups of the last regular expression that matched, the whole match first.
    groups: Vec<BString>,
    /// `$invalid_referer` as statements have first seen it: as in nginx it then stays so, whatever location follows.
    invalid_referer: Option<bool>,
}

impl RequestNotes {
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

    /// A regular expression has matched: its groups take the place of all before, its named ones that of their values.
    pub(super) fn matched(&mut self, found: Match) {
        self.groups = found.groups;
        self.values.extend(found.named.into_iter().map(|(name, text)| (name, Some(text))));
    }

    /// `$invalid_referer`, if statements have asked for it.
    pub(super) fn invalid_referer(&self) -> Option<bool> {
        self.invalid_referer
    }
}

/// How the statements end.
pub(super) enum ConditionOutcome<'a> {
    /// With an answer.
    Return(&'a Return),
    /// With this status.
    Refuse(StatusCode),
    /// By `break`.
    Break,
}

/// Why something cannot be told.
enum ConditionError {
    /// A variable has no value here.
    Valueless,
    /// A regular expression has reached its limit.
    Undecided,
}

impl From<Undecided> for ConditionError {
    fn from(Undecided: Undecided) -> ConditionError {
        ConditionError::Undecided
    }
}

impl<'a> Exchange<'a> {
    /// Follows the statements of a server or a location; `None`: to their end.
    pub(super) fn follow(&mut self, steps: &'a [RequestStep]) -> Option<ConditionOutcome<'a>> {
        for step in steps {
            match step {
                RequestStep::Break => return Some(ConditionOutcome::Break),
                RequestStep::Return(answer) => return Some(ConditionOutcome::Return(answer)),
                RequestStep::Set(set) => {
                    let value = match self.text(&set.value) {
                        Ok(value) => Some(value),
                        // Only what asks for the variable is refused.
                        Err(ConditionError::Valueless) => None,
                        Err(why @ ConditionError::Undecided) => return Some(self.refuse(why)),
                    };
                    if set.name == "args" {
                        self.assigned.query = Some(value.clone());
                    }
                    self.assigned.values.insert(set.name.clone(), value);
                }
                RequestStep::Rewrite(rewrite) => match rewrite.pattern.is_match(self.path) {
                    Ok(true) => return Some(self.refuse(ConditionError::Valueless)),
                    Ok(false) => self.assigned.groups.clear(),
                    Err(undecided) => return Some(self.refuse(undecided.into())),
                },
                RequestStep::If(condition, inner, location) => match self.meets(condition) {
                    Err(why) => return Some(self.refuse(why)),
                    Ok(false) => {}
                    Ok(true) => {
                        if let Some(location) = location {
                            self.location = location;
                        }
                        if let Some(end) = self.follow(inner) {
                            return Some(end);
                        }
                    }
                },
            }
        }
        None
    }

    fn refuse(&self, why: ConditionError) -> ConditionOutcome<'a> {
        ConditionOutcome::Refuse(match why {
            ConditionError::Valueless => StatusCode::SERVICE_UNAVAILABLE,
            ConditionError::Undecided => {
                log::undecided(self.connection.id, "a condition", &self.connection.peer);
                StatusCode::INTERNAL_SERVER_ERROR
            }
        })
    }

    fn meets(&mut self, condition: &Condition) -> Result<bool, ConditionError> {
        match condition {
            Condition::True(name) => Ok(!matches!(&self.variable(name)?[..], b"" | b"0")),
            Condition::Equal(name, text, negated) => {
                Ok((self.variable(name)? == self.text(text)?) != *negated)
            }
            Condition::Match(name, pattern, negated) => {
                let text = self.variable(name)?;
                let found = pattern.find(&text)?;
                let is_match = found.is_some();
                match found {
                    Some(found) => self.assigned.matched(found),
                    None => self.assigned.groups.clear(),
                }
                Ok(is_match != *negated)
            }
            // To look for a file would keep this thread from its media.
            Condition::File(..) => Err(ConditionError::Valueless),
        }
    }

    fn variable(&mut self, name: &BString) -> Result<BString, ConditionError> {
        let variable = Variable::find(name);
        self.check(&variable)?;
        self.note(&variable)?;
        let mut value = Vec::new();
        RequestVariables::new(self).value(&variable, &mut value);
        Ok(value.into())
    }

    fn text(&mut self, template: &Template) -> Result<BString, ConditionError> {
        for variable in template.variables() {
            self.check(variable)?;
            self.note(variable)?;
        }
        let mut value = Vec::new();
        template.expand(&RequestVariables::new(self), &mut value);
        Ok(value.into())
    }

    /// Keeps the value of a variable that does not change after its first use.
    fn note(&mut self, variable: &Variable) -> Result<(), Undecided> {
        if *variable == Variable::InvalidReferer && self.assigned.invalid_referer.is_none() {
            self.assigned.invalid_referer = Some(self.is_referer_invalid()?);
        }
        Ok(())
    }

    /// Whether a variable has a value here.
    fn check(&self, variable: &Variable) -> Result<(), ConditionError> {
        let of_query = matches!(variable, Variable::Args | Variable::Arg(_) | Variable::IsArgs);
        if of_query && matches!(self.assigned.query, Some(None)) {
            return Err(ConditionError::Valueless);
        }
        if let Some(name) = variable.definable() {
            let is_untold = match self.assigned.values.get(&name) {
                Some(value) => value.is_none(),
                None => self.server.without_value.contains(&name) || *variable == Variable::Other(name),
            };
            if is_untold {
                return Err(ConditionError::Valueless);
            }
        }
        Ok(())
    }
}
