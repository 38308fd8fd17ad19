//! Text with variables, such as `$name` or `${name}`: parsing and expansion.
//!
//! A [`Notation`] describes how a dialect writes variables. The meaning of a name is defined by the module that has the
//! values.

use bstr::{BString, ByteSlice};

/// Notation of variables in a dialect.
#[derive(Clone, Copy, Debug)]
pub struct Notation {
    /// Whether names may contain a byte.
    pub is_name: fn(u8) -> bool,
    /// Meaning of `${`.
    pub braces: Braces,
    /// Whether `$1` to `$9` are complete names, regardless of the next character.
    pub captures: bool,
    /// Whether a backslash makes the next byte literal.
    pub backslash: bool,
    /// Whether a `$` without a name is text.
    pub lone_dollar: bool,
}

/// Meaning of `${`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braces {
    /// None: no name begins with `{`.
    None,
    /// A name in braces.
    Name,
    /// Any text up to `}` is a name.
    Anything,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text without variables.
    Literal(&'t [u8]),
    /// A variable.
    Variable {
        /// Its name as written.
        name: &'t [u8],
        /// Offset of its `$` in the text.
        at: usize,
    },
}

/// A malformed variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed<'t> {
    /// `$` without a name.
    NoName {
        /// Its offset in the text.
        at: usize,
    },
    /// `${` without `}`.
    Unclosed {
        /// The name, up to the first byte that names may not contain.
        name: &'t [u8],
        /// Offset of its `$` in the text.
        at: usize,
    },
}

/// Iterator over the parts of a text; see [`Notation::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'t> {
    notation: Notation,
    text: &'t [u8],
    rest: &'t [u8],
}

/// A text with variables of type `V`, prepared for expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<V> {
    parts: Vec<Part<V>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<V> {
    Literal(BString),
    Variable(V),
}

/// Whether a byte is a letter, a digit or `_`, as in the names of most dialects.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Notation {
    /// `$name` and `${name}`, with names of letters, digits and `_`.
    pub const WORDS: Notation = Notation {
        is_name: is_word_byte,
        braces: Braces::Name,
        captures: false,
        backslash: false,
        lone_dollar: false,
    };
    /// Notation of exec lines: names of letters, and a backslash before what is literal.
    pub const EXEC: Notation = Notation {
        is_name: |byte| byte.is_ascii_alphabetic(),
        braces: Braces::Anything,
        captures: false,
        backslash: true,
        lone_dollar: true,
    };

    /// Splits a text. A malformed variable is the last item.
    pub fn pieces(self, text: &[u8]) -> Pieces<'_> {
        Pieces { notation: self, text, rest: text }
    }

    /// The names of the variables in a text, as written, up to the first malformed variable.
    pub fn names(self, text: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.pieces(text).filter_map(|piece| match piece {
            Ok(Piece::Variable { name, .. }) => Some(name),
            Ok(Piece::Literal(_)) | Err(_) => None,
        })
    }

    /// Parses a text. `meaning` maps a name and the offset of its `$` to a variable, or decides about a malformed one;
    /// `None` leaves the variable out.
    ///
    /// # Errors
    ///
    /// The first error of `meaning`.
    pub fn template<'t, V, E>(
        self,
        text: &'t [u8],
        mut meaning: impl FnMut(Result<(&'t [u8], usize), Malformed<'t>>) -> Result<Option<V>, E>,
    ) -> Result<Template<V>, E> {
        let mut template = Template::default();
        for piece in self.pieces(text) {
            let variable = match piece {
                Ok(Piece::Literal(literal)) => {
                    template.push_literal(literal);
                    continue;
                }
                Ok(Piece::Variable { name, at }) => meaning(Ok((name, at)))?,
                Err(malformed) => meaning(Err(malformed))?,
            };
            template.parts.extend(variable.map(Part::Variable));
        }
        Ok(template)
    }
}

