//! What a field of a configuration struct holds, and how blocks inherit it.
//!
//! A row names a type. `T` is a directive with a default or a value of its own, `Option<T>` one without,
//! `Vec<T>` a repeatable one. The nearest block that says anything wins; [`Joined`] and [`Own`] differ.

use bytes::Bytes;

use super::args::{Args, Arity, Repeat};
use super::scene::Scene;
use super::value::Value;
use crate::syntax::diagnostic::Problem;
use crate::syntax::source::{Span, Spanned};
use crate::syntax::tree::Word;

/// The type of a row's field.
pub trait Field: Sized {
    /// The kind of value the directive takes.
    type Value: Value;
    /// What one block says.
    type Said: Default + Send + Sync;
    /// How often the directive may stand in one block.
    const REPEAT: Repeat;
    /// What an inner block gets of an outer one's value.
    const INHERIT: Inherit = Inherit::Nearest;

    /// Notes a value in a block.
    fn say(said: &mut Self::Said, value: Spanned<Self::Value>);

    /// Decides the value from what the blocks say, the innermost first.
    fn resolve<'s>(
        said: impl Iterator<Item = Option<&'s Self::Said>>,
        default: Option<&'static str>,
        scene: &mut Scene<'_>,
    ) -> Self
    where
        Self::Said: 's;
}

/// What an inner block gets of an outer one's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// The outer values follow the inner ones.
    Joined,
    /// All of it, unless it has one of its own.
    Nearest,
    /// Nothing.
    Never,
}

/// A list to which every level adds: the inner blocks' values come first.
#[derive(Clone, Debug, Default)]
pub struct Joined<T>(pub Vec<T>);

/// A value that is not inherited.
#[derive(Clone, Debug, Default)]
pub struct Own<T>(pub Option<T>);

/// A list that is not inherited.
#[derive(Clone, Debug, Default)]
pub struct OwnAll<T>(pub Vec<T>);

/// A value to which each use in a block adds its bits; the nearest block that says anything wins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summed<T>(pub Option<T>);

/// A value that several uses can make up together.
pub trait Sum: Copy {
    /// The bits of both.
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
        scene: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
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
        _: &mut Scene<'_>,
    ) -> Summed<T> {
        Summed(said.find_map(|s| s.and_then(Option::as_ref)).map(|s| s.value))
    }
}

/// Reads a default as if a user had written it.
pub fn read_default<T: Value>(text: &'static str, scene: &mut Scene<'_>) -> Result<T, Problem> {
    let word =
        |text: &'static str| Word { bytes: Bytes::from_static(text.as_bytes()), span: Span::default() };
    let name = word("default");
    // A default is one word unless the directive takes several.
    let words: Vec<Word> = match T::ARITY {
        Arity { max: 1, .. } => vec![word(text)],
        _ => text.split(' ').filter(|w| !w.is_empty()).map(word).collect(),
    };
    T::parse(&Args { name: &name, words: &words, body: None, terminator: Span::default() }, scene)
}
