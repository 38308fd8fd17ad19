//! Types of configuration fields, and how nested blocks inherit them.
//!
//! A row names a type: `T` for a directive with a default, `Option<T>` for one without, `Vec<T>` for a repeatable one.
//! The value of the innermost block that sets the directive wins, except with [`Joined`] and [`Own`].

use bytes::Bytes;

use super::args::{Args, Arity, Repeat};
use super::evaluation::Evaluation;
use super::value::Value;
use crate::syntax::diagnostic::Problem;
use crate::syntax::source::{Span, Spanned};
use crate::syntax::tree::Word;

/// The type of a row's field.
pub trait Field: Sized {
    /// Type of the directive's value.
    type Value: Value;
    /// What one block's statements set.
    type Said: Default + Send + Sync;
    /// How often the directive may appear in one block.
    const REPEAT: Repeat;
    /// What a nested block inherits.
    const INHERIT: Inherit = Inherit::Nearest;

    /// Records one use of the directive in a block.
    fn say(said: &mut Self::Said, value: Spanned<Self::Value>);

    /// Computes the effective value from what the blocks set, innermost first.
    fn resolve<'s>(
        said: impl Iterator<Item = Option<&'s Self::Said>>,
        default: Option<&'static str>,
        scene: &mut Evaluation<'_>,
    ) -> Self
    where
        Self::Said: 's;
}

/// What a nested block inherits from the enclosing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// The outer values, appended to its own.
    Joined,
    /// The outer value, unless the block sets its own.
    Nearest,
    /// Nothing.
    Never,
}

/// A list that every level extends: the innermost block's values come first.
#[derive(Clone, Debug, Default)]
pub struct Joined<T>(pub Vec<T>);

/// A value that is not inherited.
#[derive(Clone, Debug, Default)]
pub struct Own<T>(pub Option<T>);

/// A list that is not inherited.
#[derive(Clone, Debug, Default)]
pub struct OwnAll<T>(pub Vec<T>);

/// A bit set to which each use in a block adds bits; the innermost block that sets any wins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summed<T>(pub Option<T>);

/// A value that several uses of a directive build together.
pub trait Sum: Copy {
    /// Union of both values.
    fn sum(self, other: Self) -> Self;
}

impl<T: Value + Clone> Field for T {
    type Value = T;
    type Said = Option<Spanned<T>>;
    const REPEAT: Repeat = Repeat::Never;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        *said = Some(value);
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        default: Option<&'static str>,
        scene: &mut Evaluation<'_>,
    ) -> T {
        match said.find_map(|s| s.and_then(Option::as_ref)) {
            Some(said) => said.value.clone(),
            None => read_default(default.expect("a row of a plain type has a default"), scene)
                .expect("the tables' tests parse every default"),
        }
    }
}

impl<T: Value + Clone> Field for Option<T> {
    type Value = T;
    type Said = Option<Spanned<T>>;
    const REPEAT: Repeat = Repeat::Never;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        *said = Some(value);
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Option<T> {
        said.find_map(|s| s.and_then(Option::as_ref)).map(|s| s.value.clone())
    }
}

impl<T: Value + Clone> Field for Vec<T> {
    type Value = T;
    type Said = Vec<Spanned<T>>;
    const REPEAT: Repeat = T::LIMIT;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        said.push(value);
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Vec<T> {
        let nearest = said.find_map(|s| s.filter(|s| !s.is_empty()));
        nearest.map(|s| s.iter().map(|s| s.value.clone()).collect()).unwrap_or_default()
    }
}

impl<T: Value + Clone> Field for Joined<T> {
    type Value = T;
    type Said = Vec<Spanned<T>>;
    const REPEAT: Repeat = T::LIMIT;
    const INHERIT: Inherit = Inherit::Joined;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        said.push(value);
    }

    fn resolve<'s>(
        said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Joined<T> {
        Joined(said.flatten().flatten().map(|s| s.value.clone()).collect())
    }
}

impl<T: Value + Clone> Field for Own<T> {
    type Value = T;
    type Said = Option<Spanned<T>>;
    const REPEAT: Repeat = Repeat::Never;
    const INHERIT: Inherit = Inherit::Never;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        *said = Some(value);
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Own<T> {
        Own(said.next().flatten().and_then(Option::as_ref).map(|s| s.value.clone()))
    }
}

impl<T: Value + Clone> Field for OwnAll<T> {
    type Value = T;
    type Said = Vec<Spanned<T>>;
    const REPEAT: Repeat = T::LIMIT;
    const INHERIT: Inherit = Inherit::Never;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        said.push(value);
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> OwnAll<T> {
        let own = said.next().flatten();
        OwnAll(own.map(|said| said.iter().map(|s| s.value.clone()).collect()).unwrap_or_default())
    }
}

impl<T: Value + Sum> Field for Summed<T> {
    type Value = T;
    type Said = Option<Spanned<T>>;
    const REPEAT: Repeat = Repeat::Free;

    fn say(said: &mut Self::Said, value: Spanned<T>) {
        match said {
            Some(said) => said.value = said.value.sum(value.value),
            None => *said = Some(value),
        }
    }

    fn resolve<'s>(
        mut said: impl Iterator<Item = Option<&'s Self::Said>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Summed<T> {
        Summed(said.find_map(|s| s.and_then(Option::as_ref)).map(|s| s.value))
    }
}

/// Parses a row's default with the same parser as a user's value.
pub fn read_default<T: Value>(text: &'static str, scene: &mut Evaluation<'_>) -> Result<T, Problem> {
    let word =
        |text: &'static str| Word { bytes: Bytes::from_static(text.as_bytes()), span: Span::default() };
    let name = word("default");
    // A default is one argument unless the directive takes several.
    let words: Vec<Word> = match T::ARITY {
        Arity { max: 1, .. } => vec![word(text)],
        _ => text.split(' ').filter(|w| !w.is_empty()).map(word).collect(),
    };
    T::parse(&Args { name: &name, words: &words, body: None, terminator: Span::default() }, scene)
}
