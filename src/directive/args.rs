//! The words after a directive's name: how many there may be, where they stand.

use std::fmt;

use bstr::BString;

use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::source::Span;
use crate::syntax::tree::{Body, Word};

/// How many words may follow a directive's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// At least.
    pub min: usize,
    /// At most.
    pub max: usize,
}

/// How often a directive may stand in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once.
    Never,
    /// Any number of times.
    Free,
    /// Up to so many times.
    AtMost(usize),
}

/// The words after a directive's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    /// The name as written.
    pub name: &'a Word,
    /// What follows.
    pub words: &'a [Word],
    /// The statement's body, for values that are blocks.
    pub body: Option<Body<'a>>,
    /// The `;` or `{`.
    pub terminator: Span,
}

impl Arity {
    /// No word.
    pub const NONE: Arity = Arity { min: 0, max: 0 };
    /// One word.
    pub const ONE: Arity = Arity { min: 1, max: 1 };
    /// Two words.
    pub const TWO: Arity = Arity { min: 2, max: 2 };
    /// One word or more.
    pub const SOME: Arity = Arity::from(1);

    /// Between `min` and `max` words.
    pub const fn between(min: usize, max: usize) -> Arity {
        Arity { min, max }
    }

    /// `min` words or more.
    pub const fn from(min: usize) -> Arity {
        Arity { min, max: usize::MAX }
    }

    /// Whether so many words fit.
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

impl<'a> Args<'a> {
    /// The first word; the table has checked that there is one.
    pub fn first(&self) -> &'a Word {
        self.words.first().unwrap_or(self.name)
    }

    /// The place of all words after the name.
    pub fn span(&self) -> Span {
        match self.words {
            [] => self.name.span,
            [only] => only.span,
            [first, .., last] => first.span.to(last.span),
        }
    }

    /// nginx's `"NAME" directive TEXT`.
    pub fn refuse(&self, text: &str) -> Problem {
        Problem::new(sentence(&[b"\"", &self.name.bytes, b"\" directive ", text.as_bytes()])).at(self.span())
    }

    /// Joins the words with blanks.
    pub fn joined(&self) -> BString {
        bstr::join(" ", self.words.iter().map(|w| &w.bytes)).into()
    }
}
