//! Lexer: splits text into tokens, one window at a time.
//!
//! The grammar is `grammar/conf.pest`. pest needs a third of a microsecond per token, which would be most of the time of
//! loading a large configuration, so tokens without quotes and backslashes are recognised here by the same rules; a test
//! compares both. pest keeps a record per token, so a text is parsed in windows; the memory for those records does not
//! grow with the file.

use std::borrow::Cow;

use bstr::ByteSlice;
use pest::Parser;

use self::grammar::{Grammar, Rule};

/// Bytes of text parsed at once; the window grows while a single token is longer.
const WINDOW: usize = 1 << 10;

/// Code that pest generates from the grammar.
mod grammar {
    use pest_derive::Parser;

    #[derive(Parser)]
    #[grammar = "../grammar/conf.pest"]
    pub(crate) struct Grammar;
}

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Unquoted word.
    Bare,
    /// `}`
    Close,
    /// `{`
    Open,
    /// Quoted word.
    Quoted,
    /// `;`
    Semicolon,
    /// Quote without an end; extends to the end of the text.
    Unclosed,
}

/// A token with its byte range.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// Kind.
    pub kind: TokenKind,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

/// The next part of a text.
enum Plain {
    /// A token, the same as the grammar's.
    Token(Token),
    /// A token for the grammar, at this offset.
    Hard(usize),
    /// Only whitespace and comments, up to the end.
    End,
}

/// Iterator over the tokens of a text. Whitespace and comments are skipped.
pub struct Lexer<'t> {
    text: Cow<'t, str>,
    /// Offset up to which every token was returned or is in `ready`.
    at: usize,
    ready: std::vec::IntoIter<Token>,
}

impl<'t> Lexer<'t> {
    /// Starts at the beginning of a text in any encoding.
    pub fn new(text: &'t [u8]) -> Lexer<'t> {
        let text = match std::str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(shadow(text)),
        };
        Lexer { text, at: 0, ready: Vec::new().into_iter() }
    }

    /// Parses the next window.
    fn refill(&mut self) {
        let mut window = WINDOW;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let end = (window..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            let complete = end == rest.len();
            let mut tokens = tokens(&rest[..end], self.at);
            // A token that touches the end of the window may continue beyond it.
            let touches = tokens.last().is_some_and(|t| t.end == self.at + end);
            if !complete && touches {
                tokens.pop();
            }
            if complete {
                self.at = self.text.len();
            } else if let Some(last) = tokens.last() {
                self.at = last.end;
            } else {
                window *= 4;
                continue;
            }
            self.ready = tokens.into_iter();
            return;
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if let Some(token) = self.ready.next() {
            return Some(token);
        }
        match plain(self.text.as_bytes(), self.at) {
            Plain::Token(token) => {
                self.at = token.end;
                Some(token)
            }
            Plain::Hard(at) => {
                self.at = at;
                self.refill();
                self.ready.next()
            }
            Plain::End => None,
        }
    }
}

/// The next part of a text from `at` on.
fn plain(text: &[u8], mut at: usize) -> Plain {
    let kind = loop {
        match text.get(at) {
            None => return Plain::End,
            Some(b' ' | b'\n' | b'\t' | b'\r') => at += 1,
            Some(b'#') => at = text[at..].find_byte(b'\n').map_or(text.len(), |length| at + length),
            Some(b';') => break TokenKind::Semicolon,
            Some(b'{') => break TokenKind::Open,
            Some(b'}') => break TokenKind::Close,
            Some(b'"' | b'\'') => return Plain::Hard(at),
            Some(_) => break TokenKind::Bare,
        }
    };
    let start = at;
    if kind != TokenKind::Bare {
        return Plain::Token(Token { kind, start, end: start + 1 });
    }
    loop {
        match text.get(at) {
            None | Some(b' ' | b';' | b'\n' | b'{' | b'\t' | b'\r') => {
                return Plain::Token(Token { kind, start, end: at });
            }
            Some(b'\\') => return Plain::Hard(start),
            Some(b'$') => at += 1 + text[at + 1..].iter().take_while(|byte| **byte == b'{').count(),
            Some(_) => at += 1,
        }
    }
}

fn tokens(text: &str, offset: usize) -> Vec<Token> {
    let pairs = Grammar::parse(Rule::tokens, text).expect("the grammar takes every text");
    let token = |pair: pest::iterators::Pair<'_, Rule>| {
        let kind = match pair.as_rule() {
            Rule::close => TokenKind::Close,
            Rule::double | Rule::single => TokenKind::Quoted,
            Rule::open => TokenKind::Open,
            Rule::semicolon => TokenKind::Semicolon,
            Rule::unclosed => TokenKind::Unclosed,
            _ => TokenKind::Bare,
        };
        let span = pair.as_span();
        Token { kind, start: offset + span.start(), end: offset + span.end() }
    };
    pairs.map(token).collect()
}

/// A valid UTF-8 text of the same length with the same tokens: the grammar treats every byte from 0x80 on as a letter.
fn shadow(text: &[u8]) -> String {
    text.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { 'x' }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &[u8]) -> Vec<String> {
        Lexer::new(text).map(|t| String::from_utf8_lossy(&text[t.start..t.end]).into_owned()).collect()
    }

    #[test]
    fn special_characters_count_only_at_the_beginning_of_a_word() {
        assert_eq!(words(b"a#b a\"b\"c a}b #x;{}\n;}"), ["a#b", "a\"b\"c", "a}b", ";", "}"]);
        assert_eq!(words(b"${a} $x{ ${{b}} a\\;b;"), ["${a}", "$x", "{", "${{b}}", "a\\;b", ";"]);
        assert_eq!(words(b"\"a;b\" 'c\\'d'e"), ["\"a;b\"", "'c\\'d'", "e"]);
        assert_eq!(words(b"a \"b; }"), ["a", "\"b; }"]);
        assert_eq!(words(b"a\\"), ["a\\"]);
    }

    proptest! {
        #[test]
        fn plain_tokens_are_those_of_the_grammar(text in "[ab/ \n\t\r;{}$#\"'\\\\\u{e9}\0]{0,60}") {
            let found = |tokens: Vec<Token>| -> Vec<(TokenKind, usize, usize)> {
                tokens.into_iter().map(|token| (token.kind, token.start, token.end)).collect()
            };
            prop_assert_eq!(found(Lexer::new(text.as_bytes()).collect()), found(tokens(&text, 0)));
        }
    }

    #[test]
    fn any_byte_is_a_letter() {
        assert_eq!(Lexer::new(b"\xd6\xb1\xb2\xa5 {\xff;}").count(), 5);
        assert_eq!(Lexer::new(b"a\0b;").count(), 2);
    }

    #[test]
    fn windows_do_not_cut_tokens() {
        let long = "b".repeat(3 * WINDOW);
        let text = format!("{}a{} '{long}' {long};", " ".repeat(WINDOW - 1), "c".repeat(10));
        let found = words(text.as_bytes());
        assert_eq!(found.len(), 4);
        assert_eq!(found[0], "acccccccccc");
        assert_eq!(found[1].len(), long.len() + 2);
        let comment = format!("a #{long}\n b;");
        assert_eq!(words(comment.as_bytes()), ["a", "b", ";"]);
        let many = "ab cd;".repeat(WINDOW / 4);
        assert_eq!(words(many.as_bytes()).len(), WINDOW / 4 * 3);
    }
}
