//! Types of configuration fields, and how nested blocks inherit them.
//!
//! A row names a type: `T` for a directive with a default, `Option<T>` for one without, `Vec<T>` for a repeatable one.
//! The value of the innermost block that sets the directive wins, except with [`Joined`] and [`NotInherited`].

use bytes::Bytes;

use super::args::{Args, Arity, RepeatRule};
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
    type Uses: Default + Send + Sync;
    /// How often the directive may appear in one block.
    const REPEAT: RepeatRule;
    /// What a nested block inherits.
    const INHERIT: Inherit = Inherit::Nearest;

    /// Records one use of the directive in a block.
    fn add(uses: &mut Self::Uses, value: Spanned<Self::Value>);

    /// Computes the effective value from what the blocks set, innermost first.
    fn resolve<'s>(
        uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        default: Option<&'static str>,
        evaluation: &mut Evaluation<'_>,
    ) -> Self
    where
        Self::Uses: 's;
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
pub struct NotInherited<T>(pub Option<T>);

/// A list that is not inherited.
#[derive(Clone, Debug, Default)]
pub struct NotInheritedList<T>(pub Vec<T>);

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
    type Uses = Option<Spanned<T>>;
    const REPEAT: RepeatRule = RepeatRule::Never;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        *uses = Some(value);
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        default: Option<&'static str>,
        evaluation: &mut Evaluation<'_>,
    ) -> T {
        match uses.find_map(|s| s.and_then(Option::as_ref)) {
            Some(used) => used.value.clone(),
            None => read_default(default.expect("a row of a plain type has a default"), evaluation)
                .expect("the tables' tests parse every default"),
        }
    }
}

impl<T: Value + Clone> Field for Option<T> {
    type Value = T;
    type Uses = Option<Spanned<T>>;
    const REPEAT: RepeatRule = RepeatRule::Never;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        *uses = Some(value);
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Option<T> {
        uses.find_map(|s| s.and_then(Option::as_ref)).map(|s| s.value.clone())
    }
}

impl<T: Value + Clone> Field for Vec<T> {
    type Value = T;
    type Uses = Vec<Spanned<T>>;
    const REPEAT: RepeatRule = T::LIMIT;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        uses.push(value);
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        default: Option<&'static str>,
        evaluation: &mut Evaluation<'_>,
    ) -> Vec<T> {
        match uses.find_map(|s| s.filter(|s| !s.is_empty())) {
            Some(nearest) => nearest.iter().map(|s| s.value.clone()).collect(),
            None => {
                let read =
                    |text| read_default(text, evaluation).expect("the tables' tests parse every default");
                default.map(read).into_iter().collect()
            }
        }
    }
}

impl<T: Value + Clone> Field for Joined<T> {
    type Value = T;
    type Uses = Vec<Spanned<T>>;
    const REPEAT: RepeatRule = T::LIMIT;
    const INHERIT: Inherit = Inherit::Joined;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        uses.push(value);
    }

    fn resolve<'s>(
        uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Joined<T> {
        Joined(uses.flatten().flatten().map(|s| s.value.clone()).collect())
    }
}

impl<T: Value + Clone> Field for NotInherited<T> {
    type Value = T;
    type Uses = Option<Spanned<T>>;
    const REPEAT: RepeatRule = RepeatRule::Never;
    const INHERIT: Inherit = Inherit::Never;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        *uses = Some(value);
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> NotInherited<T> {
        NotInherited(uses.next().flatten().and_then(Option::as_ref).map(|s| s.value.clone()))
    }
}

impl<T: Value + Clone> Field for NotInheritedList<T> {
    type Value = T;
    type Uses = Vec<Spanned<T>>;
    const REPEAT: RepeatRule = T::LIMIT;
    const INHERIT: Inherit = Inherit::Never;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        uses.push(value);
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> NotInheritedList<T> {
        let own = uses.next().flatten();
        NotInheritedList(own.map(|uses| uses.iter().map(|s| s.value.clone()).collect()).unwrap_or_default())
    }
}

impl<T: Value + Sum> Field for Summed<T> {
    type Value = T;
    type Uses = Option<Spanned<T>>;
    const REPEAT: RepeatRule = RepeatRule::Free;

    fn add(uses: &mut Self::Uses, value: Spanned<T>) {
        match uses {
            Some(uses) => uses.value = uses.value.sum(value.value),
            None => *uses = Some(value),
        }
    }

    fn resolve<'s>(
        mut uses: impl Iterator<Item = Option<&'s Self::Uses>>,
        _: Option<&'static str>,
        _: &mut Evaluation<'_>,
    ) -> Summed<T> {
        Summed(uses.find_map(|s| s.and_then(Option::as_ref)).map(|s| s.value))
    }
}

/// Parses a row's default with the same parser as a user's value.
///
/// # Errors
///
/// The arguments are invalid for the type.
pub fn read_default<T: Value>(text: &'static str, evaluation: &mut Evaluation<'_>) -> Result<T, Problem> {
    let word =
        |text: &'static str| Word { bytes: Bytes::from_static(text.as_bytes()), span: Span::default() };
    let name = word("default");
    // A default is one argument unless the directive takes several.
    let words: Vec<Word> = match T::ARITY {
        Arity { max: 1, .. } => vec![word(text)],
        _ => text.split(' ').filter(|w| !w.is_empty()).map(word).collect(),
    };
    T::parse(&Args { name: &name, words: &words, body: None, terminator: Span::default() }, evaluation)
}
