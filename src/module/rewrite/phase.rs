//! Execution of the rewrite module's statements for a request: `if`, `set`, `return`, `break`, `rewrite`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use http::StatusCode;

use super::answer::Return;
use super::condition::Condition;
use super::conf::{Current, Statement, Statements};
use super::rewrite_rule::{Rewrite, RewriteFlag};
use crate::directive::Undecided;
use crate::http::exchange::{Check, Decision, Exchange, PhaseCheck};
use crate::http::files::OpenFile;
use crate::http::log;
use crate::http::response::Response;
use crate::http::routes::Location;
use crate::http::uri::{Escape, escape};
use crate::http::variable::{GroupVariables, Template, Variable, is_true};

/// Statuses of `return` that close the connection without a response.
const CLOSE: [u16; 2] = [444, 499];

/// Executes the statements of servers, before the location is selected.
pub struct ServerRewritePhase;

/// Executes the statements of locations.
pub struct RewritePhase;

impl PhaseCheck for ServerRewritePhase {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Statements>().0.is_empty()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let location = exchange.server.routes().fallback.clone();
        execute(exchange, location)
    }
}

impl PhaseCheck for RewritePhase {
    fn applies_to(&self, location: &Location) -> bool {
        !location.get::<Statements>().0.is_empty()
    }

