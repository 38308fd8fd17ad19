//! A configuration as text: comments, layout and quoting of words.
//!
//! The parser discards comments and layout; commands that print a configuration need them.

use std::collections::VecDeque;

use super::lexer::{Lexer, Token, TokenKind};
use super::tree::{Body, StatementEnd};

/// Columns per nesting level.
const INDENT: usize = 4;
/// Maximum length of a quoted word for the parser, in bytes between the quotes.
const MAX_QUOTED: usize = 4094;

/// A comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Offset of its `#`.
    pub start: usize,
    /// Offset after its last byte: the line feed, or the end of the text.
    pub end: usize,
    /// Line, counted from 1.
    pub line: u32,
    /// Whether only whitespace precedes it on its line.
    pub alone: bool,
    /// The preceding token, at any distance.
    pub after: Option<TokenBefore>,
}

/// The token before a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenBefore {
    /// A `{` at this offset.
    Open(usize),
    /// Any other token.
    Other,
}

/// A token or a comment, with the number of line feeds before it.
struct TextPiece {
    what: PieceKind,
    start: usize,
    end: usize,
    line_feeds: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Comment,
    Token(TokenKind),
}

/// Comments of a text, in order.
pub fn comments(text: &[u8]) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut after = None;
    // Line feeds inside a quoted word, which the next piece's count does not include.
    let mut inside = 0;
    for piece in pieces(text) {
        line += inside + count_lines(piece.line_feeds);
        inside = count_lines(text[piece.start..piece.end].iter().filter(|b| **b == b'\n').count());
        match piece.what {
            PieceKind::Comment => {
                let first = found.is_empty() && after.is_none();
                let alone = piece.line_feeds > 0 || first;
                found.push(Comment { start: piece.start, end: piece.end, line, alone, after });
            }
            PieceKind::Token(TokenKind::Open) => after = Some(TokenBefore::Open(piece.start)),
            PieceKind::Token(_) => after = Some(TokenBefore::Other),
        }
    }
    found
}

/// Formats a text: one statement per line, four columns per block, at most one empty line in a row.
///
/// Words, quotes and comments are kept, and so is the meaning, provided that the parser accepts the text without an
/// error. The result for a text that it refuses must not be used.
pub fn format(text: &[u8]) -> Vec<u8> {
    let mut layout = TextLayout { out: Vec::with_capacity(text.len()), depth: 0, pending: false };
    let mut before: Option<TextPiece> = None;
    for piece in pieces(text) {
        layout.piece(text, &piece, before.as_ref());
        before = Some(piece);
    }
    if !layout.out.is_empty() {
        layout.end_line();
    }
    layout.out
}

