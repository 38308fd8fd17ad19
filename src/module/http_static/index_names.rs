//! Names of index files.

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::variable::Template;
use crate::syntax::Problem;

/// The names that a line of `index` lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexNames(pub Vec<Template>);

impl Value for IndexNames {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "file ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<IndexNames, Problem> {
        let mut names = Vec::with_capacity(args.words.len());
        for (at, word) in args.words.iter().enumerate() {
            if word.bytes.is_empty() {
                return Err(Problem::new("index \"\" in \"index\" directive is invalid").at(word.span));
            }
            if word.bytes.starts_with(b"/") && at + 1 < args.words.len() {
                let text = "only the last index in \"index\" directive should be absolute";
                evaluation.report(
                    Problem::warning(text).at(word.span).caption("the names behind it are never tried"),
                );
            }
            names.push(Template::compile(word, &word.bytes, evaluation)?);
        }
        Ok(IndexNames(names))
    }
}
