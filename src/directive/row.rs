//! Rows: what is known of a directive.

use std::any::Any;

use bstr::BStr;

use super::args::{Args, Arity, RepeatRule};
use super::context::Contexts;
use super::evaluation::{AnyValue, Evaluation};
use super::field::{Field, Inherit};
use super::value::Value;
use crate::syntax::diagnostic::Problem;
use crate::syntax::source::{Span, Spanned};

/// Reload class: when a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadClass {
    /// Opens a block.
    Block,
    /// At the next start.
    Restart,
    /// For new sessions.
    Session,
    /// At the next use, also in running sessions.
    Live,
    /// Never: validated, but the feature does not exist yet.
    Later,
    /// Never: validated, but meaningless in this server.
    Needless,
}

/// What ends a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementShape {
    /// `;`
    Simple,
    /// `{`, and free-form statements that the value parses itself.
    Free,
    /// `{`, and directives of that context.
    Opens(Contexts),
}

/// How a statement is applied once it fits its row.
#[derive(Clone, Copy)]
pub enum Apply {
    /// Stores the value in the module's scope; the function returns whether a duplicate is allowed.
    Keep(fn(&mut dyn Any, &Args<'_>, Span, &mut Evaluation<'_>) -> Result<bool, Problem>),
    /// Only validates the value; the function returns whether a duplicate is allowed.
    Check(fn(&Args<'_>, &mut Evaluation<'_>) -> Result<bool, Problem>),
    /// Stores the value of the block's arguments with the block.
    Head(fn(&Args<'_>, &mut Evaluation<'_>) -> Result<AnyValue, Problem>),
}

/// Restriction that a directive imposes on peers.
#[derive(Clone, Copy)]
pub struct Restriction {
    /// What it restricts.
    pub what: Restricts,
    /// Whether it restricts nothing with these arguments.
    pub unless: fn(&BStr) -> bool,
}

/// What a restricting directive decides. While its feature is missing, exactly that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restricts {
    /// Responses of a location: any other response could expose what the directive hides.
    Answers,
    /// Which peers are served.
    Connections,
    /// Handling of the paths that the statement itself matches.
    Paths,
    /// Which requests are answered.
    Requests,
    /// Which sessions may publish or play.
    Sessions,
}

/// Effect of one use of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseOutcome {
    /// Takes effect.
    Honoured,
    /// No effect, because the feature is missing.
    NoEffect,
    /// No effect, because it is meaningless in this server.
    Needless,
    /// The feature is missing, and the traffic that it guards is refused.
    Refused,
}

/// A directive.
pub struct Row {
    /// The name, then its aliases.
    pub names: &'static [&'static str],
    /// Contexts in which it is allowed.
    pub contexts: Contexts,
    /// Reload class.
    pub class: ReloadClass,
    /// Default, as a user would write it.
    pub default: Option<&'static str>,
    /// Documentation, in lines: the text, a paragraph about PingOS ([`Row::difference`]), an example ([`Row::example`]). The
    /// last two may be missing.
    pub doc: &'static [&'static str],
    /// Number of arguments.
    pub arity: Arity,
    /// Syntax of the arguments.
    pub syntax: fn() -> String,
    /// What follows the arguments.
    pub shape: StatementShape,
    /// How often it may appear in one block.
    pub repeat: RepeatRule,
    /// What a nested block inherits.
    pub inherit: Inherit,
    /// Whether it may appear only once in the whole configuration.
    pub once: bool,
    /// Whether the feature is missing: nothing in the running server reads the value.
    pub inert: bool,
    /// Whether it selects the handler that answers the requests of its location.
    pub selects_handler: bool,
    /// Restriction that it imposes on peers, if any.
    pub restricts: Option<Restriction>,
    /// Text of the error about a use too many; the number is that of the uses allowed.
    pub duplicate: fn(&crate::syntax::tree::Word, usize) -> bstr::BString,
    /// Parses the default, for tests of the tables.
    pub check_default: fn(&'static str, &mut Evaluation<'_>) -> Result<(), Problem>,
    /// How a statement is applied.
    pub apply: Apply,
}

/// A struct of resolved values.
pub trait Resolve: Sized {
    /// What one block sets.
    type Scope: 'static;