impl<'t> Pieces<'t> {
    /// The piece that begins with the `$` before `tail`, and the rest.
    fn variable(&self, tail: &'t [u8]) -> Result<(Piece<'t>, &'t [u8]), Malformed<'t>> {
        let notation = self.notation;
        let at = self.text.len() - tail.len() - 1;
        if let [b'1'..=b'9', ..] = tail
            && notation.captures
        {
            let (name, rest) = tail.split_at(1);
            return Ok((Piece::Variable { name, at }, rest));
        }
        let braced = tail.strip_prefix(b"{").filter(|_| notation.braces != Braces::None);
        let (name, rest) = match braced {
            Some(inner) if notation.braces == Braces::Anything => {
                inner.split_at(inner.find_byte(b'}').unwrap_or(inner.len()))
            }
            _ => {
                let named = braced.unwrap_or(tail);
                named.split_at(named.iter().take_while(|byte| (notation.is_name)(**byte)).count())
            }
        };
        let rest = match braced {
            Some(_) => rest.strip_prefix(b"}").ok_or(Malformed::Unclosed { name, at })?,
            None => rest,
        };
        match (name, braced) {
            ([], None) if notation.lone_dollar => Ok((Piece::Literal(&self.text[at..=at]), tail)),
            ([], Some(_)) if notation.braces == Braces::Anything => Ok((Piece::Variable { name, at }, rest)),
            ([], _) => Err(Malformed::NoName { at }),
            _ => Ok((Piece::Variable { name, at }, rest)),
        }
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Result<Piece<'t>, Malformed<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        let backslash = self.notation.backslash;
        let (piece, rest) = match self.rest {
            [] => return None,
            [b'$', tail @ ..] => match self.variable(tail) {
                Ok(found) => found,
                Err(malformed) => {
                    self.rest = b"";
                    return Some(Err(malformed));
                }
            },
            [b'\\', tail @ ..] if backslash && !tail.is_empty() => {
                let (escaped, rest) = tail.split_at(1);
                (Piece::Literal(escaped), rest)
            }
            [_, tail @ ..] => {
                let special = if backslash { tail.find_byteset(b"$\\") } else { tail.find_byte(b'$') };
                let (literal, rest) = self.rest.split_at(special.map_or(self.rest.len(), |at| at + 1));
                (Piece::Literal(literal), rest)
            }
        };
        self.rest = rest;
        Some(Ok(piece))
    }
}

impl<V> Template<V> {
    fn push_literal(&mut self, text: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Literal(literal)) => literal.extend_from_slice(text),
            _ => self.parts.push(Part::Literal(text.into())),
        }
    }

    /// Appends the text; `value` appends the value of a variable.
    pub fn fill(&self, out: &mut Vec<u8>, mut value: impl FnMut(&V, &mut Vec<u8>)) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => value(variable, out),
            }
        }
    }

    /// Whether the text, apart from values of variables, ends with this byte.
    pub fn ends_with(&self, byte: u8) -> bool {
        matches!(self.parts.last(), Some(Part::Literal(text)) if text.last() == Some(&byte))
    }

    /// Length of the text apart from values of variables, in bytes.
    pub fn literal_bytes(&self) -> usize {
        let literals = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text.len(),
            Part::Variable(_) => 0,
        });
        literals.sum()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The variables in it, in order.
    pub fn variables(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Variable(variable) => Some(variable),
        })
    }

    /// The variable, if the text is one and nothing else.
    pub fn sole(&self) -> Option<&V> {
        match self.parts.as_slice() {
            [Part::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// The text, if it contains no variable.
    pub fn literal(&self) -> Option<BString> {
        match self.parts.as_slice() {
            [] => Some(BString::default()),
            [Part::Literal(text)] => Some(text.clone()),
            _ => None,
        }
    }
}

impl<V> Default for Template<V> {
    fn default() -> Self {
        Template { parts: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Notation = Notation::WORDS;

    fn names(notation: Notation, text: &str) -> Vec<&str> {
        notation.names(text.as_bytes()).map(|name| std::str::from_utf8(name).unwrap()).collect()
    }

    fn filled(notation: Notation, text: &str) -> Option<String> {
        let template = notation.template(text.as_bytes(), |name| match name {
            Ok((b"none", _)) => Ok(None),
            Ok((name, at)) => Ok(Some(format!("<{}@{at}>", name.as_bstr()))),
            Err(_) => Err(()),
        });
        let mut out = Vec::new();
        template.ok()?.fill(&mut out, |name, out| out.extend_from_slice(name.as_bytes()));
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn names_end_where_the_notation_says() {
        assert_eq!(names(WORDS, "a$b_1-${c}d$e"), ["b_1", "c", "e"]);
        let captures = Notation { captures: true, ..WORDS };
        assert_eq!((names(WORDS, "$12x"), names(captures, "$12x$0")), (vec!["12x"], vec!["1", "0"]));
        let letters = Notation { is_name: |byte| byte.is_ascii_alphabetic(), ..WORDS };
        assert_eq!(names(letters, "$a_b"), ["a"]);
        assert_eq!(names(Notation { braces: Braces::Anything, ..WORDS }, "${a b}$c${}"), ["a b", "c", ""]);
    }

    #[test]
    fn a_malformed_variable_is_the_last_piece() {
        let last = |notation: Notation, text| notation.pieces(text).last();
        assert_eq!(last(WORDS, b"a$-$b"), Some(Err(Malformed::NoName { at: 1 })));
        assert_eq!(last(WORDS, b"${}"), Some(Err(Malformed::NoName { at: 0 })));
        assert_eq!(last(WORDS, b"x${ab-}"), Some(Err(Malformed::Unclosed { name: b"ab", at: 1 })));
        let none = Notation { braces: Braces::None, ..WORDS };
        assert_eq!(last(none, b"${a}"), Some(Err(Malformed::NoName { at: 0 })));
        let anything = Notation { braces: Braces::Anything, lone_dollar: true, ..WORDS };
        assert_eq!(last(anything, b"${a b"), Some(Err(Malformed::Unclosed { name: b"a b", at: 0 })));
        assert_eq!(last(anything, b"a$"), Some(Ok(Piece::Literal(b"$"))));
    }

    #[test]
    fn values_stand_between_literals() {
        assert_eq!(filled(WORDS, "a$b${c}-").as_deref(), Some("a<b@1><c@3>-"));
        assert_eq!(filled(WORDS, "$"), None);
        let exec = Notation { backslash: true, lone_dollar: true, ..WORDS };
        assert_eq!(filled(exec, r"\$a\\$b\").as_deref(), Some(r"$a\<b@5>\"));
        assert_eq!(filled(exec, "$-$$a").as_deref(), Some("$-$<a@3>"));
    }

    #[test]
    fn a_template_of_one_literal_is_one_text() {
        let template = |text: &'static [u8]| {
            WORDS.template(text, |name| name.map(|(name, _)| (name != b"none").then_some(name))).unwrap()
        };
        assert_eq!((template(b"").literal(), template(b"").is_empty()), (Some("".into()), true));
        assert_eq!(template(b"a$none-b").literal(), Some("a-b".into()));
        assert_eq!(template(b"a$b").literal(), None);
        assert_eq!(template(b"a$b$none$c").variables().collect::<Vec<_>>(), [b"b", b"c"]);
    }
}
