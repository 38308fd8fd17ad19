//! Names of locations.

use bstr::{BStr, BString, ByteSlice};

use super::variable::{Template, VariableNames};
use crate::directive::{Args, Arity, Evaluation, Pattern, Value};
use crate::syntax::{Problem, Word, sentence};

/// Arguments of a location.
#[derive(Clone, Debug, PartialEq)]
pub enum LocationName {
    /// `= /path`: exactly this path.
    Exact(BString),
    /// `/path`: paths with this prefix; `^~` disables the search for regular expressions.
    Prefix {
        /// Prefix of paths.
        prefix: BString,
        /// Whether `^~` was given.
        stops_regex: bool,
    },
    /// `~ REGEX` or `~* REGEX`.
    Regex(Pattern),
    /// `@name`: for internal redirects only.
    Named(BString),
    /// `$variable`: requests for which the variable is neither empty nor `0`.
    Predicate {
        /// The variable as written.
        spelled: BString,
        /// Gives its value.
        variable: Template,
    },
}

impl LocationName {
    /// The URI as written.
    pub fn spelled(&self) -> &BStr {
        match self {
            LocationName::Exact(uri) | LocationName::Prefix { prefix: uri, .. } => uri.as_bstr(),
            LocationName::Regex(pattern) => pattern.source(),
            LocationName::Named(name) | LocationName::Predicate { spelled: name, .. } => name.as_bstr(),
        }
    }

    /// Prefix of paths, for a prefix location.
    pub fn prefix(&self) -> Option<&BString> {
        match self {
            LocationName::Prefix { prefix, .. } => Some(prefix),
            LocationName::Exact(_)
            | LocationName::Regex(_)
            | LocationName::Named(_)
            | LocationName::Predicate { .. } => None,
        }
    }

    /// Whether it stands for no part of a path, as that of a regular expression or a predicate.
    pub fn is_no_path(&self) -> bool {
        matches!(self, LocationName::Regex(_) | LocationName::Predicate { .. })
    }
}

impl Value for LocationName {
    const ARITY: Arity = Arity::between(1, 2);

    fn syntax() -> String {
        "[= | ^~ | ~ | ~*] uri | @name | $variable".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LocationName, Problem> {
        let prefix = |uri: &[u8], stops_regex| LocationName::Prefix { prefix: uri.into(), stops_regex };
        if let [modifier, uri] = args.words {
            return Ok(match &modifier.bytes[..] {
                b"=" => LocationName::Exact(uri.text().to_owned()),
                b"^~" => prefix(&uri.bytes, true),
                b"~" => regex(uri, &uri.bytes, false, evaluation)?,
                b"~*" => regex(uri, &uri.bytes, true, evaluation)?,
                other => {
                    let text = sentence(&[b"invalid location modifier \"", other, b"\""]);
                    return Err(Problem::new(text).at(modifier.span).help("accepted: =, ^~, ~, ~*"));
                }
            });
        }
        let word = args.first();
        let text: &[u8] = &word.bytes;
        // A modifier may directly precede the URI.
        Ok(match text {
            [b'=', uri @ ..] => LocationName::Exact(uri.into()),
            [b'^', b'~', uri @ ..] => prefix(uri, true),
            [b'~', b'*', text @ ..] => regex(word, text, true, evaluation)?,
            [b'~', text @ ..] => regex(word, text, false, evaluation)?,
            [b'@', ..] => LocationName::Named(text.into()),
            [b'$', ..] => predicate(word, evaluation)?,
            uri => prefix(uri, false),
        })
    }
}

/// Parses the variable of a predicate.
fn predicate(word: &Word, evaluation: &mut Evaluation<'_>) -> Result<LocationName, Problem> {
    let variable = Template::compile(word, &word.bytes, evaluation)?;
    if variable.sole().is_none() {
        let text = sentence(&[b"invalid location predicate \"", &word.bytes, b"\""]);
        return Err(Problem::new(text)
            .at(word.span)
            .help("a predicate is one variable; `map` combines several"));
    }
    Ok(LocationName::Predicate { spelled: word.text().to_owned(), variable })
}

/// Parses a regular expression, whose named groups define variables.
fn regex(
    word: &Word,
    text: &[u8],
    is_caseless: bool,
    evaluation: &mut Evaluation<'_>,
) -> Result<LocationName, Problem> {
    let pattern = Pattern::compile(word, text, is_caseless)?;
    VariableNames::define_groups(&pattern, word, evaluation)?;
    Ok(LocationName::Regex(pattern))
}
