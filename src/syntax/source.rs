//! The texts a configuration is read from, and places inside them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// The largest single file read, in bytes; spans are 32-bit and a larger file is no configuration.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Names one text of a [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// Where a text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The words of the `-g` option.
    CommandLine,
    /// The configuration compiled into the program.
    Embedded,
    /// A file on disk.
    File,
}

/// One text, kept whole so that diagnostics can quote it.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as it was opened.
    pub name: Arc<Path>,
    /// The bytes as read; no encoding is assumed.
    pub bytes: Bytes,
    /// Where the bytes came from.
    pub origin: Origin,
}

/// Every text that was read, in the order of its first use.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    by_name: HashMap<Arc<Path>, FileId>,
}

/// A range of bytes of one text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
}

/// A value and the words it was read from.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The words that gave it.
    pub span: Span,
    /// The end of the statement; its line is the one nginx names.
    pub place: Span,
}

/// A file and a line, for messages that outlive the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pos {
    /// The file as it was opened.
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
}

impl Sources {
    /// Adds a text and returns its name.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("the number of includes is bounded"));
        if file.origin == Origin::File {
            self.by_name.insert(Arc::clone(&file.name), id);
        }
        self.files.push(file);
        id
    }

    /// The text of that name.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// The text that was opened under that path, if it was read before.
    pub fn find(&self, name: &Path) -> Option<FileId> {
        self.by_name.get(name).copied()
    }

    /// All texts in the order of their first use.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The position of a span, in a form that outlives the sources.
    pub fn pos(&self, span: Span) -> Pos {
        let file = match self.file(span.file) {
            Some(file) => Arc::clone(&file.name),
            None => Arc::from(Path::new("")),
        };
        Pos { file, line: span.line }
    }

    /// Hands out the texts.
    pub fn into_files(self) -> Vec<SourceFile> {
        self.files
    }
}

impl Span {
    /// The smallest span that covers both; `other` must follow in the same text.
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}
