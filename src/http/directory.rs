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
    /// Path with variables; a relative value is below the prefix.
    Variable(Template, PathBuf),
}

impl Value for Directory {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Directory, Problem> {
        let word = args.first();
        let text = match &args.name.bytes[..] {
            // As in nginx, the slash at the end of a root is not part of paths.
            b"root" if word.bytes.len() > 1 => word.bytes.strip_suffix(b"/").unwrap_or(&word.bytes),
            _ => &word.bytes,
        };
        let prefix = evaluation.under_prefix(b"");
        if !text.contains(&b'$') {
            return Ok(Directory::Fixed(evaluation.under_prefix(text)));
        }
        Template::compile(word, text, evaluation).map(|template| Directory::Variable(template, prefix))
    }
}
