//! Errors of generations on disk.

use std::io;
use std::path::PathBuf;

use super::format::DecodeError;
use crate::config::private_files::PrivateFileError;
use crate::limits;
use crate::syntax::texts::system_error;

/// Reason why a generation is not stored, or why a stored one is skipped.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A system call failed.
    #[error("{call} \"{}\" failed {}", .path.display(), system_error(.source))]
    System {
        /// The system call or operation.
        call: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A private file or directory cannot be made.
    #[error(transparent)]
    Private(#[from] PrivateFileError),
    /// The texts are larger than [`limits::GENERATION_BYTES`].
    #[error("its texts are larger than {} MiB", limits::GENERATION_BYTES >> 20)]
    LargeTexts,
    /// The path is not a directory.
    #[error("\"{}\" is not a directory", .0.display())]
    NotDirectory(PathBuf),
    /// The name begins like that of a generation, but is not one.
    #[error("\"{}\" is not a generation", .0.display())]
    NotGeneration(PathBuf),
    /// The number in the file differs from the one in its name.
    #[error("\"{}\" has a different generation number", .0.display())]
    OtherNumber(PathBuf),
    /// It is not a regular file.
    #[error("\"{}\" is not a regular file", .0.display())]
    NotFile(PathBuf),
    /// It belongs to another user.
    #[error("\"{}\" belongs to user {user}", .path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id.
        user: u32,
    },
    /// The file is larger than [`limits::GENERATION_BYTES`].
    #[error("\"{}\" is too large", .0.display())]
    LargeFile(PathBuf),
    /// The file does not contain a complete generation.
    #[error("\"{}\" is damaged: {source}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: DecodeError,
    },
    /// The generation belongs to another main file.
    #[error("\"{}\" does not contain \"{}\"", .path.display(), .main.display())]
    OtherMain {
        /// The file.
        path: PathBuf,
        /// The main file.
        main: PathBuf,
    },
}
