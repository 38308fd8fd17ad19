//! Parser: builds the syntax tree from tokens, with nginx's syntax rules, limits, includes and messages.
//!
//! Parsing continues after an error, so that all errors are reported. Statements that an error affects are marked as
//! damaged and not evaluated.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::diagnostic::Problem;
use super::lexer::{Lexer, Token, TokenKind};
use super::open_text::{OpenBlock, OpenText, decode, follows_quote, too_long};
use super::reading::{Companion, CompanionFile, Reading};
use super::source::{FileId, Span, TextOrigin};
use super::texts::{Disk, Texts};
use super::tree::{StatementEnd, Word};
use super::{Vocabulary, sentence};

/// Maximum length of an unquoted word, in bytes as written; also of a comment, including its `#`.
const MAX_BARE: usize = 4095;
/// Maximum length of a quoted word, in bytes as written between the quotes.
const MAX_QUOTED: usize = 4094;
/// Maximum depth of nested blocks; later stages recurse over them.
const MAX_NESTING: usize = 256;

/// Maximum number of words in one configuration, about 50 bytes of memory each. A file that is included several times
/// counts each time.
const MAX_WORDS: u32 = 4 << 20;

/// Parses texts into one tree.
pub struct Parser<'r> {
    /// Used for recovery from errors only; it does not affect what is accepted.
    vocabulary: &'r dyn Vocabulary,
    pub(crate) reading: Reading,
    /// Directory of relative includes.
    pub(crate) base: PathBuf,
    /// Files being parsed, outermost first.
    pub(crate) stack: Vec<PathBuf>,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    nesting: usize,
    max_words: u32,
    /// Whether the limit of words was exceeded.
    spent: bool,
    /// Whether includes are followed; otherwise they become ordinary statements.
    follow: bool,
    /// Source of the files.
    pub(crate) texts: &'r dyn Texts,
    companion: Option<Companion<'r>>,
}

