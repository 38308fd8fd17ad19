//! Syntax tree: words and statements, stored flat.

use std::ops::Range;

use bstr::BStr;
use bytes::Bytes;

use super::source::Span;

/// One decoded word of a statement.
#[derive(Clone, Debug)]
pub struct Word {
    /// Bytes without quotes and with backslashes decoded.
    pub bytes: Bytes,
    /// Position, including quotes.
    pub span: Span,
}

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementEnd {
    /// With `;`
    Semicolon,
    /// With `{`, a body and, unless the text ended early, a `}`.
    Block {
        /// The closing brace.
        close: Option<Span>,
    },
}

/// A statement: its words and, for a block, the nested statements.
#[derive(Clone, Debug)]
pub struct Statement {
    words: Range<u32>,
    /// Index after the last statement of the body.
    next: u32,
    /// Position of the `;` or `{`, whose line nginx names.
    pub terminator: Span,
    /// How it ends.
    pub end: StatementEnd,
    /// Whether a syntax error that was already reported affects it; no further error is reported.
    pub damaged: bool,
}

/// All statements of a configuration in reading order, with included files in place of their includes.
///
/// A body directly follows its statement, so that neither building nor dropping the tree recurses.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    words: Vec<Word>,
    statements: Vec<Statement>,
}

/// Iterator over the statements of one body.
#[derive(Clone, Copy, Debug)]
pub struct Body<'t> {
    tree: &'t Tree,
    from: u32,
    to: u32,
}

/// A statement together with its tree.
#[derive(Clone, Copy, Debug)]
pub struct Node<'t> {
    tree: &'t Tree,
    index: u32,
}

impl Word {
    /// The word, for messages.
    pub fn text(&self) -> &BStr {
        BStr::new(&self.bytes)
    }

    /// Position of a part of the word; of the whole word if backslashes make the part's position uncertain.
    pub fn span_of(&self, part: &[u8]) -> Span {
        let offset = (part.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize);
        let inside = offset.filter(|at| at + part.len() <= self.bytes.len());
        let written = (self.span.end - self.span.start) as usize;
        let quotes = match written.checked_sub(self.bytes.len()) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return self.span,
        };
        let Some(offset) = inside else { return self.span };
        let start = self.span.start + index(offset + quotes);
        Span { start, end: start + index(part.len()), ..self.span }
    }

    /// Whether the word equals `text`, ignoring case.
    pub fn is(&self, text: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(text.as_bytes())
    }
}

impl Tree {
    /// Reserves space for a text of this many bytes, which saves copies while the tree grows.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let bytes = bytes.min(EXPECTED);
        self.words.reserve(bytes / WORD);
        self.statements.reserve(bytes / STATEMENT);
    }

    /// Adds a word to the statement being parsed.
    pub(crate) fn push_word(&mut self, word: Word) {
        self.words.push(word);
    }

    /// Number of words so far, which is the index of the next statement's first word.
    pub(crate) fn word_count(&self) -> u32 {
        index(self.words.len())
    }

    /// Words from index `from` on.
    pub(crate) fn words_from(&self, from: u32) -> &[Word] {
        self.words.get(from as usize..).unwrap_or(&[])
    }

    /// Removes the words from index `from` on.
    pub(crate) fn truncate_words(&mut self, from: u32) {
        self.words.truncate(from as usize);
    }

    /// Adds a statement and returns its index.
    pub(crate) fn push(
        &mut self,
        words: Range<u32>,
        terminator: Span,
        end: StatementEnd,
        damaged: bool,
    ) -> u32 {
        let at = self.len();
        self.statements.push(Statement { words, next: at + 1, terminator, end, damaged });
        at
    }

    /// Ends the body of a block.
    pub(crate) fn close(&mut self, block: u32, close: Option<Span>) {
        let next = self.len();
        if let Some(statement) = self.statements.get_mut(block as usize) {
            statement.next = next;
            statement.end = StatementEnd::Block { close };
        }
    }

    /// Number of statements.
    pub fn len(&self) -> u32 {
        index(self.statements.len())
    }

    /// Whether there are no statements.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The top-level statements.
    pub fn body(&self) -> Body<'_> {
        Body { tree: self, from: 0, to: self.len() }
    }
}

impl<'t> Node<'t> {
    fn statement(&self) -> &'t Statement {
        &self.tree.statements[self.index as usize]
    }

    /// The words; a statement that is not damaged has at least one.
    pub fn words(&self) -> &'t [Word] {
        let words = &self.statement().words;
        &self.tree.words[words.start as usize..words.end as usize]
    }

    /// Number in reading order.
    pub fn order(&self) -> u32 {
        self.index
    }

    /// Position of the `;` or `{`.
    pub fn terminator(&self) -> Span {
        self.statement().terminator
    }

    /// How the statement ends.
    pub fn end(&self) -> StatementEnd {
        self.statement().end
    }

    /// Whether it ends with `{`.
    pub fn opens_block(&self) -> bool {
        matches!(self.end(), StatementEnd::Block { .. })
    }

    /// Whether a syntax error was already reported for it.
    pub fn is_damaged(&self) -> bool {
        self.statement().damaged
    }

    /// The nested statements.
    pub fn body(&self) -> Body<'t> {
        Body { tree: self.tree, from: self.index + 1, to: self.statement().next }
    }

    /// Position of the words.
    pub fn span(&self) -> Span {
        match self.words() {
            [] => self.terminator(),
            [only] => only.span,
            [first, .., last] => first.span.to(last.span),
        }
    }
}

impl<'t> Iterator for Body<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.from >= self.to {
            return None;
        }
        let node = Node { tree: self.tree, index: self.from };
        self.from = node.statement().next;
        Some(node)
    }
}

/// Maximum number of bytes of text for which space is reserved at once.
const EXPECTED: usize = 4 << 20;

/// Bytes of text per word and per statement, as a low estimate.
const WORD: usize = 16;
const STATEMENT: usize = 48;

/// Converts an index; the parser's limits stay far below 32 bits.
fn index(len: usize) -> u32 {
    u32::try_from(len).expect("the size of a configuration is bounded by the reader")
}
