//! Framing of bodies in chunks (RFC 9112 §7.1), as nginx takes it, of requests and of backends' responses. What follows the last
//! chunk is left to the reader of the body.

use crate::limits;

/// Next element of a body in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkState {
    /// The first digit of a chunk's size.
    #[default]
    Start,
    /// Further digits.
    Size(u64),
    /// The rest of the line with the size.
    Extension(u64),
    /// The line feed after it.
    SizeEnd(u64),
    /// Bytes of the chunk.
    Data(u64),
    /// The line end after them.
    DataEnd {
        /// Whether its carriage return has come.
        has_return: bool,
    },
    /// The lines behind the last chunk.
    Trailers,
}

/// The chunks are malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunks;

impl ChunkState {
    /// The state after a byte that is not one of a chunk.
    ///
    /// # Errors
    ///
    /// [`BadChunks`].
    pub fn after(self, byte: u8) -> Result<ChunkState, BadChunks> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        let size_is = |size| if size == 0 { ChunkState::Trailers } else { ChunkState::Data(size) };
        Ok(match (self, byte) {
            (ChunkState::Start, _) => ChunkState::Size(digit.ok_or(BadChunks)?),
            // As in nginx, the byte after a size that is too large shows it.
            (ChunkState::Size(size), _) if size > limits::HTTP_CHUNK_BYTES => return Err(BadChunks),
            (ChunkState::Size(size), _) if digit.is_some() => {
                ChunkState::Size(size * 16 + digit.unwrap_or(0))
            }
            (ChunkState::Size(size), b';' | b' ' | b'\t') => ChunkState::Extension(size),
            (ChunkState::Size(size) | ChunkState::Extension(size), b'\r') => ChunkState::SizeEnd(size),
            (ChunkState::Size(size) | ChunkState::Extension(size) | ChunkState::SizeEnd(size), b'\n') => {
                size_is(size)
            }
            (ChunkState::Extension(size), _) => ChunkState::Extension(size),
            (ChunkState::DataEnd { has_return: false }, b'\r') => ChunkState::DataEnd { has_return: true },
            (ChunkState::DataEnd { .. }, b'\n') => ChunkState::Start,
            _ => return Err(BadChunks),
        })
    }

    /// The state once `taken` bytes of a chunk were taken, of which `left` were missing.
    pub fn after_data(left: u64, taken: u64) -> ChunkState {
        match left - taken {
            0 => ChunkState::DataEnd { has_return: false },
            left => ChunkState::Data(left),
        }
    }
}
