//! Evaluation of the rewrite module's statements for a request: `if`, `set`, `return`, `break`.
//!
//! An undecidable condition refuses: a condition about a variable without a value must not let a request pass.

use bstr::BString;
use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};

use super::answer::Return;
use super::condition::Condition;
use super::conf::{Statement, Statements};
use crate::directive::Undecided;
use crate::http::exchange::Exchange;
use crate::http::exchange::{Decision, PhaseCheck};
use crate::http::log;
use crate::http::reply::{Body, full, plain};
use crate::http::routes::Location;
use crate::http::variable::{Template, Variable};

/// Status of `return` that closes the connection without a response.
const CLOSES: u16 = 444;

/// Executes the statements of servers and locations.
pub struct RewritePhase;

impl PhaseCheck for RewritePhase {
    fn server_rewrite(&self, exchange: &mut Exchange<'_>) -> Decision {
        let server = exchange.server.routes();
        decide(exchange, &server.fallback)
    }

    fn rewrite(&self, exchange: &mut Exchange<'_>) -> Decision {
        let location = exchange.location;
        decide(exchange, location)
    }
}

/// Executes the statements of a location, or those of a server with its own values.
fn decide<'a>(exchange: &mut Exchange<'a>, location: &'a Location) -> Decision {
    let mut statements = Execution { exchange, location };
    match statements.follow(&location.get::<Statements>().0) {
        Some(StatementsOutcome::Return(answer)) => Decision::Done(reply(exchange, answer)),
        Some(StatementsOutcome::Refuse(status)) => Decision::Done(Some(plain(status))),
        Some(StatementsOutcome::Break) | None => Decision::Next,
    }
}

/// Result of the statements.
pub(super) enum StatementsOutcome<'a> {
    /// An answer.
    Return(&'a Return),
    /// A refusal with this status.
    Refuse(StatusCode),
    /// `break`.
    Break,
}

/// Reason why a condition is undecidable.
enum ConditionError {
    /// A variable has no value.
    Valueless,
    /// A regular expression exceeded its bounds.
    Undecided,
}

impl From<Undecided> for ConditionError {
    fn from(Undecided: Undecided) -> ConditionError {
        ConditionError::Undecided
    }
}

/// Execution of a location's statements for one request.
struct Execution<'w, 'a> {
    exchange: &'w mut Exchange<'a>,
    location: &'a Location,
}

impl<'a> Execution<'_, 'a> {
    /// Executes statements; `None` if none of them ended the execution.
    fn follow(&mut self, statements: &'a [Statement]) -> Option<StatementsOutcome<'a>> {
        for statement in statements {
            match statement {
                Statement::Break => return Some(StatementsOutcome::Break),
                Statement::Return(answer) => return Some(StatementsOutcome::Return(answer)),
                Statement::Set(set) => {
                    let value = match self.text(&set.value) {
                        Ok(value) => Some(value),
                        // Only uses of the variable are refused.
                        Err(ConditionError::Valueless) => None,
                        Err(why @ ConditionError::Undecided) => return Some(self.refuse(why)),
                    };
                    self.exchange.assigned.set(&set.name, value);
                }
                Statement::Rewrite(rewrite) => match rewrite.pattern.is_match(self.exchange.path) {
                    Ok(true) => return Some(self.refuse(ConditionError::Valueless)),
                    Ok(false) => self.exchange.assigned.not_matched(),
                    Err(undecided) => return Some(self.refuse(undecided.into())),
                },
                Statement::If(condition, inner, number) => match self.meets(condition) {
                    Err(why) => return Some(self.refuse(why)),
                    Ok(false) => {}
                    Ok(true) => {
                        if let Some(conditional) = self.location.conditional.get(*number) {
                            self.exchange.location = conditional;
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

    fn refuse(&self, why: ConditionError) -> StatementsOutcome<'a> {
        StatementsOutcome::Refuse(match why {
            ConditionError::Valueless => StatusCode::SERVICE_UNAVAILABLE,
            ConditionError::Undecided => {
                log::undecided(self.exchange.id(), "a condition", self.exchange.peer());
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
                    Some(found) => self.exchange.assigned.matched(found),
                    None => self.exchange.assigned.not_matched(),
                }
                Ok(is_match != *negated)
            }
            // Checking for a file would block this thread's media.
            Condition::File(..) => Err(ConditionError::Valueless),
        }
    }

    fn variable(&mut self, name: &BString) -> Result<BString, ConditionError> {
        let variable = Variable::find(name);
        self.look_at(&variable)?;
        Ok(self.exchange.value(&variable).into())
    }

    fn text(&mut self, template: &Template) -> Result<BString, ConditionError> {
        template.variables().try_for_each(|variable| self.look_at(variable))?;
        Ok(self.exchange.expand(template).into())
    }

    /// Checks that a statement can use the variable, and keeps the value that it sees.
    fn look_at(&mut self, variable: &Variable) -> Result<(), ConditionError> {
        if !self.exchange.can_tell(variable) {
            return Err(ConditionError::Valueless);
        }
        Ok(self.exchange.keep_first(variable)?)
    }
}

/// Response of a `return`; `None` closes the connection without a response.
fn reply(exchange: &Exchange<'_>, fixed: &Return) -> Option<Response<Body>> {
    let text = fixed.text.as_ref().map(|template| exchange.expand(template)).unwrap_or_default();
    if fixed.status == CLOSES {
        return None;
    }
    let status = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::BAD_REQUEST);
    if fixed.is_redirect() {
        let mut response = plain(status);
        // A value with control bytes is not a valid header value; the redirect then has no target.
        if let Ok(value) = HeaderValue::from_bytes(&exchange.absolute(&text)) {
            response.headers_mut().insert(LOCATION, value);
        }
        return Some(response);
    }
    // Only error statuses have a page.
    if fixed.text.is_none() && !status.is_success() {
        return Some(plain(status));
    }
    let mut response = Response::new(full(Bytes::from(text)));
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        exchange.set_type(response.headers_mut(), exchange.path);
    }
    Some(response)
}
