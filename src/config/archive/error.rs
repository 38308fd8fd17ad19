//! Errors of generations on disk.

use std::io;
use std::path::PathBuf;

use super::format::DecodeError;
use crate::limits;
use crate::syntax::include::system_error;

/// Why a generation is not kept, or what is on disk is left out.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system refuses.
    #[error("{call} \"{}\" failed {}", .path.display(), system_error(.source))]
    System {
        /// The system call, or what was done.
        call: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The texts are larger than [`limits::GENERATION_BYTES`].
    #[error("its texts are larger than {} MiB", limits::GENERATION_BYTES >> 20)]
    LargeTexts,
    /// The directory is something else.
    #[error("\"{}\" is no directory", .0.display())]
    NotDirectory(PathBuf),
    /// The name begins as those of generations do, and goes on otherwise.
    #[error("\"{}\" is no generation", .0.display())]
    NotGeneration(PathBuf),
    /// The number in the file is not that of its name.
    #[error("\"{}\" has another number", .0.display())]
    OtherNumber(PathBuf),
    /// It is not a regular file.
    #[error("\"{}\" is no file", .0.display())]
    NotFile(PathBuf),
    /// Another user has made it.
    #[error("\"{}\" belongs to user {user}", .path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// That user.
        user: u32,
    },
    /// The file is larger than [`limits::GENERATION_BYTES`].
    #[error("\"{}\" is too large", .0.display())]
    LargeFile(PathBuf),
    /// The file does not hold a whole generation.
    #[error("\"{}\" is damaged: {source}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The generation is one of another main file.
    #[error("\"{}\" does not hold \"{}\"", .path.display(), .main.display())]
    OtherMain {
        /// The file.
        path: PathBuf,
        /// The main file.
        main: PathBuf,
    },
}
