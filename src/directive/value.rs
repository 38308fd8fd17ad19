//! Value types: how arguments are parsed, documented and refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};

use super::args::{Args, Arity, RepeatRule};
use super::evaluation::Evaluation;
use super::number;
use crate::syntax::diagnostic::Problem;
use crate::syntax::tree::Word;
use crate::syntax::{sentence, to_path};

/// Type of a directive's value.
pub trait Value: Sized + Send + Sync + 'static {
    /// Number of arguments.
    const ARITY: Arity = Arity::ONE;
    /// Whether the value is a block of free-form statements.
    const BLOCK: bool = false;
    /// How often a list of such values may be extended in one block.
    const LIMIT: RepeatRule = RepeatRule::Free;

    /// Syntax of the value, for the manual and diagnostics.
    fn syntax() -> String;

    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// The arguments are not of this type.
    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Self, Problem>;

    /// Whether this value may replace an earlier one of the same block.
    fn may_repeat(&self) -> bool {
        false
    }

    /// Text of the error about a directive that stands more often than `limit` in a block.
    fn duplicate(name: &Word, _limit: usize) -> BString {
        sentence(&[b"\"", &name.bytes, b"\" directive is duplicate"])
    }
}

/// A large value, shared between blocks and their resolved form.
impl<T: Value> Value for Arc<T> {
    const ARITY: Arity = T::ARITY;
    const BLOCK: bool = T::BLOCK;
    const LIMIT: RepeatRule = T::LIMIT;

    fn syntax() -> String {
        T::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Arc<T>, Problem> {
        T::parse(args, evaluation).map(Arc::new)
    }

    fn may_repeat(&self) -> bool {
        T::may_repeat(self)
    }

    fn duplicate(name: &Word, limit: usize) -> BString {
        T::duplicate(name, limit)
    }
}

/// `on` or `off`, case-insensitive.
pub type Flag = bool;

/// A plain number.
pub type Num = u64;

/// A size in bytes: a number with an optional `k` or `m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A number of frames, written like a [`Size`] as in PingOS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

/// Like [`Size`], with `g` allowed too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub u64);

impl From<Size> for u64 {
    fn from(size: Size) -> u64 {
        size.0
    }
}

impl From<Offset> for u64 {
    fn from(offset: Offset) -> u64 {
        offset.0
    }
}

/// A time in milliseconds; a bare number means seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Msec(pub u64);

/// A time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sec(pub u64);

/// A time, or `off` for none. `off` may repeat a directive of the same block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsecOrOff {
    /// The time; zero is off.
    pub msec: Msec,
    spelled_off: bool,
}

/// A plain number in a range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumBetween<const MIN: u64, const MAX: u64>(pub u64);

/// A time of at least `MIN` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MsecFrom<const MIN: u64>(pub u64);

/// One argument of any form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub BString);

/// A path, taken as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPath(pub PathBuf);

/// A path relative to the prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixPath(pub PathBuf);

/// A path relative to the directory of the main configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfPath(pub PathBuf);

/// Arguments that are not examined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<BString>);

/// No arguments: the directive's presence is the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present;

/// As [`Present`], of a directive that selects a handler: as in nginx, it may do so again in the same block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected;

