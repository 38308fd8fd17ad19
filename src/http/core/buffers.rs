//! Sizes in HTTP directives.

use crate::directive::{Args, Arity, Evaluation, Num, Offset, Size, Value, number};
use crate::http::variable::Template;
use crate::limits;
use crate::syntax::{Problem, sentence};

/// Number and size of buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferCount {
    /// Number, at least one.
    pub count: u64,
    /// Size of each, at least one byte.
    pub size: Size,
}

/// Number of header lines, at most [`limits::HTTP_HEADERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderCount(pub u64);

/// Size of the buffer for a request body, at least one byte as in later versions of nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBufferSize(pub u64);

impl Value for BodyBufferSize {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<BodyBufferSize, Problem> {
        match Size::parse(args, evaluation)?.0 {
            0 => Err(Problem::new("client body buffer size cannot be zero").at(args.span())),
            size => Ok(BodyBufferSize(size)),
        }
    }
}

/// Size of one of nginx's memory pools, which are not needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSize;

/// Bytes that can be sent before a socket counts as writable, which Linux does not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLowat;

/// A size, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeOrOff(pub Option<Offset>);

/// A size, or variables that are evaluated at each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SizeOrVariable {
    /// A size.
    Size(Size),
    /// Variables.
    Variable(Template),
}

impl SizeOrVariable {
    /// The size in bytes; 0 for a text that is none.
    pub fn bytes(&self, expand: impl FnOnce(&Template) -> Vec<u8>) -> u64 {
        match self {
            SizeOrVariable::Size(size) => size.0,
            SizeOrVariable::Variable(template) => number::size(&expand(template)).unwrap_or(0),
        }
    }
}

impl Value for HeaderCount {
    fn syntax() -> String {
        Num::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HeaderCount, Problem> {
        let count = Num::parse(args, evaluation)?;
        let most = limits::HTTP_HEADERS;
        if count > most {
            let text = format!("\"max_headers\" {count} is out of range, {most} is used");
            evaluation.report(Problem::warning(text).at(args.span()));
        }
        Ok(HeaderCount(count.min(most)))
    }
}

impl Value for BufferCount {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "number size".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<BufferCount, Problem> {
        let [count, size] = args.words else { return Err(args.refuse("invalid value")) };
        let count = number::digits(&count.bytes).filter(|n| *n > 0);
        let size = number::size(&size.bytes).filter(|n| *n > 0).map(Size);
        match (count, size) {
            (Some(count), Some(size)) => Ok(BufferCount { count, size }),
            _ => Err(args.refuse("invalid value").caption("a number and a size, such as 8 4k")),
        }
    }
}

impl Value for PoolSize {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<PoolSize, Problem> {
        let text = match Size::parse(args, evaluation)?.0 {
            ..112 => "the pool size must be no less than 112",
            size if size % 16 != 0 => "the pool size must be a multiple of 16",
            _ => return Ok(PoolSize),
        };
        Err(Problem::new(text).at(args.span()))
    }
}

impl Value for SendLowat {
    fn syntax() -> String {
        Size::syntax()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SendLowat, Problem> {
        Size::parse(args, evaluation)?;
        if !evaluation.is_of_default() {
            let text = sentence(&[b"\"", &args.name.bytes, b"\" is not supported, ignored"]);
            evaluation.report(Problem::warning(text).at(args.span()));
        }
        Ok(SendLowat)
    }
}

impl Value for SizeOrOff {
    fn syntax() -> String {
        "size | off".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SizeOrOff, Problem> {
        if args.first().is("off") {
            return Ok(SizeOrOff(None));
        }
        Offset::parse(args, evaluation).map(|size| SizeOrOff(Some(size)))
    }
}

impl Value for SizeOrVariable {
    fn syntax() -> String {
        "size | $variable".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<SizeOrVariable, Problem> {
        let word = args.first();
        if word.bytes.contains(&b'$') {
            return Template::compile(word, &word.bytes, evaluation).map(SizeOrVariable::Variable);
        }
        Size::parse(args, evaluation).map(SizeOrVariable::Size)
    }
}