    fn check<'a, 'r>(&'a self, exchange: &'a mut Exchange<'r>) -> Check<'a> {
        let location = exchange.location.clone();
        execute(exchange, location)
    }
}

/// Executes the statements of a location, or those of a server with its own values.
fn execute<'a, 'r>(exchange: &'a mut Exchange<'r>, location: Arc<Location>) -> Check<'a> {
    // This needs no future.
    if let [Statement::Return(answer), ..] = &location.get::<Statements>().0[..]
        && !exchange.has_body()
    {
        return Check::Now(reply(exchange, answer));
    }
    Check::Later(Box::pin(async move {
        let statements = &location.get::<Statements>().0;
        match (Execution { exchange, location: &location }).follow(statements).await {
            Ok(Flow::End(decision)) => decision,
            Ok(Flow::Continue | Flow::Break) => Decision::Next,
            Err(Undecided) => {
                log::undecided(exchange, "a condition");
                Decision::page(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }))
}

/// What follows a statement.
enum Flow {
    /// The next statement.
    Continue,
    /// No further statement.
    Break,
    /// The phase ends with this decision.
    End(Decision),
}

/// Execution of a location's statements for one request.
struct Execution<'w, 'r> {
    exchange: &'w mut Exchange<'r>,
    location: &'w Location,
}

impl Execution<'_, '_> {
    /// Executes statements until one of them ends the execution.
    fn follow<'f>(
        &'f mut self,
        statements: &'f [Statement],
    ) -> Pin<Box<dyn Future<Output = Result<Flow, Undecided>> + Send + 'f>> {
        Box::pin(async move {
            for statement in statements {
                let flow = match statement {
                    Statement::Break => {
                        self.exchange.stay();
                        Flow::Break
                    }
                    Statement::Return(answer) => Flow::End(reply_to_body(self.exchange, answer).await),
                    Statement::Set(set) => {
                        let value = self.text(&set.value)?;
                        self.exchange.assign(&set.name, value);
                        Flow::Continue
                    }
                    Statement::Rewrite(rewrite) => self.rewrite(rewrite)?,
                    Statement::If(condition, inner, number) => {
                        if !self.meets(condition).await? {
                            continue;
                        }
                        if let Some(conditional) = self.location.conditional.get(*number) {
                            self.exchange.location = conditional.clone();
                        }
                        self.follow(inner).await?
                    }
                };
                if !matches!(flow, Flow::Continue) {
                    return Ok(flow);
                }
            }
            Ok(Flow::Continue)
        })
    }

    /// Replaces the path, if it matches.
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<Flow, Undecided> {
        let Some(found) = rewrite.pattern.find(&self.exchange.path)? else {
            self.exchange.assigned.not_matched();
            return Ok(Flow::Continue);
        };
        self.exchange.assigned.matched(found);
        let redirect = match rewrite.then {
            RewriteFlag::Redirect => Some(StatusCode::FOUND),
            RewriteFlag::Permanent => Some(StatusCode::MOVED_PERMANENTLY),
            RewriteFlag::Continue | RewriteFlag::Last | RewriteFlag::Break => None,
        };
        let path = self.with_groups(&rewrite.path, redirect.is_some());
        let query = rewrite.query.as_ref().map(|query| self.with_groups(query, true));
        self.decided()?;
        let own = Some(&self.exchange.query).filter(|own| rewrite.keeps_query && !own.is_empty()).cloned();
        if let Some(status) = redirect {
            let mut location = unescape(&path);
            for (index, query) in
                query.iter().map(|query| &query[..]).chain(own.iter().map(|own| &own[..])).enumerate()
            {
                location.push(if index == 0 { b'?' } else { b'&' });
                location.extend_from_slice(query);
            }
            self.tell("redirect", &location);
            return Ok(Flow::End(Decision::Done(Box::new(Response::redirect(status, location)))));
        }
        self.exchange.has_query |= query.is_some();
        self.exchange.query = match (query, own) {
            (Some(query), Some(own)) => [&query[..], b"&", &own].concat().into(),
            (Some(query), None) => query.into(),
            (None, own) => own.unwrap_or_default(),
        };
        if path.is_empty() {
            self.exchange.path.clear();
            log::about(self.exchange, &"the rewritten URI has a zero length");
            return Ok(Flow::End(Decision::page(StatusCode::INTERNAL_SERVER_ERROR)));
        }
        self.exchange.replace_path(path.into());
        self.tell("data", &self.exchange.path.clone());
        self.exchange.rewritten(rewrite.then != RewriteFlag::Break);
        Ok(match rewrite.then {
            RewriteFlag::Continue => Flow::Continue,
            _ => Flow::Break,
        })
    }

    /// Expands a part of a replacement. As in nginx, groups are escaped in a query string and in a redirect, if the
    /// request's path was.
    fn with_groups(&mut self, template: &Template, escapes: bool) -> Vec<u8> {
        let is_quoted = self.exchange.request.target().iter().any(|b| matches!(b, b'%' | b'+'));
        if !(escapes && is_quoted) {
            return self.exchange.expand(template);
        }
        let escaped =
            self.exchange.assigned.groups().iter().map(|group| escape(group, Escape::Args).into()).collect();
        let groups = self.exchange.assigned.set_groups(escaped);
        let text = self.exchange.expand(template);
        self.exchange.assigned.set_groups(groups);
        text
    }

    fn tell(&self, what: &str, text: &[u8]) {
        if self.exchange.location.get::<Current>().log {
            super::log::rewritten(self.exchange, what, text);
        }
    }

    async fn meets(&mut self, condition: &Condition) -> Result<bool, Undecided> {
        match condition {
            Condition::True(name) => Ok(is_true(&self.variable(name)?)),
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
            Condition::File(kind, path, negated) => {
                let path = self.text(path)?;
                let found = match path.to_path() {
                    Ok(path) => self.exchange.test(path).await.ok(),
                    Err(_) => None,
                };
                Ok(found.is_some_and(|found| is_file(*kind, &found)) != *negated)
            }
        }
    }

    fn variable(&mut self, name: &BString) -> Result<BString, Undecided> {
        let variable = Variable::find(name);
        let value = self.exchange.find_value(&variable);
        self.decided()?;
        if value.is_none() {
            warn_of(self.exchange, &variable);
        }
        Ok(value.unwrap_or_default().into())
    }

    fn text(&mut self, template: &Template) -> Result<BString, Undecided> {
        let text = self.exchange.expand(template);
        self.decided()?;
        warn_of_unset(self.exchange, template);
        Ok(text.into())
    }

    fn decided(&self) -> Result<(), Undecided> {
        if self.exchange.take_undecided() { Err(Undecided) } else { Ok(()) }
    }
}

/// Warns of the variables in a text that were not set.
fn warn_of_unset(exchange: &Exchange<'_>, template: &Template) {
    if !exchange.location.get::<Current>().warns {
        return;
    }
    for variable in template.variables() {
        // Values of others are not asked for: that may take time.
        if matches!(variable, Variable::User(_)) && exchange.find_value(variable).is_none() {
            warn_of(exchange, variable);
        }
    }
}

/// Warns of a variable that was not set, if `uninitialized_variable_warn` says so.
fn warn_of(exchange: &Exchange<'_>, variable: &Variable) {
    if let Variable::User(name) = variable
        && exchange.location.get::<Current>().warns
        && !exchange.server.get::<GroupVariables>().0.contains(name)
    {
        super::log::uninitialized(exchange, name);
    }
}

/// Whether a path leads to what a test of `if` asks for.
fn is_file(kind: u8, found: &OpenFile) -> bool {
    match kind {
        b'f' => found.is_file,
        b'd' => found.is_dir,
        b'x' => found.is_executable,
        _ => true,
    }
}

/// Decodes `%XX` up to a question mark, except for characters that must stay escaped in a redirect. As in nginx, what is no hexadecimal
/// number is dropped, with the `%` before it; only a character that follows the `%` at once is kept.
fn unescape(text: &[u8]) -> Vec<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = match (first, rest) {
            (b'%', []) => break,
            (b'%', [high, tail @ ..]) => {
                rest = tail;
                let Some(upper) = digit(high) else {
                    out.push(*high);
                    continue;
                };
                let [low, tail @ ..] = rest else { break };
                rest = tail;
                let Some(lower) = digit(low) else { continue };
                match upper * 16 + lower {
                    byte @ (b'?' | b'&'..=b'~') => byte,
                    _ => {
                        out.extend_from_slice(&[b'%', *high, *low]);
                        continue;
                    }
                }
            }
            _ => *first,
        };
        out.push(byte);
        if byte == b'?' {
            out.extend_from_slice(rest);
            break;
        }
    }
    out
}

