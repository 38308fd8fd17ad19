//! `add_header`.

use bstr::BString;

use super::variable::Template;
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, sentence};

/// Statuses that get added headers without `always`.
pub const USUAL: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// One header of responses.
#[derive(Clone, Debug, PartialEq)]
pub struct AddHeader {
    /// Its name.
    pub name: BString,
    /// Its value; an empty one adds nothing.
    pub value: Template,
    /// Added to every response.
    pub always: bool,
}

impl AddHeader {
    /// Whether a response of that status gets the header.
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
