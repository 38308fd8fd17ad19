//! Lists of content types, such as those of `gzip_types`.

use bstr::BString;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::Problem;

/// Content types that a filter applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeList {
    /// The types in lower case; `text/html` is always one of them.
    types: Vec<BString>,
    /// `*`: all types.
    has_all: bool,
}

impl TypeList {
    /// Whether the list has a type, given without charset. As in nginx, a type with parameters is another one, and `*`
    /// also stands for no type.
    pub fn has(&self, content_type: Option<&BString>) -> bool {
        let is_listed =
            |content_type: &BString| self.types.iter().any(|known| known.eq_ignore_ascii_case(content_type));
        self.has_all || content_type.is_some_and(is_listed)
    }

    /// A list of these types, and `text/html`.
    pub fn new(types: &[&str]) -> Self {
        let types = types.iter().map(|known| BString::from(*known)).chain(["text/html".into()]).collect();
        TypeList { types, has_all: false }
    }
}

impl Value for TypeList {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "mime-type ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TypeList, Problem> {
        let mut list = TypeList::new(&[]);
        for word in args.words {
            let name: BString = word.bytes.to_ascii_lowercase().into();
            if name == "*" {
                list.has_all = true;
            } else if name == "text/html" && args.words.len() > 1 {
                let text = "duplicate MIME type \"text/html\"";
                evaluation.report(Problem::warning(text).at(word.span));
            } else if !list.types.contains(&name) {
                list.types.push(name);
            }
        }
        Ok(list)
    }
}
