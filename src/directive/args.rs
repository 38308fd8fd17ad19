//! Arguments of a directive: their number and their positions in the text.

use std::fmt;

use bstr::BString;

use super::evaluation::Evaluation;
use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::source::Span;
use crate::syntax::tree::{Body, Word};

/// Number of arguments that a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// Minimum.
    pub min: usize,
    /// Maximum.
    pub max: usize,
}

/// How often a directive may appear in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatRule {
    /// Once.
    Never,
    /// Any number of times.
    Free,
    /// Up to this number of times.
    AtMost(usize),
}

/// Arguments of one statement.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    /// The directive's name as written.
    pub name: &'a Word,
    /// The arguments.
    pub words: &'a [Word],
    /// Body of the statement, for values that are blocks.
    pub body: Option<Body<'a>>,
    /// Position of the `;` or `{`.
    pub terminator: Span,
}

impl Arity {
    /// No argument.
    pub const NONE: Arity = Arity { min: 0, max: 0 };
    /// One argument.
    pub const ONE: Arity = Arity { min: 1, max: 1 };
    /// Two arguments.
    pub const TWO: Arity = Arity { min: 2, max: 2 };
    /// At least one argument.
    pub const SOME: Arity = Arity::from(1);

    /// Between `min` and `max` arguments.
    pub const fn between(min: usize, max: usize) -> Arity {
        Arity { min, max }
    }

    /// At least `min` arguments.
    pub const fn from(min: usize) -> Arity {
        Arity { min, max: usize::MAX }
    }

    /// Whether this number of arguments is accepted.
    pub fn fits(self, words: usize) -> bool {
        self.min <= words && words <= self.max
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (0, 0) => f.write_str("no argument"),
            (1, 1) => f.write_str("one argument"),
            (min, max) if min == max => write!(f, "{min} arguments"),
            (1, usize::MAX) => f.write_str("one argument or more"),
            (min, usize::MAX) => write!(f, "{min} arguments or more"),
            (min, max) => write!(f, "{min} to {max} arguments"),
        }
    }
}

/// The lists of a block that have lines so far, and whether that is `off`.
#[derive(Default)]
struct ListsWithOff(Vec<(bytes::Bytes, bool)>);

impl<'a> Args<'a> {
    /// The first argument; the table has already checked that there is one.
    pub fn first(&self) -> &'a Word {
        self.words.first().unwrap_or(self.name)
    }

    /// Position of all arguments together.
    pub fn span(&self) -> Span {
        match self.words {
            [] => self.name.span,
            [only] => only.span,
            [first, .., last] => first.span.to(last.span),
        }
    }

    /// Problem with nginx's wording `"NAME" directive TEXT`.
    pub fn refuse(&self, text: &str) -> Problem {
        Problem::new(sentence(&[b"\"", &self.name.bytes, b"\" directive ", text.as_bytes()])).at(self.span())
    }

    /// Checks a line of a list whose `off` stands alone in its block, as nginx does.
    ///
    /// # Errors
    ///
    /// There was a line before, and one of the two is `off`.
    pub fn check_off(&self, evaluation: &mut Evaluation<'_>, is_off: bool) -> Result<(), Problem> {
        if evaluation.is_of_default() {
            return Ok(());
        }
        let seen = &mut evaluation.block.of::<ListsWithOff>().0;
        match seen.iter().find(|(name, _)| *name == self.name.bytes) {
            Some((_, was_off)) if is_off || *was_off => {
                Err(Problem::new(sentence(&[b"\"", &self.name.bytes, b"\" directive is duplicate"])))
            }
            Some(_) => Ok(()),
            None => {
                seen.push((self.name.bytes.clone(), is_off));
                Ok(())
            }
        }
    }

    /// The arguments joined by spaces.
    pub fn joined(&self) -> BString {
        bstr::join(" ", self.words.iter().map(|w| &w.bytes)).into()
    }
}
