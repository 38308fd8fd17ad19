//! The `rewrite`, `set` and `break` directives.

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Pattern, Value};
use crate::http::variable::{Template, VariableNames};
use crate::syntax::{Problem, sentence};

/// Action after a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteFlag {
    /// Continue with the next rewrite.
    Continue,
    /// Select the location again.
    Last,
    /// Call the location's handler.
    Break,
    /// Send a redirect with status 302.
    Redirect,
    /// Send a redirect with status 301.
    Permanent,
}

/// One `rewrite` line.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// Pattern of the path.
    pub pattern: Pattern,
    /// The new path, or URL of a redirect, up to a question mark.
    pub path: Template,
    /// The new query string; the request's own follows it, or takes its place.
    pub query: Option<Template>,
    /// Whether the request's own query string is kept.
    pub keeps_query: bool,
    /// Action after it.
    pub then: RewriteFlag,
    /// Reading-order number of its statement.
    pub order: u32,
}

/// One `set` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Variable name in lower case.
    pub name: BString,
    /// Its value.
    pub value: Template,
    /// Reading-order number of its statement.
    pub order: u32,
}

/// One `break` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// Reading-order number of its statement.
    pub order: u32,
}

impl Value for Rewrite {
    const ARITY: Arity = Arity::between(2, 3);

    fn syntax() -> String {
        "regex replacement [last | break | redirect | permanent]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Rewrite, Problem> {
        let [regex, replacement, rest @ ..] = args.words else { return Err(args.refuse("is incomplete")) };
        let pattern = Pattern::compile(regex, &regex.bytes, false)?;
        VariableNames::define_groups(&pattern, regex, evaluation)?;
        let target: &[u8] = &replacement.bytes;
        let away = [&b"http://"[..], b"https://", b"$scheme"].iter().any(|scheme| target.starts_with(scheme));
        let then = match rest.first() {
            None if away => RewriteFlag::Redirect,
            None => RewriteFlag::Continue,
            Some(word) => match &word.bytes[..] {
                // As in nginx, a URL stays a redirect.
                b"last" | b"break" if away => RewriteFlag::Redirect,
                b"last" => RewriteFlag::Last,
                b"break" => RewriteFlag::Break,
                b"redirect" => RewriteFlag::Redirect,
                b"permanent" => RewriteFlag::Permanent,
                other => {
                    let text = sentence(&[b"invalid parameter \"", other, b"\""]);
                    let help = "accepted: last, break, redirect, permanent";
                    return Err(Problem::new(text).at(word.span).help(help));
                }
            },
        };
        // A question mark at the end drops the request's query string.
        let (target, keeps_query) = match target.strip_suffix(b"?") {
            Some(target) => (target, false),
            None => (target, true),
        };
        let (path, query) = match target.split_once_str("?") {
            Some((path, query)) => (path, Some(Template::compile(replacement, query, evaluation)?)),
            None => (target, None),
        };
        Ok(Rewrite {
            pattern,
            path: Template::compile(replacement, path, evaluation)?,
            query,
            keeps_query,
            then,
            order: evaluation.order,
        })
    }
}

impl Value for Set {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "$variable value".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Set, Problem> {
        let [name, value] = args.words else { return Err(args.refuse("is incomplete")) };
        let name = VariableNames::definition(name, evaluation)?;
        Ok(Set { name, value: Template::compile(value, &value.bytes, evaluation)?, order: evaluation.order })
    }
}

impl Value for Break {
    const ARITY: Arity = Arity::between(0, 0);

    fn syntax() -> String {
        String::new()
    }

    fn parse(_: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Break, Problem> {
        Ok(Break { order: evaluation.order })
    }
}
