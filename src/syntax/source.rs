//! Source texts of a configuration, and positions in them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// Maximum size of a file in bytes; spans are 32-bit.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Identifies a text of a [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// Origin of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextOrigin {
    /// The `-g` option.
    CommandLine,
    /// Compiled into the program.
    Embedded,
    /// A file on disk.
    File,
}

/// One source text, kept whole so that diagnostics can quote it.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path as it was opened.
    pub name: Arc<Path>,
    /// Bytes as read, in any encoding.
    pub bytes: Bytes,
    /// Origin.
    pub origin: TextOrigin,
}

/// All source texts, in order of first use.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    by_name: HashMap<Arc<Path>, FileId>,
}

/// A byte range of one text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
    /// Line of the first byte, counted from 1.
    pub line: u32,
}

/// A value with the position of the words it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Position of the words.
    pub span: Span,
    /// End of the statement, whose line nginx names.
    pub place: Span,
}

/// File and line, for messages that outlive the source texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pos {
    /// File as it was opened.
    pub file: Arc<Path>,
    /// Line, counted from 1.
    pub line: u32,
}

impl Sources {
    /// Adds a text and returns its identifier.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("the number of includes is bounded"));
        if file.origin == TextOrigin::File {
            self.by_name.insert(Arc::clone(&file.name), id);
        }
        self.files.push(file);
        id
    }

    /// The text with this identifier.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// Identifier of the text that was opened under this path, if any.
    pub fn find(&self, name: &Path) -> Option<FileId> {
        self.by_name.get(name).copied()
    }

    /// All texts, in order of first use.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// File and line of a span.
    pub fn pos(&self, span: Span) -> Pos {
        let file = match self.file(span.file) {
            Some(file) => Arc::clone(&file.name),
            None => Arc::from(Path::new("")),
        };
        Pos { file, line: span.line }
    }

    /// Returns the texts.
    pub fn into_files(self) -> Vec<SourceFile> {
        self.files
    }
}

impl Span {
    /// Smallest span that covers both; `other` must follow in the same text.
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}
