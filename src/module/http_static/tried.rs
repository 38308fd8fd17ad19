//! The value of `try_files`.

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::{Template, Templates};
use crate::syntax::{Problem, sentence};

/// The candidates, and the fallback behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryFiles(pub Vec<Template>);

impl Value for TryFiles {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "file ... uri | file ... @name | file ... =code".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TryFiles, Problem> {
        if let Some(last) = args.words.last()
            && let Some(code) = last.bytes.strip_prefix(b"=")
            && number::digits(code).is_none_or(|code| code > 999)
        {
            let text = sentence(&[b"invalid code \"", &last.bytes, b"\""]);
            return Err(Problem::new(text).at(last.span));
        }
        Templates::parse(args, evaluation).map(|words| TryFiles(words.0))
    }
}
