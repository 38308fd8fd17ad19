//! Open files, and what the system tells of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// A file that was found.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// The descriptor, unless it is a directory that a cache knows.
    pub file: Option<Arc<File>>,
    /// Size in bytes.
    pub size: u64,
    /// Seconds since 1970 of the last modification.
    pub modified: i64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether its owner may execute it.
    pub is_executable: bool,
    /// Device and number.
    pub id: (u64, u64),
}

impl OpenFile {
    /// An open file with what the system tells of it.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn of(file: File) -> io::Result<Self> {
        const OWNER_EXECUTES: u32 = 0o100;
        let found = file.metadata()?;
        Ok(OpenFile {
            size: found.len(),
            modified: found.mtime(),
            is_dir: found.is_dir(),
            is_file: found.is_file(),
            is_executable: found.mode() & OWNER_EXECUTES != 0,
            id: (found.dev(), found.ino()),
            file: Some(Arc::new(file)),
        })
    }

    /// Tag of this version.
    pub fn etag(&self) -> String {
        self.etag_of(self.size)
    }

    /// Tag of what is sent of this version, by its length in bytes.
    pub fn etag_of(&self, length: u64) -> String {
        let mut tag = String::with_capacity(2 * 16 + 3);
        tag.push('"');
        push_hexadecimal(&mut tag, self.modified.cast_unsigned());
        tag.push('-');
        push_hexadecimal(&mut tag, length);
        tag.push('"');
        tag
    }
}

/// Appends a number. Each response with a file has two of them, and `format!` takes longer than the rest of its head.
fn push_hexadecimal(text: &mut String, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let value = u32::try_from(number >> (4 * digit) & 0xf).unwrap_or(0);
        text.extend(char::from_digit(value, 16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_numbers_are_those_of_format() {
        for number in [0, 1, 15, 16, 255, 0x6000_0000, u64::MAX, 1 << 63] {
            let mut text = String::new();
            push_hexadecimal(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
    }
}
