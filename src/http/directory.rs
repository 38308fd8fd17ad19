//! Values of the `root` and `alias` directives.

use std::path::PathBuf;

use super::variable::Template;
use crate::directive::{Args, Evaluation, Value};
use crate::syntax::Problem;

/// Directory of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// Absolute path.
    Fixed(PathBuf),
    /// Path with variables.
    Variable(Template),
}

impl Value for Directory {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Directory, Problem> {
        let word = args.first();
        if !word.bytes.contains(&b'$') {
            return Ok(Directory::Fixed(evaluation.under_prefix(&word.bytes)));
        }
        let text = "variables in a path have no effect yet, nothing is served";
        evaluation.report(Problem::warning(text).at(word.span));
        Template::compile(word, &word.bytes, evaluation).map(Directory::Variable)
    }
}
