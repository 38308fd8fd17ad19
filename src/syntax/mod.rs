//! The configuration language: bytes become tokens, tokens a tree, the tree text again.
//!
//! Nginx's lexer, blocks, includes and messages are here. Of directives only those two things are asked that nginx's
//! messages depend on; see [`Vocabulary`].

pub mod diagnostic;
pub mod include;
pub mod lexer;
mod open_text;
pub mod parser;
pub mod render;
pub mod report;
pub mod source;
pub mod suggest;
pub mod text;
pub mod tree;

use std::path::PathBuf;

use bstr::{BString, ByteSlice};

pub use diagnostic::{Diagnostic, Level, Problem};
pub use source::{FileId, Pos, SourceFile, Sources, Span, Spanned};
pub use tree::{Tree, Word};

/// What the parser asks about names, to tell where a `;` or a brace is missing.
pub trait Vocabulary {
    /// Whether a name is a directive, and nowhere one with a block.
    fn is_simple(&self, name: &[u8]) -> bool;

    /// Whether a name is that of a block.
    fn opens_block(&self, name: &[u8]) -> bool;
}

/// Puts a message together from byte strings, since words need not be UTF-8.
pub fn sentence(parts: &[&[u8]]) -> BString {
    parts.concat().into()
}

/// The path of a word's bytes.
pub fn to_path(bytes: &[u8]) -> PathBuf {
    bytes.to_path_lossy().into_owned()
}
