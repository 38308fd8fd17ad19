//! The statements of the rewrite module, met by a request: `if`, `set`, `return`, `break`.
//!
//! What cannot be told refuses: a condition about something that has no value here must not let a request pass.

use std::collections::HashMap;

use bstr::BString;
use http::StatusCode;

use super::Exchange;
use super::response::Return;
use super::variable::{Template, Variable, Variables};
use super::variables::RequestVariables;
use crate::config::steps::Step;
use crate::module::rewrite::condition::Condition;

/// What the statements have noted for a request.
#[derive(Default)]
pub(super) struct Assigned {
    /// Values of `set` and of named groups; `None`: it cannot be told.
    values: HashMap<BString, Option<BString>>,
    /// Groups of the last regular expression that matched.
    captures: Option<Vec<BString>>,
    /// `$invalid_referer` as statements have first seen it: as in nginx it then stays so, whatever location follows.
    invalid_referer: Option<bool>,
}

impl Assigned {
    /// The value of a variable that statements assign.
    pub(super) fn value(&self, name: &BString) -> Option<&BString> {
        self.values.get(name)?.as_ref()
    }

    /// The groups of the last condition that matched a regular expression.
    pub(super) fn captures(&self) -> Option<&Vec<BString>> {
        self.captures.as_ref()
    }

    /// `$invalid_referer`, if statements have asked for it.
    pub(super) fn invalid_referer(&self) -> Option<bool> {
        self.invalid_referer
    }
}

/// How the statements end.
pub(super) enum End<'a> {
    /// With an answer.
    Return(&'a Return),
    /// With this status.
    Refuse(StatusCode),
    /// By `break`.
    Break,
}

/// Something that cannot be told.
struct Untold;

impl<'a> Exchange<'a> {
    /// Follows the statements of a server or a location; `None`: to their end.
    pub(super) fn follow(&mut self, steps: &'a [Step]) -> Option<End<'a>> {
        for step in steps {
            match step {
                Step::Break => return Some(End::Break),
                Step::Return(answer) => return Some(End::Return(answer)),
                Step::Set(set) => {
                    let value = self.text(&set.value).ok();
                    self.assigned.values.insert(set.name.clone(), value);
                }
                Step::Rewrite(rewrite) => {
                    if rewrite.pattern.is_match(self.path) {
                        return Some(End::Refuse(StatusCode::SERVICE_UNAVAILABLE));
                    }
                }
                Step::If(condition, inner, location) => match self.meets(condition) {
                    Err(Untold) => return Some(End::Refuse(StatusCode::SERVICE_UNAVAILABLE)),
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

    fn meets(&mut self, condition: &Condition) -> Result<bool, Untold> {
        match condition {
            Condition::True(name) => Ok(!matches!(&self.variable(name)?[..], b"" | b"0")),
            Condition::Equal(name, text, negated) => {
                Ok((self.variable(name)? == self.text(text)?) != *negated)
            }
            Condition::Match(name, pattern, negated) => {
                let text = self.variable(name)?;
                let captures = pattern.captures(&text);
                let matched = captures.is_some();
                if matched {
                    self.assigned.captures = captures;
                    let named = pattern.named_captures(&text).into_iter();
                    self.assigned.values.extend(named.map(|(name, text)| (name, Some(text))));
                }
                Ok(matched != *negated)
            }
            // To look for a file would keep this thread from its media.
            Condition::File(..) => Err(Untold),
        }
    }

    fn variable(&mut self, name: &BString) -> Result<BString, Untold> {
        let variable = Variable::find(name);
        self.check(&variable)?;
        self.note(&variable);
        let mut value = Vec::new();
        RequestVariables::new(self).value(&variable, &mut value);
        Ok(value.into())
    }

    fn text(&mut self, template: &Template) -> Result<BString, Untold> {
        for variable in template.variables() {
            self.check(variable)?;
            self.note(variable);
        }
        let mut value = Vec::new();
        template.expand(&RequestVariables::new(self), &mut value);
        Ok(value.into())
    }

    /// Keeps the value of a variable that does not change after its first use.
    fn note(&mut self, variable: &Variable) {
        if *variable == Variable::InvalidReferer && self.assigned.invalid_referer.is_none() {
            self.assigned.invalid_referer = Some(self.is_referer_invalid());
        }
    }

    /// Whether a variable has a value here.
    fn check(&self, variable: &Variable) -> Result<(), Untold> {
        let untold = match variable {
            Variable::Other(_) => true,
            Variable::User(name) => match self.assigned.values.get(name) {
                Some(value) => value.is_none(),
                // What is a group of the location or the server's name has that value here.
                None => self.server.without_value.contains(name) && self.captured(name).is_none(),
            },
            _ => false,
        };
        if untold { Err(Untold) } else { Ok(()) }
    }
}
