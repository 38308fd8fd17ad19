//! Bodies of responses that come in chunks.

use bstr::ByteSlice;
use bytes::{Buf, Bytes, BytesMut};

use crate::http::chunks::{BadChunks, ChunkState};
use crate::http::headers::Headers;
use crate::limits;

/// Takes chunks apart.
#[derive(Debug, Default)]
pub(super) struct ChunkReader {
    state: ChunkState,
    line: Vec<u8>,
    /// Bytes of trailers so far.
    trailer_bytes: usize,
    /// Headers behind the last chunk.
    pub(super) trailers: Headers,
    is_done: bool,
}

impl ChunkReader {
    /// Whether the last chunk is complete.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Takes the next bytes of the body from what was received; `None` if more is needed, or nothing follows.
    ///
    /// # Errors
    ///
    /// [`BadChunks`].
    pub(super) fn take(&mut self, received: &mut BytesMut) -> Result<Option<Bytes>, BadChunks> {
        loop {
            match self.state {
                _ if self.is_done => return Ok(None),
                ChunkState::Data(left) => {
                    let length = received.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    if length == 0 {
                        return Ok(None);
                    }
                    self.state = ChunkState::after_data(left, length as u64);
                    return Ok(Some(received.split_to(length).freeze()));
                }
                ChunkState::Trailers => {
                    let Some(byte) = received.first().copied() else { return Ok(None) };
                    received.advance(1);
                    self.trailer_bytes += 1;
                    if self.trailer_bytes > limits::PROXY_TRAILER_BYTES {
                        return Err(BadChunks);
                    }
                    if byte != b'\n' {
                        self.line.push(byte);
                        continue;
                    }
                    let line = std::mem::take(&mut self.line);
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    if line.is_empty() {
                        self.is_done = true;
                        return Ok(None);
                    }
                    let (name, value) = line.split_once_str(":").ok_or(BadChunks)?;
                    let is_bad = |b: &u8| *b <= b' ' || *b == 0x7f;
                    if name.is_empty() || name.iter().any(is_bad) || value.find_byteset(b"\r\0").is_some() {
                        return Err(BadChunks);
                    }
                    self.trailers.append(name.to_vec(), value.trim_with(|c| c == ' ').to_vec());
                }
                state => {
                    let Some(byte) = received.first().copied() else { return Ok(None) };
                    received.advance(1);
                    self.state = state.after(byte)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Result<(Vec<u8>, ChunkReader, usize), BadChunks> {
        let (mut reader, mut received, mut body) = (ChunkReader::default(), BytesMut::new(), Vec::new());
        for bytes in text.chunks(piece) {
            received.extend_from_slice(bytes);
            while let Some(part) = reader.take(&mut received)? {
                body.extend_from_slice(&part);
            }
        }
        Ok((body, reader, received.len()))
    }

    #[test]
    fn chunks_are_the_same_however_they_come() {
        let text = b"5;x=y\r\nhello\r\n1 \n \n0\r\nA: b\r\n\r\nGET";
        for piece in 1..=text.len() {
            let (body, reader, _) = read(text, piece).unwrap();
            assert_eq!((&body[..], reader.is_done()), (&b"hello "[..], true));
            assert_eq!(reader.trailers.get(b"a").unwrap(), "b");
        }
        assert_eq!(read(text, text.len()).unwrap().2, 3);
        assert!(!read(b"5\r\nhel", 100).unwrap().1.is_done());
    }

    #[test]
    fn malformed_chunks_are_refused() {
        let long = format!("0\r\n{}", "a: b\r\n".repeat(limits::PROXY_TRAILER_BYTES / 6 + 1));
        for text in [
            "x",
            "\r\n",
            "5\rx",
            "-1\r\n",
            "1\r\nab\r\n",
            "fffffffffffffffff\r\n",
            "0\r\nnone\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            &long,
        ] {
            for piece in [1, 2, text.len()] {
                assert_eq!(read(text.as_bytes(), piece).map(drop), Err(BadChunks), "{text:?}");
            }
        }
    }
}
