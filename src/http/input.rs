//! Input from a client: received bytes, and the body of a request in them.

use bytes::{Buf, Bytes, BytesMut};

use super::chunks::ChunkState;
use super::leaving::OnLeaving;
use super::request::BodyFraming;

/// Received bytes that are not processed yet.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) buffer: BytesMut,
    body: BodyState,
    /// Bytes of the body that were taken, without the framing of chunks.
    pub(super) body_bytes: u64,
    /// Whether the body is being read, so that nothing else may receive.
    pub(super) is_reading: bool,
    /// Consequence for the request if its client has closed.
    pub(super) on_leaving: OnLeaving,
}

/// The rest of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BodyState {
    /// Nothing is left.
    #[default]
    Done,
    /// Bytes left.
    Length(u64),
    /// Everything that comes, until the end of the stream (HTTP/2).
    Stream {
        /// Bytes that are still to come, if the client has declared a length.
        left: Option<u64>,
    },
    /// In chunks.
    Chunked(ChunkState),
    /// Lines behind the last chunk.
    Trailers {
        /// Whether no byte of the line has come.
        is_empty: bool,
        /// Whether its carriage return has.
        has_return: bool,
    },
}

/// Error in the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadBody {
    /// Its chunks are malformed.
    Chunks,
    /// There is more of it than was declared (HTTP/2).
    Longer,
    /// It has ended before its declared length (HTTP/2), by this many bytes.
    Shorter(u64),
    /// A chunk exceeds the limit: bytes before it, and its size.
    TooLarge {
        /// Bytes of the body before the chunk.
        received: u64,
        /// Bytes of the chunk.
        chunk: u64,
    },
}

impl Input {
    /// With bytes that were received.
    pub(super) fn with(buffer: BytesMut) -> Self {
        Input { buffer, ..Input::default() }
    }

    /// Begins the body of a request.
    pub(super) fn begin_body(&mut self, framing: BodyFraming) {
        (self.body_bytes, self.is_reading, self.on_leaving) = (0, false, OnLeaving::default());
        self.body = match framing {
            BodyFraming::None => BodyState::Done,
            BodyFraming::Length(length) => BodyState::Length(length),
            BodyFraming::Chunked => BodyState::Chunked(ChunkState::default()),
        };
    }

    /// Lets the body be everything that comes, until the end of the stream (HTTP/2): as many bytes as were declared, if a length was.
    pub(super) fn begin_stream(&mut self, declared: Option<u64>) {
        self.body = BodyState::Stream { left: declared };
    }

    /// Called at the end of what the client sends: whether that is how its body ends.
    ///
    /// # Errors
    ///
    /// [`BadBody::Shorter`].
    pub(super) fn ends_with_stream(&mut self) -> Result<bool, BadBody> {
        let BodyState::Stream { left } = self.body else { return Ok(false) };
        self.body = BodyState::Done;
        match left {
            Some(left @ 1..) => Err(BadBody::Shorter(left)),
            None | Some(0) => Ok(true),
        }
    }

    /// Whether the body was received completely.
    pub(super) fn is_body_done(&self) -> bool {
        self.body == BodyState::Done
    }

