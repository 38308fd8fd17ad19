//! Values of the `root` and `alias` directives.

use std::path::PathBuf;

use bstr::ByteSlice;

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

/// Which of the two directives a block has so far.
#[derive(Default)]
struct NamedBy(Option<&'static str>);

/// Checks what nginx refuses of `root` and `alias`.
fn check(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<(), Problem> {
    let (own, other) = if &args.name.bytes[..] == b"alias" { ("alias", "root") } else { ("root", "alias") };
    if !evaluation.is_of_default() {
        let named = &mut evaluation.block.of::<NamedBy>().0;
        if *named == Some(other) {
            let text =
                format!("\"{own}\" directive is duplicate, \"{other}\" directive was specified earlier");
            return Err(Problem::new(text));
        }
        *named = Some(own);
    }
    let word = args.first();
    for variable in ["document_root", "realpath_root"] {
        let plain = format!("${variable}");
        let braced = format!("${{{variable}}}");
        if word.bytes.find(&plain).is_some() || word.bytes.find(&braced).is_some() {
            let text = format!("the {plain} variable cannot be used in the \"{own}\" directive");
            return Err(Problem::new(text).at(word.span));
        }
    }
    Ok(())
}

impl Value for Directory {
    fn syntax() -> String {
        "path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<Directory, Problem> {
        let word = args.first();
        check(args, evaluation)?;
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
