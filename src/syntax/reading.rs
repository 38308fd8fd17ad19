//! What parsing a configuration yields: its texts, statements and errors, and the further files that it refers to.

use std::ops::Range;
use std::path::PathBuf;

use super::report::Reports;
use super::source::{Sources, Span};
use super::tree::Tree;

/// Result of parsing a configuration.
#[derive(Debug, Default)]
pub struct Reading {
    /// The source texts.
    pub sources: Sources,
    /// The statements.
    pub tree: Tree,
    /// Errors and warnings.
    pub reports: Reports,
    /// Includes that were followed; a nested include precedes the outer one.
    pub includes: Vec<Included>,
    /// Files that statements brought along, whether they exist or not; see [`Companion`].
    pub companions: Vec<CompanionFile>,
}

/// A file that a statement brought along, or would if it existed.
#[derive(Clone, Debug)]
pub struct CompanionFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Position of the statement's argument.
    pub span: Span,
    /// Number of the statement.
    pub statement: u32,
}

/// A directive of the outermost level that brings a file along: if the file exists, its statements follow the directive.
/// Includes in it are ordinary statements.
pub struct Companion<'r> {
    /// Name of the directive.
    pub directive: &'static [u8],
    /// Path of the file for the directive's argument; `None` if it has none.
    pub path: &'r dyn Fn(&[u8]) -> Option<PathBuf>,
}

/// An include and the statements that replaced it.
#[derive(Clone, Debug)]
pub struct Included {
    /// Reading-order numbers of the statements.
    pub statements: Range<u32>,
    /// Position of the include statement's argument.
    pub span: Span,
    /// Path or pattern, made absolute with the base directory.
    pub path: PathBuf,
}
