//! The body of a request that was read.

use bytes::Bytes;

use super::input::BadBody;
use super::response::{FilePart, Piece, Pieces};
use super::temp_file::{TempFile, TempFileError};

/// A body that was read, completely unless reading it failed.
#[derive(Debug, Default)]
pub struct RequestBody {
    /// The bytes, unless they are in the file.
    pub(super) memory: Bytes,
    pub(super) file: Option<TempFile>,
    /// Whether the request has one, which may be empty.
    pub(super) is_present: bool,
}

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum BodyFailure {
    /// It is malformed or too large.
    Bad(BadBody),
    /// The client has closed the connection, or the connection failed.
    Left,
    /// No bytes came for `client_body_timeout`.
    TimedOut,
    /// It could not be written to its file.
    Disk(TempFileError),
}

impl RequestBody {
    /// The bytes in memory (`$request_body`); `None` if there is no body, or if it is in a file.
    pub fn in_memory(&self) -> Option<&[u8]> {
        (self.is_present && self.file.is_none()).then_some(&self.memory)
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.file.as_ref().map_or(self.memory.len() as u64, |file| file.length)
    }

    /// The file that the body was written to.
    pub fn file(&self) -> Option<&TempFile> {
        self.file.as_ref()
    }

    /// The body as pieces that can be sent.
    pub fn pieces(&self) -> Pieces {
        let piece = match &self.file {
            Some(file) => Piece::File(FilePart { file: file.file().clone(), start: 0, length: file.length }),
            None => Piece::Memory(self.memory.clone()),
        };
        std::iter::once(piece).filter(|piece| piece.length() > 0).collect()
    }
}
