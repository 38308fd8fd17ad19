//! The files of a configuration: where their texts come from, and which files an include names.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bstr::BString;
use bytes::Bytes;

use super::source::{MAX_FILE_BYTES, Sources, TextOrigin};
use super::{Problem, sentence, to_path};

/// Maximum number of files read for one configuration; each use of a file counts.
pub const MAX_FILES: usize = 100_000;

/// Source of the files of a configuration.
pub trait Texts {
    /// Reads a whole file.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is too large.
    fn read(&self, path: &Path) -> Result<Bytes, TextError>;

    /// Whether there is something at this path.
    fn has(&self, path: &Path) -> bool;

    /// Files that an include's argument names, in reading order. Relative paths refer to `base`.
    ///
    /// # Errors
    ///
    /// The pattern is invalid, or a directory cannot be read.
    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError>;
}

/// Reason why there is no text of a file, or no list of files.
#[derive(Debug)]
pub enum TextError {
    /// The pattern of an include is invalid.
    Pattern {
        /// The pattern, for the library.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// The file is not among the texts that were kept.
    NotKept(PathBuf),
    /// The pattern of an include is not UTF-8.
    NotUnicode(PathBuf),
    /// A system call has failed.
    System {
        /// The call.
        call: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file has more than [`MAX_FILE_BYTES`].
    TooLarge(PathBuf),
}

impl TextError {
    /// nginx's sentence, with the bytes of the path as they are.
    pub fn sentence(&self) -> BString {
        let name = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
        match self {
            TextError::Pattern { pattern, source } => {
                sentence(&[b"glob() \"", pattern.as_bytes(), b"\" failed: ", source.msg.as_bytes()])
            }
            TextError::NotKept(path) => sentence(&[b"\"", &name(path), b"\" was not kept"]),
            TextError::NotUnicode(path) => sentence(&[b"glob() \"", &name(path), b"\" failed"]),
            TextError::System { call, path, source } => sentence(&[
                call.as_bytes(),
                b" \"",
                &name(path),
                b"\" failed ",
                system_error(source).as_bytes(),
            ]),
            TextError::TooLarge(path) => {
                let most = (MAX_FILE_BYTES >> 20).to_string();
                sentence(&[b"\"", &name(path), b"\" is larger than ", most.as_bytes(), b" MiB"])
            }
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sentence())
    }
}

impl std::error::Error for TextError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TextError::Pattern { source, .. } => Some(source),
            TextError::System { source, .. } => Some(source),
            TextError::NotKept(_) | TextError::NotUnicode(_) | TextError::TooLarge(_) => None,
        }
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Problem {
        Problem::new(error.sentence())
    }
}

/// The file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Texts for Disk {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        read_file(path)
    }

    fn has(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        expand(pattern, base)
    }
}

/// Texts that were read before; other files do not exist.
impl Texts for Sources {
    fn read(&self, path: &Path) -> Result<Bytes, TextError> {
        let text = self.find(path).and_then(|id| self.file(id)).map(|file| file.bytes.clone());
        text.ok_or_else(|| TextError::NotKept(path.to_owned()))
    }

    fn has(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    fn expand(&self, pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
        if !is_pattern(pattern) {
            return expand(pattern, base);
        }
        let path = base.join(to_path(pattern));
        let pattern = path.to_str().map(|text| glob::Pattern::new(&as_glob(text)));
        let Some(Ok(pattern)) = pattern else { return Ok(Vec::new()) };
        let files = self.files().iter().filter(|file| file.origin == TextOrigin::File);
        let mut found: Vec<PathBuf> = files
            .map(|file| file.name.to_path_buf())
            .filter(|path| pattern.matches_path_with(path, GLOB))
            .collect();
        found.sort();
        Ok(found)
    }
}

/// Reads a whole file.
///
/// # Errors
///
/// The file cannot be read or is too large.
pub fn read_file(path: &Path) -> Result<Bytes, TextError> {
    // Without O_NONBLOCK, opening a FIFO could wait forever for a writer.
    let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
    read_opened(path, OpenOptions::new().read(true).custom_flags(nonblocking).open(path))
}

/// Reads a whole file that was opened without waiting; `path` is its name in messages.
///
/// # Errors
///
/// As for [`read_file`].
pub fn read_opened(path: &Path, opened: io::Result<File>) -> Result<Bytes, TextError> {
    let failed = |call: &'static str| {
        let path = path.to_owned();
        move |source: io::Error| TextError::System { call, path, source }
    };
    let file = opened.map_err(failed("open()"))?;
    let metadata = file.metadata();
    if metadata.as_ref().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(failed("pread()")(nix::errno::Errno::ESPIPE.into()));
    }
    let size = metadata.as_ref().map_or(0, Metadata::len);
    if size > MAX_FILE_BYTES {
        return Err(TextError::TooLarge(path.to_owned()));
    }
    // Reserving the file's size, and one byte to detect the end, avoids copies.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    // Reading one byte more than allowed detects a file that is too large even if its size is not known beforehand.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed("pread()"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(TextError::TooLarge(path.to_owned()));
    }
    Ok(bytes.into())
}

/// Files that an include's argument names, in reading order.
///
/// # Errors
///
/// The pattern is invalid, or a directory cannot be read.
pub fn expand(pattern: &[u8], base: &Path) -> Result<Vec<PathBuf>, TextError> {
    let path = base.join(to_path(pattern));
    if !is_pattern(pattern) {
        return Ok(vec![path]);
    }
    let Some(text) = path.to_str() else {
        return Err(TextError::NotUnicode(path));
    };
    let text = as_glob(text);
    let failed = |source: glob::PatternError| TextError::Pattern { pattern: text.clone(), source };
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
