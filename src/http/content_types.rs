//! Lists of content types, such as those of `gzip_types`.

use bstr::BString;
use rustc_hash::FxHashMap;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

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

/// The lists of a block so far, by directive.
#[derive(Default)]
struct ListsOfBlock(FxHashMap<BString, TypeList>);

impl Value for TypeList {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "mime-type ...".into()
    }

    /// Adds to the types that former lines of the block list.
    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<TypeList, Problem> {
        // A default lists what all lists have.
        if evaluation.is_of_default() {
            return Ok(TypeList::new(&[]));
        }
        let lists = &mut evaluation.block.of::<ListsOfBlock>().0;
        let mut list = lists.remove(args.name.text()).unwrap_or_else(|| TypeList::new(&[]));
        for word in args.words {
            // As in nginx, what follows is not examined.
            if list.has_all {
                break;
            }
            let name: BString = word.bytes.to_ascii_lowercase().into();
            if name == "*" {
                list.has_all = true;
            } else if list.types.contains(&name) {
                let text = sentence(&[b"duplicate MIME type \"", &name, b"\""]);
                evaluation.report(Problem::warning(text).at(word.span));
            } else {
                list.types.push(name);
            }
        }
        evaluation.block.of::<ListsOfBlock>().0.insert(args.name.text().to_owned(), list.clone());
        Ok(list)
    }

    fn may_repeat(&self) -> bool {
        true
    }
}