impl Value for Flag {
    fn syntax() -> String {
        "on | off".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Flag, Problem> {
        let word = args.first();
        if word.is("on") {
            return Ok(true);
        }
        if word.is("off") {
            return Ok(false);
        }
        let text = sentence(&[
            b"invalid value \"",
            &word.bytes,
            b"\" in \"",
            &args.name.bytes,
            b"\" directive, it must be \"on\" or \"off\"",
        ]);
        Err(Problem::new(text).at(word.span))
    }
}

impl Value for Num {
    fn syntax() -> String {
        "number".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Num, Problem> {
        let text = &args.first().bytes;
        number::digits(text).ok_or_else(|| args.refuse("invalid number").caption(not_digits(text)))
    }
}

impl<const MIN: u64, const MAX: u64> Value for NumBetween<MIN, MAX> {
    fn syntax() -> String {
        format!("number from {MIN} to {MAX}")
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<NumBetween<MIN, MAX>, Problem> {
        let number = Num::parse(args, evaluation)?;
        if !(MIN..=MAX).contains(&number) {
            let text = format!("value must be between {MIN} and {MAX}");
            return Err(Problem::new(text).at(args.first().span));
        }
        Ok(NumBetween(number))
    }
}

/// Problem with a word that should be a plain number.
pub fn not_digits(word: &[u8]) -> &'static str {
    match word {
        [b'0'..=b'9', ..] if word.iter().all(u8::is_ascii_digit) => "too large",
        _ => "digits only",
    }
}

/// Implements [`Value`] for a newtype of a number with units.
macro_rules! measured {
    ($type:ident, $parse:path, $syntax:literal, $caption:literal) => {
        impl Value for $type {
            fn syntax() -> String {
                $syntax.into()
            }

            fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<$type, Problem> {
                let value = $parse(&args.first().bytes);
                value.map($type).ok_or_else(|| args.refuse("invalid value").caption($caption))
            }
        }
    };
}

measured!(Size, number::size, "size", "a size: digits, then k or m");
measured!(Count, number::size, "number", "a number: digits, then k or m");
measured!(Offset, number::offset, "size", "a size: digits, then k, m or g");
measured!(Msec, number::msec, "time", "a time such as 500ms, 5s, 1m30s; a bare number is seconds");
measured!(Sec, number::sec, "time", "a time such as 5s, 1h30m, 2d; a bare number is seconds");

impl Value for MsecOrOff {
    fn syntax() -> String {
        "time | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<MsecOrOff, Problem> {
        if args.first().is("off") {
            return Ok(MsecOrOff { msec: Msec(0), spelled_off: true });
        }
        Msec::parse(args, evaluation).map(|msec| MsecOrOff { msec, spelled_off: false })
    }

    fn may_repeat(&self) -> bool {
        self.spelled_off
    }
}

impl<const MIN: u64> Value for MsecFrom<MIN> {
    fn syntax() -> String {
        "time".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<MsecFrom<MIN>, Problem> {
        let Msec(time) = Msec::parse(args, evaluation)?;
        if time < MIN {
            return Err(args.refuse("invalid value").caption(format!("at least {MIN}ms")));
        }
        Ok(MsecFrom(time))
    }
}

impl Value for Text {
    fn syntax() -> String {
        "text".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Text, Problem> {
        Ok(Text(args.first().text().to_owned()))
    }
}

impl Value for RawPath {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<RawPath, Problem> {
        Ok(RawPath(to_path(&args.first().bytes)))
    }
}

impl Value for PrefixPath {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<PrefixPath, Problem> {
        Ok(PrefixPath(evaluation.under_prefix(&args.first().bytes)))
    }
}

impl Value for ConfPath {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ConfPath, Problem> {
        Ok(ConfPath(evaluation.under_conf(&args.first().bytes)))
    }
}

impl Value for Words {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "word ...".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Words, Problem> {
        Ok(Words(args.words.iter().map(|w| w.text().to_owned()).collect()))
    }
}

impl Value for Present {
    const ARITY: Arity = Arity::NONE;

    fn syntax() -> String {
        String::new()
    }

    fn parse(_: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Present, Problem> {
        Ok(Present)
    }
}

impl Value for Selected {
    const ARITY: Arity = Arity::NONE;

    fn syntax() -> String {
        String::new()
    }

    fn parse(_: &Args<'_>, _: &mut Evaluation<'_>) -> Result<Selected, Problem> {
        Ok(Selected)
    }

    fn may_repeat(&self) -> bool {
        true
    }
}

impl Msec {
    /// The time as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The time, or none when zero.
    pub const fn nonzero(self) -> Option<Duration> {
        if self.0 == 0 { None } else { Some(self.duration()) }
    }
}

impl MsecOrOff {
    /// The time, or none when off.
    pub const fn nonzero(self) -> Option<Duration> {
        self.msec.nonzero()
    }
}

impl Sec {
    /// The time as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl Text {
    /// The word.
    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }

    /// Whether the word is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
