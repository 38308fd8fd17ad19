//! Input texts of the parser: the main file, included files, and texts that are not files.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::diagnostic::Problem;
use super::open_text::OpenText;
use super::parser::Parser;
use super::reading::Included;
use super::report::{IncludeUse, MAX_INCLUDES};
use super::source::{FileId, SourceFile, Span, TextOrigin};
use super::texts::MAX_FILES;
use super::{sentence, to_path};

/// Name of the `-g` option's text in messages.
pub const COMMAND_LINE: &str = "command line";
/// Maximum depth of nested includes.
pub const MAX_DEPTH: usize = 64;
/// Maximum number of bytes read for one configuration; each use of a file counts.
pub const MAX_BYTES: u64 = 512 << 20;

impl Parser<'_> {
    /// Parses the text of the `-g` option.
    pub fn command_line(&mut self, words: &[u8]) {
        let bytes = Bytes::copy_from_slice(words);
        self.add(Path::new(COMMAND_LINE), bytes, TextOrigin::CommandLine);
    }

    /// Parses a text that is compiled into the program.
    pub fn embedded(&mut self, name: &str, text: &'static [u8]) {
        self.add(Path::new(name), Bytes::from_static(text), TextOrigin::Embedded);
    }

    /// Parses the main file.
    pub fn main_file(&mut self, path: &Path) {
        match self.texts.read(path) {
            Ok(bytes) => {
                self.stack.push(path.to_owned());
                self.add(path, bytes, TextOrigin::File);
                self.stack.pop();
            }
            Err(error) => self.report(error.into()),
        }
    }

    pub(crate) fn add(&mut self, name: &Path, bytes: Bytes, origin: TextOrigin) -> FileId {
        let id = match self.reading.sources.find(name) {
            Some(known) if origin == TextOrigin::File => known,
            _ => {
                let file = SourceFile { name: Arc::from(name), bytes: bytes.clone(), origin };
                self.reading.sources.add(file)
            }
        };
        self.text(id, bytes, origin);
        id
    }

    /// Parses the files that an include statement names, in place of the statement.
    pub(crate) fn include(&mut self, text: &mut OpenText, terminator: Span) {
        let words = self.reading.tree.words_from(text.words);
        let span = words.first().map_or(terminator, |w| w.span);
        let [_, pattern] = words else {
            let reason = "invalid number of arguments in \"include\" directive";
            self.report(
                Problem::new(reason).at(span).place(terminator).help("syntax: include file | pattern;"),
            );
            self.reading.tree.truncate_words(text.words);
            return;
        };
        let (pattern, span) = (pattern.bytes.clone(), pattern.span);
        self.reading.tree.truncate_words(text.words);
        let paths = match self.texts.expand(&pattern, &self.base) {
            Ok(paths) => paths,
            Err(error) => return self.report(Problem::from(error).at(span).place(terminator)),
        };
        let first = self.reading.tree.len();
        for path in paths {
            if let Err(problem) = self.included(&path, span) {
                self.report(problem.at(span).place(terminator));
            }
            if self.is_full() {
                return;
            }
        }
        let statements = first..self.reading.tree.len();
        let path = self.base.join(to_path(&pattern));
        self.reading.includes.push(Included { statements, span, path });
    }

    pub(crate) fn included(&mut self, path: &Path, from: Span) -> Result<(), Problem> {
        let name = path.as_os_str().as_encoded_bytes();
        if self.stack.iter().any(|open| open == path) {
            let problem = Problem::new(sentence(&[b"\"", name, b"\" includes itself"]));
            if self.stack.len() <= MAX_INCLUDES + 1 {
                return Err(problem);
            }
            // The excerpts show only the innermost includes.
            let chain: Vec<String> = self.stack.iter().map(|p| p.display().to_string()).collect();
            return Err(problem.help(format!("included by {}", chain.join(", which includes "))));
        }
        if self.stack.len() > MAX_DEPTH {
            let limit = MAX_DEPTH.to_string();
            let text =
                sentence(&[b"\"", name, b"\" is included more than ", limit.as_bytes(), b" files deep"]);
            return Err(Problem::new(text));
        }
        let bytes = match self.reading.sources.find(path).and_then(|id| self.reading.sources.file(id)) {
            Some(known) => known.bytes.clone(),
            None => self.texts.read(path)?,
        };
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.files > MAX_FILES || self.bytes > MAX_BYTES {
            return Err(Problem::new("too many or too large included files")
                .help("a file that includes others several times multiplies them"));
        }
        self.stack.push(path.to_owned());
        let first = self.reading.tree.len();
        let file = self.add(path, bytes, TextOrigin::File);
        self.reading.reports.entered(IncludeUse { file, statements: first..self.reading.tree.len(), from });
        self.stack.pop();
        Ok(())
    }
}
