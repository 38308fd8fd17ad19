//! The `add_header` directive.

use bstr::BString;

use super::variable::Template;
use crate::directive::word::one_of;
use crate::directive::{Args, Arity, BlockLevel, Evaluation, Value};
use crate::syntax::{Problem, Spanned, sentence};

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

one_of! {
    /// What a level takes over of the lines of the level around it.
    pub enum HeaderInherit {
        /// Nothing.
        "off" => Off,
        /// All of them, if it has none of its own.
        "on" => On,
        /// All of them, behind its own.
        "merge" => Merge,
    }
}

/// The lines in force at a level: `of` gives those that a block sets, with its rule. A rule holds for the levels within,
/// too.
pub fn inherited<S: 'static>(
    level: &BlockLevel<'_>,
    of: impl Fn(&S) -> (&[Spanned<AddHeader>], Option<&Spanned<HeaderInherit>>),
) -> Vec<AddHeader> {
    let (mut lines, mut rule) = (Vec::new(), HeaderInherit::On);
    for scope in level.scopes::<S>().into_iter().rev() {
        let (own, own_rule) = scope.map_or((&[][..], None), &of);
        rule = own_rule.map_or(rule, |own| own.value);
        let mut all: Vec<AddHeader> = own.iter().map(|line| line.value.clone()).collect();
        match rule {
            HeaderInherit::On if all.is_empty() => continue,
            HeaderInherit::Merge => all.append(&mut lines),
            HeaderInherit::On | HeaderInherit::Off => {}
        }
        lines = all;
    }
    lines
}

/// The `add_header` lines in force.
#[derive(Debug)]
pub struct AddedHeaders(pub Vec<AddHeader>);

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
