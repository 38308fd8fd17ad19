//! Values that are one or several words of a list.

use std::marker::PhantomData;

use super::args::{Args, Arity};
use super::evaluation::Evaluation;
use super::field::Sum;
use super::value::Value;
use crate::syntax::diagnostic::Problem;
use crate::syntax::sentence;
use crate::syntax::suggest::nearest;
use crate::syntax::tree::Word;

/// Declares a value that is one of several words, case-insensitive.
macro_rules! one_of {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident { $( $(#[doc = $doc:literal])+ $word:literal => $Variant:ident, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Enum { $( $(#[doc = $doc])+ $Variant, )+ }

        impl $crate::directive::Value for $Enum {
            fn syntax() -> String {
                [$($word),+].join(" | ")
            }

            fn parse(
                args: &$crate::directive::Args<'_>,
                _: &mut $crate::directive::Evaluation<'_>,
            ) -> Result<$Enum, $crate::syntax::Problem> {
                const WORDS: &[(&str, $Enum)] = &[$(($word, $Enum::$Variant)),+];
                $crate::directive::word::choose(args.first(), WORDS)
            }
        }
    };
}

/// Declares a value that is any combination of several words, case-insensitive; one word may stand for several bits.
macro_rules! any_of {
    (
        $(#[$meta:meta])*
        pub struct $Mask:ident { $( $(#[doc = $doc:literal])+ $word:literal => $NAME:ident = $bits:expr, )+ }
    ) => {
        ::bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $Mask: u32 {
                $( $(#[doc = $doc])+ const $NAME = $bits; )+
            }
        }

        impl $crate::directive::Sum for $Mask {
            fn sum(self, other: $Mask) -> $Mask {
                self | other
            }
        }

        impl $crate::directive::Value for $Mask {
            const ARITY: $crate::directive::Arity = $crate::directive::Arity::SOME;

            fn syntax() -> String {
                format!("{} ...", [$($word),+].join(" | "))
            }

            fn parse(
                args: &$crate::directive::Args<'_>,
                evaluation: &mut $crate::directive::Evaluation<'_>,
            ) -> Result<$Mask, $crate::syntax::Problem> {
                const WORDS: &[(&str, u32)] = &[$(($word, $bits)),+];
                $crate::directive::word::collect(args.words, WORDS, evaluation).map($Mask::from_bits_retain)
            }
        }
    };
}

/// Declares lists of words for [`OneOf`] and [`AnyOf`].
macro_rules! word_lists {
    ($( $(#[doc = $doc:literal])+ pub $List:ident: $($word:literal)|+; )+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $List;

        impl $crate::directive::word::WordList for $List {
            const WORDS: &'static [&'static str] = &[$($word),+];
        }
    )+ };
}

pub(crate) use {any_of, one_of, word_lists};

/// Words that a directive accepts, where no enum is declared for them.
pub trait WordList: Copy + Send + Sync + 'static {
    /// The words.
    const WORDS: &'static [&'static str];
}

/// One word of a list, case-insensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneOf<L> {
    /// Index in the list.
    pub index: usize,
    list: PhantomData<L>,
}

/// Any words of a list, case-insensitive; several uses of the directive add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyOf<L> {
    /// One bit per word of the list.
    pub bits: u32,
    list: PhantomData<L>,
}

impl<L: WordList> Value for OneOf<L> {
    fn syntax() -> String {
        L::WORDS.join(" | ")
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<OneOf<L>, Problem> {
        let words: Vec<(&str, usize)> =
            L::WORDS.iter().enumerate().map(|(index, word)| (*word, index)).collect();
        choose(args.first(), &words).map(|index| OneOf { index, list: PhantomData })
    }
}

impl<L: WordList> Value for AnyOf<L> {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        format!("{} ...", L::WORDS.join(" | "))
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<AnyOf<L>, Problem> {
        let words: Vec<(&str, u32)> = L::WORDS.iter().zip(0..).map(|(word, bit)| (*word, 1 << bit)).collect();
        collect(args.words, &words, evaluation).map(|bits| AnyOf { bits, list: PhantomData })
    }
}

/// Variant that a word names.
///
/// # Errors
///
/// No variant has this name.
pub fn choose<T: Copy>(word: &Word, words: &[(&str, T)]) -> Result<T, Problem> {
    match words.iter().find(|(name, _)| word.is(name)) {
        Some((_, value)) => Ok(*value),
        None => Err(invalid(word, words.iter().map(|(name, _)| *name))),
    }
}

/// Union of the bits of the words; a word that adds no bit is reported as a warning.
///
/// # Errors
///
/// An argument is unknown.
pub fn collect(
    words: &[Word],
    known: &[(&str, u32)],
    evaluation: &mut Evaluation<'_>,
) -> Result<u32, Problem> {
    let mut mask = 0;
    for word in words {
        let bits = choose(word, known)?;
        if bits != 0 && mask & bits == bits {
            let text = sentence(&[b"duplicate value \"", &word.bytes, b"\""]);
            evaluation.report(Problem::warning(text).at(word.span));
        }
        mask |= bits;
    }
    Ok(mask)
}

fn invalid<'w>(word: &Word, known: impl Iterator<Item = &'w str> + Clone) -> Problem {
    let text = sentence(&[b"invalid value \"", &word.bytes, b"\""]);
    let accepted: Vec<&str> = known.clone().collect();
    let problem = Problem::new(text).at(word.span).help(format!("accepted: {}", accepted.join(", ")));
    match nearest(&word.bytes, known) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => problem,
    }
}

impl<L> Sum for AnyOf<L>
where
    L: WordList,
{
    fn sum(self, other: AnyOf<L>) -> AnyOf<L> {
        AnyOf { bits: self.bits | other.bits, list: PhantomData }
    }
}
