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
        format!("\"{:x}-{length:x}\"", self.modified)
    }
}
