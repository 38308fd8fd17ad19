//! Secrets by which requests and relays are signed.

use std::path::Path;

use crate::log::os_text;

/// What both sides of a signature know. Never printed.
pub struct Secret(Vec<u8>);

impl Secret {
    /// What a file holds, without the line end that editors leave behind it. `None`: nothing is left.
    pub fn new(mut text: Vec<u8>) -> Option<Secret> {
        while text.last().is_some_and(u8::is_ascii_whitespace) {
            text.pop();
        }
        (!text.is_empty()).then_some(Secret(text))
    }

    /// The key of a signature.
    pub fn key(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The secret of the file that a directive names.
///
/// # Errors
///
/// nginx's sentence: the file cannot be read, or is empty.
pub fn read(directive: &str, path: &Path) -> Result<Secret, String> {
    let name = path.display();
    let text =
        std::fs::read(path).map_err(|error| format!("open() \"{name}\" failed ({})", os_text(&error)))?;
    Secret::new(text).ok_or_else(|| format!("\"{directive}\" file \"{name}\" is empty"))
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