    /// Bytes that are certainly missing, at least: the rest of a body with a length, 0 of one in chunks.
    pub(super) fn missing(&self) -> u64 {
        match self.body {
            BodyState::Length(left) => left,
            // There is room for one more, which would be wrong, and for the end of the stream.
            BodyState::Stream { left: Some(left) } => left.saturating_add(1),
            BodyState::Done
            | BodyState::Stream { left: None }
            | BodyState::Chunked(_)
            | BodyState::Trailers { .. } => 0,
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

    /// Whether the body has no length and is not complete.
    pub(super) fn is_chunked(&self) -> bool {
        matches!(
            self.body,
            BodyState::Stream { left: None } | BodyState::Chunked(_) | BodyState::Trailers { .. }
        )
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
                BodyState::Stream { .. } if self.buffer.is_empty() => return Ok(None),
                BodyState::Stream { left: Some(left) } => {
                    let came = self.buffer.len() as u64;
                    let left = left.checked_sub(came).ok_or(BadBody::Longer)?;
                    self.body = BodyState::Stream { left: Some(left) };
                    self.body_bytes += came;
                    return Ok(Some(self.buffer.split().freeze()));
                }
                BodyState::Stream { left: None } => {
                    let (received, came) = (self.body_bytes, self.buffer.len() as u64);
                    if limit.saturating_sub(received) < came {
                        return Err(BadBody::TooLarge { received, chunk: came });
                    }
                    self.body_bytes += came;
                    return Ok(Some(self.buffer.split().freeze()));
                }
                BodyState::Length(left) | BodyState::Chunked(ChunkState::Data(left)) => {
                    let length = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    if length == 0 {
                        return Ok(None);
                    }
                    if self.is_chunked() && limit.saturating_sub(self.body_bytes) < left {
                        return Err(BadBody::TooLarge { received: self.body_bytes, chunk: left });
                    }
                    let taken = length as u64;
                    self.body_bytes += taken;
                    self.body = match self.body {
                        BodyState::Length(_) if left == taken => BodyState::Done,
                        BodyState::Length(_) => BodyState::Length(left - taken),
                        _ => BodyState::Chunked(ChunkState::after_data(left, taken)),
                    };
                    return Ok(Some(self.buffer.split_to(length).freeze()));
                }
                BodyState::Chunked(ChunkState::Trailers) => {
                    self.body = BodyState::Trailers { is_empty: true, has_return: false };
                }
                BodyState::Chunked(state) => {
                    let Some(&byte) = self.buffer.first() else { return Ok(None) };
                    self.buffer.advance(1);
                    self.body = BodyState::Chunked(state.after(byte).map_err(|_| BadBody::Chunks)?);
                }
                BodyState::Trailers { is_empty, has_return } => {
                    let Some(&byte) = self.buffer.first() else { return Ok(None) };
                    self.buffer.advance(1);
                    self.body = after_trailer(is_empty, has_return, byte)?.unwrap_or(BodyState::Done);
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
        // As in nginx, the length of what is dropped of a stream does not matter.
        if let BodyState::Stream { left } = self.body {
            let dropped = self.buffer.len() as u64;
            self.body_bytes += dropped;
            self.buffer.clear();
            self.body = BodyState::Stream { left: left.map(|left| left.saturating_sub(dropped)) };
            return Ok(false);
        }
        while self.take_body(u64::MAX)?.is_some() {}
        Ok(self.is_body_done())
    }
}

/// The state of the lines behind the last chunk after a byte; `None` after the last one.
fn after_trailer(is_empty: bool, has_return: bool, byte: u8) -> Result<Option<BodyState>, BadBody> {
    Ok(Some(match (has_return, byte) {
        (_, b'\n') if is_empty => return Ok(None),
        (_, b'\n') => BodyState::Trailers { is_empty: true, has_return: false },
        (false, b'\r') => BodyState::Trailers { is_empty, has_return: true },
        (true, _) => return Err(BadBody::Chunks),
        (false, _) => BodyState::Trailers { is_empty: false, has_return: false },
    }))
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
    fn a_stream_has_its_declared_length() {
        let mut input = Input::default();
        input.begin_stream(Some(5));
        input.buffer.extend_from_slice(b"abc");
        assert_eq!(input.take_body(1).unwrap().unwrap(), "abc");
        assert_eq!(input.missing(), 3);
        input.buffer.extend_from_slice(b"de");
        assert_eq!(input.take_body(1).unwrap().unwrap(), "de");
        assert!(!input.is_body_done() && input.missing() > 0);
        assert_eq!((input.ends_with_stream(), input.is_body_done()), (Ok(true), true));
        input.begin_stream(Some(5));
        input.buffer.extend_from_slice(b"abcdef");
        assert_eq!(input.take_body(u64::MAX), Err(BadBody::Longer));
        assert_eq!((input.ends_with_stream(), input.is_body_done()), (Err(BadBody::Shorter(5)), true));
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
