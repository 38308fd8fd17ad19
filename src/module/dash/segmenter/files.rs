//! The files of a publish, as the segmenter sees them.

use std::path::Path;

/// Files below `dash_path`. Each call is performed at once, creates missing directories, and returns whether it succeeded:
/// a manifest must not list a segment that could not be written.
pub trait DashFiles {
    /// Creates or truncates a file.
    fn create(&mut self, file: &Path) -> bool;
    /// Appends to a file that was created and not closed.
    fn append(&mut self, file: &Path, bytes: &[u8]) -> bool;
    /// Closes a file. Fails if any part of it was not written.
    fn close(&mut self, file: &Path) -> bool;
    /// Replaces a file atomically.
    fn replace(&mut self, file: &Path, bytes: &[u8]) -> bool;
    /// Removes a file.
    fn remove(&mut self, file: &Path);
}