/// Quotes a word only where necessary, so that the parser reads back exactly these bytes.
pub fn spell(word: &[u8]) -> Vec<u8> {
    let bare = spell_bare(word);
    if let Some(bare) = bare {
        return bare;
    }
    let quote = if word.contains(&b'"') && !word.contains(&b'\'') { b'\'' } else { b'"' };
    let mut out = Vec::with_capacity(word.len() + 2);
    out.push(quote);
    for (at, byte) in word.iter().enumerate() {
        if *byte == quote || (*byte == b'\\' && decodes(word.get(at + 1))) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(quote);
    out
}

/// Whether a quoted word is short enough for the parser.
pub fn fits(spelled: &[u8]) -> bool {
    match spelled {
        [b'"' | b'\'', ..] => spelled.len() <= MAX_QUOTED + 2,
        _ => spelled.len() <= MAX_QUOTED + 1,
    }
}

/// Whether two bodies contain the same words in the same blocks.
pub fn same(left: Body<'_>, right: Body<'_>) -> bool {
    let mut right = right;
    for left in left {
        let Some(right) = right.next() else { return false };
        let words = left.words().iter().map(|w| &w.bytes).eq(right.words().iter().map(|w| &w.bytes));
        let block = |end| matches!(end, StatementEnd::Block { .. });
        if !words || block(left.end()) != block(right.end()) || !same(left.body(), right.body()) {
            return false;
        }
    }
    right.next().is_none()
}

/// Text being formatted.
struct TextLayout {
    out: Vec<u8>,
    depth: usize,
    /// Whether a statement is incomplete.
    pending: bool,
}

impl TextLayout {
    fn piece(&mut self, text: &[u8], piece: &TextPiece, before: Option<&TextPiece>) {
        let bytes = &text[piece.start..piece.end];
        let what = before.map(|b| b.what);
        let after_comment = what == Some(PieceKind::Comment);
        let opened = what == Some(PieceKind::Token(TokenKind::Open));
        let blank = piece.line_feeds > 1 && !opened && before.is_some();
        match piece.what {
            PieceKind::Comment if piece.line_feeds == 0 && before.is_some() => {
                self.out.push(b' ');
                self.out.extend_from_slice(trimmed(bytes));
            }
            PieceKind::Comment => {
                self.line(blank && !self.pending, usize::from(self.pending));
                self.out.extend_from_slice(trimmed(bytes));
            }
            PieceKind::Token(TokenKind::Bare | TokenKind::Quoted | TokenKind::Unclosed) => {
                let touches = before.is_some_and(|b| b.end == piece.start);
                if !std::mem::replace(&mut self.pending, true) {
                    self.line(blank, 0);
                } else if piece.line_feeds > 0 {
                    self.line(false, 1);
                } else if !touches {
                    self.out.push(b' ');
                }
                self.out.extend_from_slice(bytes);
            }
            PieceKind::Token(TokenKind::Semicolon) => {
                if after_comment {
                    self.line(false, 1);
                }
                self.out.push(b';');
                self.pending = false;
            }
            PieceKind::Token(TokenKind::Open) => {
                if after_comment {
                    self.line(false, 0);
                } else {
                    self.out.push(b' ');
                }
                self.out.push(b'{');
                self.depth += 1;
                self.pending = false;
            }
            PieceKind::Token(TokenKind::Close) => {
                self.depth = self.depth.saturating_sub(1);
                if !opened {
                    self.line(false, 0);
                }
                self.out.push(b'}');
                self.pending = false;
            }
        }
    }

    /// Starts a line, after an empty one if `blank`.
    fn line(&mut self, blank: bool, deeper: usize) {
        if !self.out.is_empty() {
            self.end_line();
            if blank {
                self.out.push(b'\n');
            }
        }
        self.out.resize(self.out.len() + (self.depth + deeper) * INDENT, b' ');
    }

    fn end_line(&mut self) {
        self.out.push(b'\n');
    }
}

/// Tokens and comments, in order.
fn pieces(text: &[u8]) -> impl Iterator<Item = TextPiece> {
    let mut pieces = VecDeque::new();
    let mut tokens = Lexer::new(text);
    let mut at = 0;
    let mut ended = false;
    std::iter::from_fn(move || {
        while pieces.is_empty() && !ended {
            let token = tokens.next();
            ended = token.is_none();
            gap(text, at, token, &mut pieces);
            at = token.map_or(text.len(), |t| t.end);
        }
        pieces.pop_front()
    })
}

/// Adds the comments between `at` and the next token, and the token.
fn gap(text: &[u8], mut at: usize, token: Option<Token>, pieces: &mut VecDeque<TextPiece>) {
    let to = token.map_or(text.len(), |t| t.start);
    let mut line_feeds = 0;
    while at < to {
        match text[at] {
            b'#' => {
                let len = text[at..to].iter().position(|b| *b == b'\n').unwrap_or(to - at);
                pieces.push_back(TextPiece {
                    what: PieceKind::Comment,
                    start: at,
                    end: at + len,
                    line_feeds,
                });
                line_feeds = 0;
                at += len;
            }
            byte => {
                line_feeds += usize::from(byte == b'\n');
                at += 1;
            }
        }
    }
    if let Some(Token { kind, start, end }) = token {
        pieces.push_back(TextPiece { what: PieceKind::Token(kind), start, end, line_feeds });
    }
}

/// A comment without trailing whitespace.
fn trimmed(comment: &[u8]) -> &[u8] {
    let end = comment.iter().rposition(|b| !matches!(b, b' ' | b'\t' | b'\r')).map_or(0, |at| at + 1);
    &comment[..end]
}

fn count_lines(line_feeds: usize) -> u32 {
    u32::try_from(line_feeds).unwrap_or(u32::MAX)
}

/// Writes a word without quotes, or `None` if it needs them.
fn spell_bare(word: &[u8]) -> Option<Vec<u8>> {
    if matches!(word.first()?, b'#' | b'}') {
        return None;
    }
    let mut out = Vec::with_capacity(word.len());
    let mut shielded = false;
    for (at, byte) in word.iter().enumerate() {
        let shield = std::mem::take(&mut shielded);
        match byte {
            b'\\' if decodes(word.get(at + 1)) => out.push(b'\\'),
            b'\\' => shielded = true,
            b'"' | b'\'' if at == 0 => out.push(b'\\'),
            b' ' | b'\t' | b'\r' | b'\n' | b';' if !shield => return None,
            b'{' if !shield && !follows_dollar(&word[..at]) => return None,
            _ => {}
        }
        out.push(*byte);
    }
    Some(out)
}

/// Whether a brace at this point belongs to its word: `$`, then any number of braces.
fn follows_dollar(before: &[u8]) -> bool {
    let braces = before.iter().rev().take_while(|b| **b == b'{').count();
    let dollar = before.len().checked_sub(braces + 1);
    dollar.is_some_and(|at| before[at] == b'$' && (at == 0 || before[at - 1] != b'\\'))
}

/// Whether the parser drops a backslash before this byte, or changes the byte.
fn decodes(next: Option<&u8>) -> bool {
    matches!(next, None | Some(b'"' | b'\'' | b'\\' | b't' | b'r' | b'n'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn laid_out(text: &str) -> String {
        String::from_utf8(format(text.as_bytes())).unwrap()
    }

    #[test]
    fn statements_get_lines_and_blocks_columns() {
        let text = "a  b;c{d 'x  y';\n\n\n\n e ;}f{}\n\n";
        assert_eq!(laid_out(text), "a b;\nc {\n    d 'x  y';\n\n    e;\n}\nf {}\n");
        assert_eq!(laid_out(""), "");
        assert_eq!(laid_out("if ($a = \"b\") {\r\n\r\n x;\r\n }"), "if ($a = \"b\") {\n    x;\n}\n");
    }

    #[test]
    fn comments_keep_their_places() {
        let text =
            "# head\n\na; # one \n  # two\nb # three\n c\n# four\n;\nd # five\n{ # six\n\n# seven\n}# eight";
        let want = "# head\n\na; # one\n# two\nb # three\n    c\n    # four\n    ;\nd # five\n{ # six\n\n    # seven\n} # eight\n";
        assert_eq!(laid_out(text), want);
        assert_eq!(laid_out(want), want);
    }

    #[test]
    fn words_on_several_lines_stay_there() {
        assert_eq!(laid_out("log_format x '1'\n\n '2';"), "log_format x '1'\n    '2';\n");
        assert_eq!(laid_out("a 'x\n  y' z;"), "a 'x\n  y' z;\n");
    }

    #[test]
    fn comments_know_their_surroundings() {
        let found = comments(b"# a\nx 'l\n\n' { # b\n # c\n y; # d\n}");
        let seen: Vec<_> = found.iter().map(|c| (c.line, c.alone, c.after)).collect();
        let open = Some(TokenBefore::Open(12));
        assert_eq!(
            seen,
            [(1, true, None), (4, false, open), (5, true, open), (6, false, Some(TokenBefore::Other))]
        );
    }

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        for (word, want) in [
            ("a", "a"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("say \"x\" y", "'say \"x\" y'"),
            ("a\"b", "a\"b"),
            ("\"ab", "\\\"ab"),
            ("\\.(ts|m3u8)$", "\\.(ts|m3u8)$"),
            ("${a}b", "${a}b"),
            ("a{2}", "\"a{2}\""),
            ("a;", "\"a;\""),
            ("#a", "\"#a\""),
            ("a#b}", "a#b}"),
            ("a\\", "a\\\\"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(String::from_utf8(spell(word.as_bytes())).unwrap(), want, "{word}");
        }
    }

    proptest! {
        #[test]
        fn a_spelled_word_is_one_token(word in proptest::collection::vec(prop_oneof![
            Just(b'\\'), Just(b'"'), Just(b'\''), Just(b'$'), Just(b'{'), Just(b'}'), Just(b';'), Just(b' '), Just(b'#'),
            Just(b'n'), Just(b'\n'), any::<u8>()
        ], 0..12)) {
            let mut text = spell(&word);
            let end = text.len();
            text.extend_from_slice(b" x;");
            let tokens: Vec<Token> = Lexer::new(&text).collect();
            prop_assert_eq!(tokens.len(), 3);
            prop_assert_eq!((tokens[0].start, tokens[0].end), (0, end));
        }

        #[test]
        fn any_bytes_are_laid_out_once(text in proptest::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b';'), Just(b' '), Just(b'\n'), Just(b'#'), Just(b'"'), Just(b'a'), any::<u8>()
        ], 0..60)) {
            let once = format(&text);
            prop_assert!(once.len() <= (text.len() + 1) * (INDENT * text.len() + 3));
        }
    }
}
