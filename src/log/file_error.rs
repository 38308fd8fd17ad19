//! Errors of operations on files.

use std::io;
use std::path::{Path, PathBuf};

use super::os_text::os_text;

/// A failed system call on a file. The text is nginx's message.
#[derive(Debug, thiserror::Error)]
#[error("{call}() \"{}\" failed ({})", .path.display(), os_text(.source))]
pub struct FileError {
    /// The system call.
    pub call: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

impl FileError {
    /// Wraps the error of a system call on `path`.
    pub fn of(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        move |source| FileError { call, path: path.to_owned(), source }
    }
}

/// A file that could not be renamed. The text is nginx's message.
#[derive(Debug, thiserror::Error)]
#[error("rename() \"{}\" to \"{}\" failed ({})", .from.display(), .to.display(), os_text(.source))]
pub struct RenameError {
    /// Its name.
    pub from: PathBuf,
    /// Its new name.
    pub to: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

/// Renames a file.
///
/// # Errors
///
/// The errors of the system call.
pub fn rename(from: &Path, to: &Path) -> Result<(), RenameError> {
    let failed = |source| RenameError { from: from.to_owned(), to: to.to_owned(), source };
    std::fs::rename(from, to).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_missing_file_is_told_in_the_words_of_nginx_and_keeps_its_cause() {
        let error = FileError::of("open", Path::new("/no"))(io::Error::from_raw_os_error(2));
        assert_eq!(error.to_string(), "open() \"/no\" failed (2: No such file or directory)");
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(2));
    }
}
