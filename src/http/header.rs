//! The `add_header` directive.

use bstr::BString;

use super::variable::Template;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Statuses that get headers without `always`.
pub const USUAL: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// A response header.
#[derive(Clone, Debug, PartialEq)]
pub struct AddHeader {
    /// Name.
    pub name: BString,
    /// Value; if empty, no header is added, and `ETag` or `Last-Modified` is removed.
    pub value: Template,
    /// Whether it is added to every response.
    pub always: bool,
}

impl AddHeader {
    /// Whether a response with this status gets the header.
    pub fn applies_to(&self, status: u16) -> bool {
        self.always || USUAL.contains(&status)
    }
}

impl Value for AddHeader {
    const ARITY: Arity = Arity::between(2, 3);

    fn syntax() -> String {
        "name value [always]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<AddHeader, Problem> {
        let [name, value, rest @ ..] = args.words else { return Err(args.refuse("has too few arguments")) };
        let always = match rest {
            [] => false,
            [word, ..] if &word.bytes[..] == b"always" => true,
            [word, ..] => {
                let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                return Err(Problem::new(text).at(word.span).help("accepted: always"));
            }
        };
        let value = Template::compile(value, &value.bytes, evaluation)?;
        Ok(AddHeader { name: name.text().to_owned(), value, always })
    }
}
