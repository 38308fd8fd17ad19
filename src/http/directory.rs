//! The `root` and `alias` directives.

use std::path::PathBuf;

use super::conf::{Conf, Scope};
use super::location::LocationName;
use super::variable::Template;
use crate::directive::context::{Contexts, LOCATION};
use crate::directive::evaluate::Block;
use crate::directive::{Args, BlockLevel, Evaluation, Slot, Value};
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

/// Location of the files that a location serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// `alias`: a path that replaces the beginning of the request's path.
    Alias {
        /// The file or directory.
        target: PathBuf,
        /// Number of bytes of the request's path to replace: the prefix of the location that contains the line. `None`
        /// for a regular expression: the whole path.
        replaces: Option<usize>,
    },
    /// `root`: a directory to which the whole path is appended.
    Root(PathBuf),
    /// A path with variables, which is not implemented: nothing is served.
    Unserved,
}

/// The nearest `root` or `alias` applies. As in nginx, an inherited `alias` replaces the prefix of the location that
/// contains it.
impl Slot for Files {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Files {
        let nearest = level.blocks.iter().find_map(|block| {
            let scope: &Scope = block.scope()?;
            let alias = scope.alias.as_ref().map(|alias| (&alias.value, Some(replaced_by_alias(block))));
            alias.or_else(|| scope.root.as_ref().map(|root| (&root.value, None)))
        });
        let default;
        let (directory, replaces) = match nearest {
            Some(found) => found,
            None => {
                default = level.resolve::<Conf>(evaluation).root;
                (&default, None)
            }
        };
        match (directory, replaces) {
            (Directory::Variable(_), _) => Files::Unserved,
            (Directory::Fixed(target), Some(replaces)) => Files::Alias { target: target.clone(), replaces },
            (Directory::Fixed(directory), None) => Files::Root(directory.clone()),
        }
    }
}

/// What `alias` in a location replaces; see [`Files::Alias`].
fn replaced_by_alias(location: &Block) -> Option<usize> {
    match location.head::<LocationName>() {
        Some(LocationName::Regex(_)) => None,
        name => Some(name.map_or(0, |name| name.spelled().len())),
    }
}
