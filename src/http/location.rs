//! What a location is for, and which location takes a path.

use bstr::{BStr, BString, ByteSlice};

use super::variable::VariableNames;
use crate::directive::{Args, Arity, Pattern, Scene, Value};
use crate::syntax::{Problem, sentence};

/// The words of a location's head.
#[derive(Clone, Debug, PartialEq)]
pub enum LocationName {
    /// `= /path`: exactly this path.
    Exact(BString),
    /// `/path`: paths that begin so; `^~` keeps regular expressions from being asked.
    Prefix {
        /// How paths begin.
        prefix: BString,
        /// Whether `^~` was written.
        stops_regex: bool,
    },
    /// `~ REGEX` or `~* REGEX`.
    Regex(Pattern),
    /// `@name`: only for redirects inside the server.
    Named(BString),
}

impl LocationName {
    /// The URI part as written.
    pub fn spelled(&self) -> &BStr {
        match self {
            LocationName::Exact(uri) | LocationName::Prefix { prefix: uri, .. } => uri.as_bstr(),
            LocationName::Regex(pattern) => pattern.source(),
            LocationName::Named(name) => name.as_bstr(),
        }
    }
}

impl Value for LocationName {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "[= | ^~ | ~ | ~*] uri | @name".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<LocationName, Problem> {
        let prefix = |uri: &[u8], stops_regex| LocationName::Prefix { prefix: uri.into(), stops_regex };
        if let [modifier, uri] = args.words {
            return Ok(match &modifier.bytes[..] {
                b"=" => LocationName::Exact(uri.text().to_owned()),
                b"^~" => prefix(&uri.bytes, true),
                b"~" => LocationName::Regex(defining(Pattern::compile(uri, &uri.bytes, false)?, scene)),
                b"~*" => LocationName::Regex(defining(Pattern::compile(uri, &uri.bytes, true)?, scene)),
                other => {
                    let text = sentence(&[b"invalid location modifier \"", other, b"\""]);
                    return Err(Problem::new(text).at(modifier.span).help("accepted: =, ^~, ~, ~*"));
                }
            });
        }
        let word = args.first();
        let text: &[u8] = &word.bytes;
        // A modifier may be glued to the URI.
        Ok(match text {
            [b'=', uri @ ..] => LocationName::Exact(uri.into()),
            [b'^', b'~', uri @ ..] => prefix(uri, true),
            [b'~', b'*', regex @ ..] => {
                LocationName::Regex(defining(Pattern::compile(word, regex, true)?, scene))
            }
            [b'~', regex @ ..] => LocationName::Regex(defining(Pattern::compile(word, regex, false)?, scene)),
            [b'@', ..] => LocationName::Named(text.into()),
            uri => prefix(uri, false),
        })
    }
}

/// Notes a pattern's named groups as variables.
fn defining(pattern: Pattern, scene: &mut Scene<'_>) -> Pattern {
    let names = scene.notes.of::<VariableNames>();
    for group in pattern.group_names() {
        names.define(&group);
    }
    pattern
}
