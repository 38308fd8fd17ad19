//! The configuration language: lexer, parser, syntax tree, and output as text.
//!
//! nginx's lexical rules, blocks, includes and messages are implemented here. Of directives the parser knows only the
//! two facts that nginx's messages depend on; see [`Vocabulary`].

pub mod diagnostic;
pub mod include;
pub mod lexer;
mod open_text;
pub mod parser;
pub mod reading;
pub mod render;
pub mod report;
pub mod source;
pub mod suggest;
pub mod text;
pub mod texts;
pub mod tree;

use std::path::PathBuf;

use bstr::{BString, ByteSlice};

pub use diagnostic::{Diagnostic, Problem, Severity};
pub use source::{FileId, Pos, SourceFile, Sources, Span, Spanned};
pub use tree::{Tree, Word};

/// Facts about directive names with which the parser detects a missing `;` or brace.
pub trait Vocabulary {
    /// Whether the name is a directive that never opens a block.
    fn is_simple(&self, name: &[u8]) -> bool;

    /// Whether the name is that of a block.
    fn opens_block(&self, name: &[u8]) -> bool;
}

/// Concatenates byte strings to a message; words need not be UTF-8.
pub fn sentence(parts: &[&[u8]]) -> BString {
    parts.concat().into()
}

/// Path of a word's bytes.
pub fn to_path(bytes: &[u8]) -> PathBuf {
    bytes.to_path_lossy().into_owned()
}