/// Result of a `return` for a request that may have a body: as in nginx, it is discarded before the text is evaluated.
async fn reply_to_body(exchange: &mut Exchange<'_>, fixed: &Return) -> Decision {
    let has_text = fixed.text.as_ref().is_some_and(|text| !text.is_empty()) || fixed.status < 400;
    let closes = fixed.text.is_none() && CLOSE.contains(&fixed.status);
    if has_text && !closes && !exchange.discard_body().await {
        return Decision::page(StatusCode::BAD_REQUEST);
    }
    reply(exchange, fixed)
}

/// Result of a `return`.
fn reply(exchange: &mut Exchange<'_>, fixed: &Return) -> Decision {
    if fixed.text.is_none() && CLOSE.contains(&fixed.status) {
        return Decision::Close(fixed.status);
    }
    exchange.set_status(StatusCode::from_u16(fixed.status).unwrap_or_default());
    let text = match (&fixed.constant, &fixed.text) {
        (Some(constant), _) => constant.clone(),
        (None, Some(template)) => {
            warn_of_unset(exchange, template);
            exchange.expand(template).into()
        }
        (None, None) => Bytes::new(),
    };
    let status = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::BAD_REQUEST);
    if status.as_u16() >= 400 && fixed.text.as_ref().is_none_or(Template::is_empty) {
        return Decision::page(status);
    }
    if fixed.is_redirect() {
        let mut page = Response::page(status);
        (page.location, page.discards_body) = (Some(Vec::from(text).into()), true);
        return Decision::Done(Box::new(page));
    }
    // Made in its place: to move it there would be a good part of such an answer.
    let mut response = Box::write(Box::new_uninit(), Response::new(status, text));
    response.content_type = Some(exchange.type_of_path());
    Decision::Done(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_decoded_as_far_as_nginx_decodes_them() {
        assert_eq!(unescape(b"/a%20b%2fc%41?%41"), b"/a%20b/cA?%41");
        assert_eq!(unescape(b"/%25%7f%3fx%4"), b"/%25%7f?x%4");
        assert_eq!(unescape(b"/a%zb%4zc%"), b"/azbc");
        assert_eq!(unescape(b"/a%4"), b"/a");
    }
}