impl<'r> Parser<'r> {
    /// Relative includes refer to `base`.
    pub fn new(base: PathBuf, vocabulary: &'r dyn Vocabulary) -> Parser<'r> {
        Parser {
            vocabulary,
            reading: Reading::default(),
            base,
            stack: Vec::new(),
            files: 0,
            bytes: 0,
            nesting: 0,
            max_words: MAX_WORDS,
            spent: false,
            follow: true,
            texts: &Disk,
            companion: None,
        }
    }

    /// Takes the files from `texts` instead of the file system.
    pub fn with_texts(mut self, texts: &'r dyn Texts) -> Parser<'r> {
        self.texts = texts;
        self
    }

    /// Lets a directive bring a file along.
    pub fn with_companion(mut self, companion: Companion<'r>) -> Parser<'r> {
        self.companion = Some(companion);
        self
    }

    /// Parses each text alone: includes become ordinary statements.
    pub fn apart(mut self) -> Parser<'r> {
        self.follow = false;
        self
    }

    /// Parses a text that is already in memory.
    pub fn given(&mut self, name: &Path, bytes: Bytes) {
        self.add(name, bytes, TextOrigin::File);
    }

    /// Returns the result.
    pub fn finish(self) -> Reading {
        self.reading
    }

    pub(crate) fn text(&mut self, id: FileId, bytes: Bytes, origin: TextOrigin) {
        self.reading.tree.reserve(bytes.len());
        let words = self.reading.tree.word_count();
        let mut text = OpenText::new(id, bytes.clone(), origin, words);
        for token in Lexer::new(&bytes) {
            if self.is_full() {
                break;
            }
            self.token(&mut text, token);
        }
        if !self.is_full() {
            self.end(&mut text);
        }
        self.leave(&mut text);
    }

    fn token(&mut self, text: &mut OpenText, token: Token) {
        self.check_gap(text, token.start);
        let quoted = text.after_quote.take();
        let touches = quoted.is_some_and(|quoted| quoted.end as usize == token.start);
        let glued = text.last == token.start;
        text.last = token.end;
        if touches && !follows_quote(text.bytes[token.start]) {
            self.after_quote(text, token.start, quoted.unwrap_or_default());
            text.damaged = true;
        }
        match token.kind {
            TokenKind::Bare | TokenKind::Quoted => self.word(text, token),
            TokenKind::Unclosed => self.unclosed(text, token),
            TokenKind::Semicolon => self.semicolon(text, token),
            TokenKind::Open => self.open(text, token, glued),
            TokenKind::Close => self.close(text, token),
        }
    }

    /// Whether parsing stops: too many errors or too many words.
    pub(crate) fn is_full(&self) -> bool {
        self.reading.reports.is_full() || self.spent
    }

    fn word(&mut self, text: &mut OpenText, token: Token) {
        let span = text.span(token.start, token.end);
        if self.reading.tree.word_count() == self.max_words {
            self.spent = true;
            let problem = Problem::new(format!("more than {} words in all files", self.max_words));
            self.report(
                problem.at(span).place(span).help("a file that is included several times counts each time"),
            );
        }
        let quoted = token.kind == TokenKind::Quoted;
        let raw = if quoted { token.start + 1..token.end - 1 } else { token.start..token.end };
        if quoted {
            text.after_quote = Some(span);
        }
        let limit = if quoted { MAX_QUOTED } else { MAX_BARE };
        // nginx refills its buffer between such a word and what follows the whitespace after it.
        let blank = text.bytes.get(token.end).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        let refilled = raw.len() == limit && blank && token.end + 1 < text.bytes.len();
        if raw.len() > limit || refilled {
            // nginx's buffer is one byte larger than the longest word, hence this boundary.
            let endless = quoted && raw.len() > MAX_QUOTED + 1;
            let quote = endless.then_some(text.bytes[token.start]);
            self.report(too_long(&text.bytes[raw], quote).at(span).place(span));
            text.damaged = true;
            return;
        }
        let bytes = decode(&text.bytes, raw);
        self.reading.tree.push_word(Word { bytes, span });
    }

    fn unclosed(&mut self, text: &mut OpenText, token: Token) {
        let quote = text.bytes[token.start];
        let opened =
            Span { end: text.span(token.start, token.end).start + 1, ..text.span(token.start, token.end) };
        let content = token.start + 1..token.end;
        text.damaged = true;
        if content.len() > MAX_QUOTED + 2 {
            let problem = too_long(&text.bytes[content], Some(quote)).at(opened).place(opened);
            self.report(problem.caption("this quote is never closed"));
        } else {
            let end = text.end_span();
            let problem = Problem::new(text.unexpected_end(true)).at(end).place(end);
            self.report(problem.label(opened, "this quote is never closed"));
        }
        // The text after the quote is consumed; errors about it would mislead.
        text.words = self.reading.tree.word_count();
        text.open.iter().for_each(|open| self.reading.tree.close(open.block, None));
        self.nesting -= text.open.len();
        text.open.clear();
    }

    fn semicolon(&mut self, text: &mut OpenText, token: Token) {
        let span = text.span(token.start, token.end);
        if self.reading.tree.word_count() == text.words {
            if !text.damaged {
                self.unexpected(text, token.start, b";");
            }
            text.damaged = false;
            return;
        }
        self.statement(text, span);
    }

    /// Ends a simple statement, at a `;` or where one is missing.
    fn statement(&mut self, text: &mut OpenText, terminator: Span) {
        let words = self.reading.tree.words_from(text.words);
        let include = words.first().is_some_and(|w| &w.bytes[..] == b"include");
        let damaged = std::mem::take(&mut text.damaged);
        let range = text.words..self.reading.tree.word_count();
        match text.brace.take() {
            Some(brace) => {
                self.reading.tree.push(range, brace, StatementEnd::Block { close: None }, damaged);
            }
            None if include && !damaged && self.follow => self.include(text, terminator),
            None => {
                self.reading.tree.push(range, terminator, StatementEnd::Semicolon, damaged);
                if !damaged && self.follow && self.nesting == 0 {
                    self.companion(text, terminator);
                }
            }
        }
        text.words = self.reading.tree.word_count();
    }

    /// Parses the file that a statement brings along, if it does.
    fn companion(&mut self, text: &OpenText, terminator: Span) {
        let [name, argument] = self.reading.tree.words_from(text.words) else { return };
        let companion = self.companion.as_ref().filter(|companion| companion.directive == &name.bytes[..]);
        let Some(path) = companion.and_then(|companion| (companion.path)(&argument.bytes)) else { return };
        let span = argument.span;
        let statement = self.reading.tree.len().saturating_sub(1);
        self.reading.companions.push(CompanionFile { path: path.clone(), span, statement });
        if !self.texts.has(&path) {
            return;
        }
        self.follow = false;
        if let Err(problem) = self.included(&path, span) {
            self.report(problem.at(span).place(terminator));
        }
        self.follow = true;
    }

    fn open(&mut self, text: &mut OpenText, token: Token, glued: bool) {
        let span = text.span(token.start, token.end);
        let mut damaged = text.damaged;
        let words = self.reading.tree.words_from(text.words);
        let include = words.first().is_some_and(|w| &w.bytes[..] == b"include");
        if text.origin == TextOrigin::CommandLine {
            if !self.reading.reports.has_errors() {
                let text = "block directives are not supported in -g option";
                self.report(Problem::new(text).at(span).place(span));
            }
            damaged = true;
        } else if words.is_empty() && !damaged {
            self.unexpected(text, token.start, b"{");
            damaged = true;
        } else if include && !damaged {
            let text = "directive \"include\" is not terminated by \";\"";
            self.report(Problem::new(text).at(span).place(span));
            damaged = true;
        } else if glued && self.is_simple(words) {
            text.brace.get_or_insert(span);
            return;
        } else if self.nesting == MAX_NESTING && !damaged {
            let text = format!("blocks are nested more than {MAX_NESTING} deep");
            self.report(Problem::new(text).at(span).place(span));
            damaged = true;
        }
        self.split(text, span);
        text.damaged = false;
        text.brace = None;
        let words = text.words..self.reading.tree.word_count();
        let indent = self.reading.tree.words_from(text.words).first().and_then(|w| text.indent(w.span));
        let block = self.reading.tree.push(words, span, StatementEnd::Block { close: None }, damaged);
        text.words = self.reading.tree.word_count();
        text.open.push(OpenBlock { block, brace: span, indent });
        self.nesting += 1;
    }

    /// If a block's name begins a line among the words of a directive that opens no block, a `;` is missing before it:
    /// the preceding words become a statement of their own, which is refused later.
    fn split(&mut self, text: &mut OpenText, brace: Span) {
        let words = self.reading.tree.words_from(text.words);
        if !self.is_simple(words) {
            return;
        }
        let opens = |pair: &[Word]| {
            pair[0].span.line < pair[1].span.line && self.vocabulary.opens_block(&pair[1].bytes)
        };
        let Some(at) = words.windows(2).position(opens) else { return };
        let swallowed = words[at].bytes.ends_with(b"}");
        let from = text.words + u32::try_from(at + 1).expect("words are numbered with 32 bits");
        let end = StatementEnd::Block { close: None };
        self.reading.tree.push(text.words..from, brace, end, text.damaged);
        text.words = from;
        // `64}` is one word, but the `}` was meant to close the block.
        if let Some(open) = text.open.pop_if(|_| swallowed) {
            self.reading.tree.close(open.block, Some(brace));
            self.nesting -= 1;
        }
    }

    /// Whether the first word is a directive that opens no block.
    fn is_simple(&self, words: &[Word]) -> bool {
        words.first().is_some_and(|w| self.vocabulary.is_simple(&w.bytes))
    }

    fn close(&mut self, text: &mut OpenText, token: Token) {
        let span = text.span(token.start, token.end);
        let mut reported = false;
        if self.reading.tree.word_count() > text.words {
            let last = self.reading.tree.words_from(text.words).last().map(|w| w.span);
            if !text.damaged && text.brace.is_none() {
                let mut problem = Problem::new("unexpected \"}\"").at(span).place(span);
                if let Some(last) = last {
                    problem = problem.label(last, "a \";\" is missing after this word");
                }
                self.report(problem);
                reported = true;
            }
            self.statement(text, span);
        }
        text.damaged = false;
        text.brace = None;
        match text.open.pop() {
            Some(open) => {
                self.reading.tree.close(open.block, Some(span));
                self.nesting -= 1;
                if text.indent(span).zip(open.indent).is_some_and(|(close, open)| close < open) {
                    text.suspect.get_or_insert((open.brace, span));
                }
            }
            None if reported => {}
            None => {
                let help = "every block of this file is closed already";
                self.report(Problem::new("unexpected \"}\"").at(span).place(span).help(help));
            }
        }
    }

    /// Reports what is incomplete at the end of a text.
    fn end(&mut self, text: &mut OpenText) {
        let end = text.bytes.len();
        self.check_gap(text, end);
        let pending = self.reading.tree.word_count() > text.words;
        if pending && text.brace.is_some() {
            // The brace was read as part of its word, but nginx reports it.
            let end = text.end_span();
            self.statement(text, end);
        } else if pending {
            let words = self.reading.tree.words_from(text.words);
            let last = words.last().map(|w| w.span);
            let span = text.end_span();
            let mut problem = Problem::new(text.unexpected_end(true)).at(span).place(span);
            if let Some(last) = last {
                problem = problem.label(last, "a \";\" is missing after this word");
            }
            self.report(problem);
        } else if let Some(brace) = text.open.last().map(|o| o.brace) {
            let span = text.end_span();
            let problem = Problem::new(text.unexpected_end(false)).at(span).place(span);
            let problem = match text.suspect {
                Some((brace, close)) => problem
                    .label(brace, "perhaps this block is never closed")
                    .label(close, "the \"}\" that closes it is indented less"),
                None => problem.label(brace, "this block is never closed"),
            };
            self.report(problem);
        }
    }

    /// Closes the blocks that a text left open.
    fn leave(&mut self, text: &mut OpenText) {
        self.reading.tree.truncate_words(text.words);
        for open in text.open.drain(..).rev() {
            self.reading.tree.close(open.block, None);
            self.nesting -= 1;
        }
    }

    /// Reports overlong comments between the last token and `to`.
    fn check_gap(&mut self, text: &mut OpenText, to: usize) {
        let gap = text.last..to;
        if let Some(quoted) = text.after_quote.filter(|quoted| (quoted.end as usize) < to)
            && text.bytes[gap.start] == b'#'
        {
            self.after_quote(text, gap.start, quoted);
            text.damaged = true;
        }
        if gap.len() <= MAX_BARE {
            return;
        }
        let mut at = gap.start;
        while let Some(hash) = text.bytes[at..gap.end].iter().position(|b| *b == b'#') {
            let start = at + hash;
            let len = text.bytes[start..gap.end].iter().position(|b| *b == b'\n').unwrap_or(gap.end - start);
            if len > MAX_BARE {
                let span = text.span(start, start + len);
                let problem = too_long(&text.bytes[start..start + len], None).at(span).place(span);
                self.report(problem.help(format!("a comment line has at most {MAX_BARE} bytes")));
            }
            at = start + len;
        }
    }

    fn unexpected(&mut self, text: &mut OpenText, at: usize, what: &[u8]) {
        let span = text.span(at, at + 1);
        let problem = Problem::new(sentence(&[b"unexpected \"", what, b"\""])).at(span).place(span);
        let help = match what {
            b";" => "a statement has at least one word; a block needs no \";\"",
            _ => "a block begins with its name",
        };
        self.report(problem.help(help));
    }

    /// Reports text that directly follows a quoted word.
    fn after_quote(&mut self, text: &mut OpenText, at: usize, quoted: Span) {
        let span = text.span(at, at + 1);
        let what = [text.bytes[at]];
        let mut problem = Problem::new(sentence(&[b"unexpected \"", &what, b"\""])).at(span).place(span);
        if quoted.line < span.line {
            let opening = Span { end: quoted.start + 1, ..quoted };
            problem = problem.label(opening, "the quoted word before it begins here");
        }
        self.report(problem.help("a closing quote must be followed by a space, \";\", \"{\" or \")\""));
    }

    pub(crate) fn report(&mut self, problem: Problem) {
        let order = self.reading.tree.len();
        self.reading.reports.add(order, problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_over_all_texts() {
        struct None;
        impl Vocabulary for None {
            fn is_simple(&self, _: &[u8]) -> bool {
                false
            }
            fn opens_block(&self, _: &[u8]) -> bool {
                false
            }
        }
        let read = |max_words, texts: &[&'static [u8]]| {
            let mut parser = Parser::new(PathBuf::new(), &None);
            parser.max_words = max_words;
            for text in texts {
                parser.given(Path::new("a.conf"), Bytes::from_static(text));
            }
            let Reading { tree, reports, .. } = parser.finish();
            let said: Vec<String> = reports.into_sorted().iter().map(|d| d.sentence.to_string()).collect();
            (tree.len(), said)
        };
        assert_eq!(read(4, &[b"a b; c d;"]), (2, vec![]));
        let (_, said) = read(3, &[b"a b; c d; e f g;"]);
        assert_eq!(said, ["more than 3 words in all files"]);
        let (_, said) = read(3, &[b"a b;", b"c d; {{{", b"}"]);
        assert_eq!(said, ["more than 3 words in all files"]);
    }
}
