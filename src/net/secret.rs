//! Secrets for signing requests and relays.

use std::path::{Path, PathBuf};

use crate::log::FileError;
use crate::task::disk;

/// A shared secret. Never printed.
pub struct Secret(Vec<u8>);

impl Secret {
    /// Secret from the contents of a file, without the trailing line end that editors add. `None` if it is empty.
    pub fn new(mut text: Vec<u8>) -> Option<Secret> {
        while text.last().is_some_and(u8::is_ascii_whitespace) {
            text.pop();
        }
        (!text.is_empty()).then_some(Secret(text))
    }

    /// Key of a signature.
    pub fn key(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Reason why a secret cannot be used: an error in the configuration. The text is nginx's message.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// The file contains only white space.
    #[error("\"{directive}\" file \"{}\" is empty", .path.display())]
    Empty {
        /// The directive that names the file.
        directive: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// Reads the secret from the file that a directive names.
///
/// # Errors
///
/// The file cannot be read, or is empty.
pub fn read(directive: &'static str, path: &Path) -> Result<Secret, SecretError> {
    let text = disk::read(path).map_err(FileError::of("open", path))?;
    Secret::new(text).ok_or_else(|| SecretError::Empty { directive, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_ends_before_its_line_end() {
        assert_eq!(Secret::new(b"abc \n".to_vec()).unwrap().key(), b"abc");
        assert!(Secret::new(b"\n".to_vec()).is_none());
    }
}
