//! Input texts of the parser: the main file, included files, and texts that are not files.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;

use super::diagnostic::Problem;
use super::open_text::OpenText;
use super::parser::{Included, Parser};
use super::report::{Entered, MAX_INCLUDES};
use super::source::{FileId, MAX_FILE_BYTES, SourceFile, Span, TextOrigin};
use super::{sentence, to_path};

/// Name of the `-g` option's text in messages.
pub const COMMAND_LINE: &str = "command line";
/// Maximum depth of nested includes.
pub const MAX_DEPTH: usize = 64;
/// Maximum number of files read for one configuration; each use of a file counts.
pub const MAX_FILES: usize = 100_000;
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
        match self.read_text(path) {
            Ok(bytes) => {
                self.stack.push(path.to_owned());
                self.add(path, bytes, TextOrigin::File);
                self.stack.pop();
            }
            Err(text) => self.report(Problem::new(text)),
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
        let paths = match self.expand_text(&pattern) {
            Ok(paths) => paths,
            Err(reason) => return self.report(Problem::new(reason).at(span).place(terminator)),
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

    fn read_text(&self, path: &Path) -> Result<Bytes, BString> {
        let Some(texts) = &self.texts else { return read_file(path) };
        let text = texts.find(path).and_then(|id| texts.file(id)).map(|file| file.bytes.clone());
        let missing = || sentence(&[b"\"", path.as_os_str().as_encoded_bytes(), b"\" was not kept"]);
        text.ok_or_else(missing)
    }

    fn expand_text(&self, pattern: &[u8]) -> Result<Vec<PathBuf>, BString> {
        let Some(texts) = self.texts.as_ref().filter(|_| is_pattern(pattern)) else {
            return expand(pattern, &self.base);
        };
        let path = self.base.join(to_path(pattern));
        let pattern = path.to_str().map(|text| glob::Pattern::new(&as_glob(text)));
        let Some(Ok(pattern)) = pattern else { return Ok(Vec::new()) };
        let files = texts.files().iter().filter(|file| file.origin == TextOrigin::File);
        let mut found: Vec<PathBuf> = files
            .map(|file| file.name.to_path_buf())
            .filter(|path| pattern.matches_path_with(path, GLOB))
            .collect();
        found.sort();
        Ok(found)
    }

    fn included(&mut self, path: &Path, from: Span) -> Result<(), Problem> {
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
            None => self.read_text(path).map_err(Problem::new)?,
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
        self.reading.reports.entered(Entered { file, statements: first..self.reading.tree.len(), from });
        self.stack.pop();
        Ok(())
    }
}

/// Reads a whole file.
///
/// # Errors
///
/// nginx's sentence, where the file cannot be read or is too large.
pub fn read_file(path: &Path) -> Result<Bytes, BString> {
    let failed = |call: &str, error: &io::Error| {
        let name = path.as_os_str().as_encoded_bytes();
        sentence(&[call.as_bytes(), b" \"", name, b"\" failed ", system_error(error).as_bytes()])
    };
    // Without O_NONBLOCK, opening a FIFO could wait forever for a writer.
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = file.map_err(|e| failed("open()", &e))?;
    let metadata = file.metadata();
    if metadata.as_ref().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(failed("pread()", &io::Error::from_raw_os_error(nix::errno::Errno::ESPIPE as i32)));
    }
    let size = metadata.as_ref().map_or(0, Metadata::len);
    if size > MAX_FILE_BYTES {
        return Err(too_large(path));
    }
    // Reserving the file's size, and one byte to detect the end, avoids copies.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    // Reading one byte more than allowed detects a file that is too large even if its size is not known beforehand.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| failed("pread()", &e))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(path));
    }
    Ok(bytes.into())
}

/// Files that an include's argument names, in reading order.
///
/// # Errors
///
/// nginx's message: the pattern is invalid, or a directory cannot be read.
pub fn expand(pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, BString> {
    let path = base.join(to_path(pattern));
    if !is_pattern(pattern) {
        return Ok(vec![path]);
    }
    let Some(text) = path.to_str() else {
        return Err(sentence(&[b"glob() \"", path.as_os_str().as_encoded_bytes(), b"\" failed"]));
    };
    let text = as_glob(text);
    let failed =
        |e: glob::PatternError| sentence(&[b"glob() \"", text.as_bytes(), b"\" failed: ", e.msg.as_bytes()]);
    let pattern = glob::Pattern::new(&text).map_err(failed)?;
    // The walk must return hidden files, since the pattern may name them explicitly; `matches_path_with` filters below.
    let walk = glob::MatchOptions { require_literal_leading_dot: false, ..GLOB };
    let found = glob::glob_with(&text, walk).map_err(failed)?;
    // A directory that cannot be read yields no match, as in glob(3).
    let found = found.filter_map(Result::ok).filter(|path| pattern.matches_path_with(path, GLOB));
    Ok(found.take(MAX_FILES).collect())
}

/// Rules of glob(3): neither `*` nor `?` matches a slash or the leading dot of a hidden file.
const GLOB: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Translates a glob(3) pattern for the library: `[^ab]` negates too, and consecutive stars count as one.
fn as_glob(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if out.ends_with('*') && !out.ends_with("[*") => {}
            '[' if letters.next_if_eq(&'^').is_some() => out.push_str("[!"),
            letter => out.push(letter),
        }
    }
    out
}

/// Whether an include's argument is a pattern, which may match no file.
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// A system error as nginx prints it: `(2: No such file or directory)`.
pub fn system_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    match error.raw_os_error() {
        Some(code) => format!("({code}: {text})"),
        None => format!("({text})"),
    }
}

fn too_large(path: &Path) -> BString {
    let name = path.as_os_str().as_encoded_bytes();
    sentence(&[b"\"", name, b"\" is larger than ", (MAX_FILE_BYTES >> 20).to_string().as_bytes(), b" MiB"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_follow_the_rules_of_the_c_library() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.conf", "b.conf", "c.conf", ".hidden.conf", "sub/d.conf"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("user@host.1", dir.path().join(".#a.conf")).unwrap();
        let found = |pattern: &str| {
            let paths = expand(pattern.as_bytes(), dir.path()).unwrap();
            let names = paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(found("*.conf"), ["a.conf", "b.conf", "c.conf"]);
        assert_eq!(found("[^ab].conf"), ["c.conf"]);
        assert_eq!(found("[!ab].conf"), ["c.conf"]);
        assert_eq!(found("**/*.conf"), ["sub/d.conf"]);
        assert_eq!(found(".h*.conf"), [".hidden.conf"]);
    }
}
