//! What a client sends: received bytes, and the body of a request in them.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::request::BodyFraming;
use crate::limits;
use crate::net::socket::Socket;

/// Received bytes that are not processed yet.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) buffer: BytesMut,
    body: BodyState,
    /// Bytes of the body that were taken, without the framing of chunks.
    pub(super) body_bytes: u64,
    /// Whether the body is being read, so that nothing else may receive.
    pub(super) is_reading: bool,
    /// Whether the request goes on when the client has left.
    pub(super) is_client_ignored: bool,
}

/// The rest of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BodyState {
    /// Nothing is left.
    #[default]
    Done,
    /// Bytes left.
    Length(u64),
    /// In chunks.
    Chunked(ChunkState),
}

/// What follows in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkState {
    /// The first digit of a chunk's size.
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
    DataEnd { has_return: bool },
    /// A line after the last chunk.
    Trailer { is_empty: bool, has_return: bool },
}

/// What is wrong with the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadBody {
    /// Its chunks are malformed.
    Chunks,
    /// A chunk exceeds the limit: bytes before it, and its size.
    TooLarge {
        /// Bytes of the body before the chunk.
        received: u64,
        /// Bytes of the chunk.
        chunk: u64,
    },
}

impl Input {
    /// Begins the body of a request.
    pub(super) fn begin_body(&mut self, framing: BodyFraming) {
        (self.body_bytes, self.is_reading, self.is_client_ignored) = (0, false, false);
        self.body = match framing {
            BodyFraming::None => BodyState::Done,
            BodyFraming::Length(length) => BodyState::Length(length),
            BodyFraming::Chunked => BodyState::Chunked(ChunkState::Start),
        };
    }

    /// Whether the body was received completely.
    pub(super) fn is_body_done(&self) -> bool {
        self.body == BodyState::Done
    }

    /// Bytes that are certainly missing, at least: the rest of a body with a length, 0 of one in chunks.
    pub(super) fn missing(&self) -> u64 {
        match self.body {
            BodyState::Length(left) => left,
            BodyState::Done | BodyState::Chunked(_) => 0,
        }
    }

    /// Bytes of the present chunk that are missing, with the line ends and the last chunk after it, as nginx counts them.
    pub(super) fn next_chunk_bytes(&self) -> u64 {
        const AFTER_CHUNK: u64 = 4;
        match self.body {
            BodyState::Chunked(ChunkState::Data(left)) => left.saturating_add(AFTER_CHUNK),
            _ => 0,
        }
    }

    /// Whether the body comes in chunks and is not complete.
    pub(super) fn is_chunked(&self) -> bool {
        matches!(self.body, BodyState::Chunked(_))
    }

    /// Takes the next bytes of the body; `None` if more has to be received or the body is complete. Chunks that exceed
    /// `limit` together are refused, as soon as one of their bytes is there.
    ///
    /// # Errors
    ///
    /// [`BadBody`].
    pub(super) fn take_body(&mut self, limit: u64) -> Result<Option<Bytes>, BadBody> {
        loop {
            match self.body {
                BodyState::Done => return Ok(None),
                BodyState::Length(left) | BodyState::Chunked(ChunkState::Data(left)) => {
                    let length = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    if length == 0 {
                        return Ok(None);
                    }
                    if self.is_chunked() && limit.saturating_sub(self.body_bytes) < left {
                        return Err(BadBody::TooLarge { received: self.body_bytes, chunk: left });
                    }
                    let left = left - length as u64;
                    self.body_bytes += length as u64;
                    self.body = match (self.body, left) {
                        (BodyState::Length(_), 0) => BodyState::Done,
                        (BodyState::Length(_), left) => BodyState::Length(left),
                        (_, 0) => BodyState::Chunked(ChunkState::DataEnd { has_return: false }),
                        (_, left) => BodyState::Chunked(ChunkState::Data(left)),
                    };
                    return Ok(Some(self.buffer.split_to(length).freeze()));
                }
                BodyState::Chunked(state) => {
                    let Some(&byte) = self.buffer.first() else { return Ok(None) };
                    self.buffer.advance(1);
                    self.body = match state.after(byte)? {
                        Some(next) => BodyState::Chunked(next),
                        None => BodyState::Done,
                    };
                }
            }
        }
    }

    /// Drops what has been received of the body. Returns whether it is complete.
    ///
    /// # Errors
    ///
    /// [`BadBody`].
    pub(super) fn discard_body(&mut self) -> Result<bool, BadBody> {
        while self.take_body(u64::MAX)?.is_some() {}
        Ok(self.is_body_done())
    }
}