    /// Computes every value from what the blocks set, innermost first.
    fn resolve(scopes: &[Option<&Self::Scope>], evaluation: &mut Evaluation<'_>) -> Self;
}

impl Row {
    /// The canonical name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// The documentation without the difference from PingOS and the example, in lines.
    pub fn text(&self) -> &'static [&'static str] {
        self.parts().0
    }

    /// What differs from PingOS in a way that an operator notices, in lines. They begin with "Differs from PingOS"
    /// or "Not in PingOS".
    pub fn difference(&self) -> Option<&'static [&'static str]> {
        self.parts().1
    }

    /// [`Row::difference`] in one line.
    pub fn difference_line(&self) -> Option<String> {
        let lines = self.difference()?;
        Some(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "))
    }

    /// Whether PingOS has no directive of this name.
    pub fn is_new(&self) -> bool {
        self.difference()
            .is_some_and(|lines| lines.first().is_some_and(|line| line.trim().starts_with(NOT_IN_PINGOS)))
    }

    /// The text, and the paragraph about PingOS.
    fn parts(&self) -> (&'static [&'static str], Option<&'static [&'static str]>) {
        let lines = match self.doc {
            [lines @ .., _blank, last] if example(last).is_some() => lines,
            all => all,
        };
        let begins = |line: &&str| DIFFERENCES.iter().any(|marker| line.trim().starts_with(marker));
        match lines.iter().position(begins) {
            None => (lines, None),
            Some(at) => {
                let (text, difference) = lines.split_at(at);
                (text.strip_suffix(&[""]).unwrap_or(text), Some(difference))
            }
        }
    }

    /// A statement as an example: the last line of the documentation, if it is one.
    pub fn example(&self) -> Option<&'static str> {
        self.doc.last().copied().and_then(example)
    }

    /// Whether every use is honoured, regardless of its arguments.
    pub fn is_honoured(&self) -> bool {
        self.class != ReloadClass::Needless && !self.inert
    }

    /// Effect of a use with these arguments, joined by spaces.
    pub fn outcome(&self, words: &BStr) -> UseOutcome {
        if self.class == ReloadClass::Needless {
            return UseOutcome::Needless;
        }
        if !self.inert {
            return UseOutcome::Honoured;
        }
        match self.restricts {
            // Letter case counts here: a value that equals the default only without regard to case may have its own
            // meaning.
            Some(_) if self.default.is_some_and(|default| words == default) => UseOutcome::Honoured,
            Some(restriction) if !(restriction.unless)(words) => UseOutcome::Refused,
            None if self.default.is_some_and(|default| words.eq_ignore_ascii_case(default.as_bytes())) => {
                UseOutcome::Honoured
            }
            _ => UseOutcome::NoEffect,
        }
    }

    /// Predicate with which `-t` and the manual describe a missing feature, after the name and "directive".
    pub fn refusal(&self) -> &'static str {
        match self.restricts.map(|restriction| restriction.what) {
            Some(Restricts::Answers) => "does not work yet, what it would answer is refused",
            Some(Restricts::Paths) => "does not work yet, what it matches is refused",
            _ => "does not work yet, what it guards is refused",
        }
    }
}

/// Beginning of the paragraph of a row that works otherwise than in PingOS.
pub(super) const DIFFERS: &str = "Differs from PingOS";

/// Beginning of the paragraph of a row whose name PingOS does not know.
pub(super) const NOT_IN_PINGOS: &str = "Not in PingOS";

/// Beginnings of the paragraph about PingOS in a row's documentation.
const DIFFERENCES: [&str; 2] = [DIFFERS, NOT_IN_PINGOS];

/// The statement in a line of documentation such as "Example: `daemon off;`".
fn example(line: &'static str) -> Option<&'static str> {
    line.trim().strip_prefix("Example: `")?.strip_suffix('`')
}

/// Parses a value and records it in a scope; the function of a row's [`Apply::Keep`].
///
/// # Errors
///
/// The arguments are invalid for the type.
pub fn keep<F: Field>(
    uses: &mut F::Uses,
    args: &Args<'_>,
    span: Span,
    evaluation: &mut Evaluation<'_>,
) -> Result<bool, Problem> {
    let value = F::Value::parse(args, evaluation)?;
    let may_repeat = value.may_repeat();
    F::add(uses, Spanned { value, span, place: args.terminator });
    Ok(may_repeat)
}
