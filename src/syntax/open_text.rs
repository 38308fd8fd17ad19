//! State of one text while it is parsed: line and column, open blocks.

use bstr::ByteSlice;
use bytes::Bytes;

use super::diagnostic::Problem;
use super::sentence;
use super::source::{FileId, Span, TextOrigin};

/// Greatest indentation that is measured, in columns.
const MAX_INDENT: usize = 256;

/// State of one text while it is parsed.
pub(crate) struct OpenText {
    pub id: FileId,
    pub bytes: Bytes,
    pub origin: TextOrigin,
    /// Offset up to which lines were counted.
    pub counted: usize,
    pub line: u32,
    /// Open blocks of this text.
    pub open: Vec<OpenBlock>,
    /// A block whose `}` is indented less than its first word, and that `}`: the most likely culprit where a `}` is
    /// missing.
    pub suspect: Option<(Span, Span)>,
    /// Index of the current statement's first word.
    pub words: u32,
    /// Whether a syntax error affects the current statement.
    pub damaged: bool,
    /// A `{` at the end of a word of a directive that opens no block; most likely part of the word.
    pub brace: Option<Span>,
    /// The last token, if it was a quoted word.
    pub after_quote: Option<Span>,
    /// Offset after the last token.
    pub last: usize,
}

/// An open block.
pub(crate) struct OpenBlock {
    pub block: u32,
    pub brace: Span,
    /// Indentation of its first word, if that is the first of its line.
    pub indent: Option<usize>,
}

impl OpenText {
    /// Starts at the beginning of the text; `words` is the number of words in the tree so far.
    pub(crate) fn new(id: FileId, bytes: Bytes, origin: TextOrigin, words: u32) -> OpenText {
        OpenText {
            id,
            bytes,
            origin,
            counted: 0,
            line: 1,
            open: Vec::new(),
            suspect: None,
            words,
            damaged: false,
            brace: None,
            after_quote: None,
            last: 0,
        }
    }

    /// Span of a byte range; ranges must be requested in ascending order.
    pub(crate) fn span(&mut self, start: usize, end: usize) -> Span {
        if start > self.counted {
            let mut rest = &self.bytes[self.counted..start];
            while let Some(at) = rest.find_byte(b'\n') {
                self.line = self.line.saturating_add(1);
                rest = &rest[at + 1..];
            }
            self.counted = start;
        }
        let small = |at: usize| u32::try_from(at).expect("a file is smaller than 4 GiB");
        Span { file: self.id, start: small(start), end: small(end), line: self.line }
    }

    /// Indentation of a span, if only whitespace precedes it on its line.
    pub(crate) fn indent(&self, span: Span) -> Option<usize> {
        let start = span.start as usize;
        let near = &self.bytes[start.saturating_sub(MAX_INDENT)..start];
        let lead = match near.iter().rposition(|b| *b == b'\n') {
            Some(at) => &near[at + 1..],
            None if near.len() == start => near,
            None => return None,
        };
        lead.iter().all(|b| matches!(b, b' ' | b'\t')).then_some(lead.len())
    }

    pub(crate) fn end_span(&mut self) -> Span {
        let end = self.bytes.len();
        self.span(end, end)
    }

    pub(crate) fn unexpected_end(&self, pending: bool) -> &'static str {
        match (self.origin, pending) {
            (TextOrigin::CommandLine, _) => "unexpected end of parameter, expecting \";\"",
            (_, true) => "unexpected end of file, expecting \";\" or \"}\"",
            (_, false) => "unexpected end of file, expecting \"}\"",
        }
    }
}

pub(crate) fn follows_quote(byte: u8) -> bool {
    matches!(byte, b';' | b'{' | b')')
}

pub(crate) fn too_long(word: &[u8], quote: Option<u8>) -> Problem {
    match quote {
        Some(quote) => Problem::new(sentence(&[
            b"too long parameter, probably missing terminating \"",
            &[quote],
            b"\" character",
        ])),
        None => {
            let head = &word[..word.len().min(10)];
            Problem::new(sentence(&[b"too long parameter \"", head, b"...\" started"]))
        }
    }
}

/// Decodes backslashes of a word: `\"`, `\'` and `\\` lose theirs, `\t`, `\r` and `\n` become control characters, every
/// other backslash stays.
pub(crate) fn decode(text: &Bytes, raw: std::ops::Range<usize>) -> Bytes {
    let word = text.slice(raw);
    if !word.contains(&b'\\') {
        return word;
    }
    let mut decoded = Vec::with_capacity(word.len());
    let mut rest = &word[..];
    while let [first, tail @ ..] = rest {
        let (byte, taken) = match (first, tail.first()) {
            (b'\\', Some(b'"' | b'\'' | b'\\')) => (tail[0], 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            _ => (*first, 1),
        };
        decoded.push(byte);
        rest = &rest[taken..];
    }
    decoded.into()
}