impl ChunkState {
    /// The state after a byte; `None` after the last one.
    fn after(self, byte: u8) -> Result<Option<ChunkState>, BadBody> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        let size_is = |size| {
            if size == 0 {
                ChunkState::Trailer { is_empty: true, has_return: false }
            } else {
                ChunkState::Data(size)
            }
        };
        Ok(Some(match (self, byte) {
            (ChunkState::Start, _) => ChunkState::Size(digit.ok_or(BadBody::Chunks)?),
            // As in nginx, the byte after a size that is too large shows it.
            (ChunkState::Size(size), _) if size > limits::HTTP_CHUNK_BYTES => return Err(BadBody::Chunks),
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
            (ChunkState::Trailer { is_empty: true, .. }, b'\n') => return Ok(None),
            (ChunkState::Trailer { .. }, b'\n') => ChunkState::Trailer { is_empty: true, has_return: false },
            (ChunkState::Trailer { is_empty, has_return: false }, b'\r') => {
                ChunkState::Trailer { is_empty, has_return: true }
            }
            (ChunkState::Trailer { has_return: true, .. }, _) => return Err(BadBody::Chunks),
            (ChunkState::Trailer { .. }, _) => ChunkState::Trailer { is_empty: false, has_return: false },
            (
                ChunkState::Size(_)
                | ChunkState::SizeEnd(_)
                | ChunkState::DataEnd { .. }
                | ChunkState::Data(_),
                _,
            ) => {
                return Err(BadBody::Chunks);
            }
        }))
    }
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Box<[u8]>> = std::cell::RefCell::new(vec![0; limits::HTTP_READ_BYTES].into());
}

/// Reads at most `room` bytes of what the socket has into `buffer`, which holds no more memory than they need.
pub(super) fn read_some(socket: &Socket, buffer: &mut BytesMut, room: usize) -> io::Result<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        let room = room.min(scratch.len());
        let length = socket.try_read(&mut scratch[..room])?;
        buffer.extend_from_slice(&scratch[..length]);
        Ok(length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &[u8], piece: usize) -> Result<(Vec<u8>, usize), BadBody> {
        let mut input = Input::default();
        input.begin_body(BodyFraming::Chunked);
        let mut body = Vec::new();
        for bytes in text.chunks(piece) {
            input.buffer.extend_from_slice(bytes);
            while let Some(bytes) = input.take_body(u64::MAX)? {
                body.extend_from_slice(&bytes);
            }
        }
        assert!(input.is_body_done());
        Ok((body, input.buffer.len()))
    }

    #[test]
    fn chunks_are_decoded_however_they_come() {
        let text = b"5;x=y\r\nhello\r\n1 \n \n0\r\nA: b\r\n\r\nGET";
        for piece in 1..text.len() {
            assert_eq!(body(text, piece).unwrap().0, b"hello ");
        }
        assert_eq!(body(text, text.len()).unwrap().1, 3);
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            "x",
            "5\rx",
            "-1\r\n",
            "1\r\nab\r\n",
            "fffffffffffffffff\r\n",
            "0\r\n\rx",
            "0\r\na\rx",
            "1 \r\nax",
        ] {
            for piece in 1..text.len() {
                assert_eq!(body(text.as_bytes(), piece), Err(BadBody::Chunks), "{text:?}");
            }
        }
    }

    #[test]
    fn the_largest_chunk_is_nginxs() {
        let take = |size: &str| {
            let mut input = Input::default();
            input.begin_body(BodyFraming::Chunked);
            input.buffer.extend_from_slice(size.as_bytes());
            input.take_body(u64::MAX)
        };
        assert_eq!(take("7ffffffffffffff\r\nx").unwrap().unwrap(), "x");
        assert_eq!(take("800000000000000\r\nx"), Err(BadBody::Chunks));
    }

    #[test]
    fn chunks_above_the_limit_are_refused_with_their_first_byte() {
        let mut input = Input::default();
        input.begin_body(BodyFraming::Chunked);
        input.buffer.extend_from_slice(b"6\r\nabcdef\r\n5\r\n");
        assert_eq!(input.take_body(10).unwrap().unwrap(), "abcdef");
        assert_eq!(input.take_body(10), Ok(None));
        input.buffer.extend_from_slice(b"x");
        assert_eq!(input.take_body(10), Err(BadBody::TooLarge { received: 6, chunk: 5 }));
    }
}
