//! Reads along with the frames that a peer sends, without changing them: whether one is incomplete, and what they cost.
//!
//! The crate h2 tells neither, nor how many bytes of frames came that carry nothing.

use super::framing::{CONTINUATION, DATA, END_HEADERS, FrameWalk, HEADERS, Part};

/// The frames of a connection, read byte by byte behind the preface.
#[derive(Debug)]
pub struct FrameReader {
    walk: FrameWalk,
    /// Whether the head of a request has begun and not ended.
    is_head_open: bool,
    /// Bytes of frames that carry requests and bodies.
    pub payload: u64,
}

impl FrameReader {
    /// Of a connection that begins with its preface.
    pub fn new() -> Self {
        FrameReader { walk: FrameWalk::behind_preface(), is_head_open: false, payload: 0 }
    }

    /// Of a connection to a backend, which sends no preface.
    pub fn of_backend() -> Self {
        FrameReader { walk: FrameWalk::default(), ..FrameReader::new() }
    }

    /// Reads bytes that the client has sent.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while let Some(part) = self.walk.next(&mut bytes) {
            let Part::Frame { kind, flags, length, .. } = part else { continue };
            if matches!(kind, DATA | HEADERS | CONTINUATION) {
                self.payload += length.unsigned_abs();
            }
            match kind {
                HEADERS => self.is_head_open = flags & END_HEADERS == 0,
                CONTINUATION => self.is_head_open &= flags & END_HEADERS == 0,
                _ => {}
            }
        }
    }

    /// Whether a frame, or the head of a request, has begun and not ended. Bodies are waited for by their requests.
    pub fn is_incomplete(&self) -> bool {
        self.is_head_open || !(self.walk.is_between() || self.walk.is_within_body())
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing::HEAD;
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.resize(HEAD + usize::from(length), 0);
        frame
    }

    #[test]
    fn what_carries_requests_and_bodies_is_counted_however_it_comes() {
        let bytes = [
            super::super::PREFACE,
            &frame(4, 0, 0, 6),
            &frame(HEADERS, 0, 1, 20),
            &frame(CONTINUATION, END_HEADERS, 1, 7),
            &frame(DATA, 1, 1, 100),
            &frame(HEADERS, END_HEADERS, 3, 9),
            &frame(6, 0, 0, 8),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let mut reader = FrameReader::new();
            for part in bytes.chunks(piece) {
                reader.read(part);
            }
            assert!(!reader.is_incomplete());
            assert_eq!(reader.payload, 20 + 7 + 100 + 9);
        }
    }

    #[test]
    fn an_open_head_is_incomplete() {
        let mut reader = FrameReader::new();
        assert!(reader.is_incomplete());
        reader.read(super::super::PREFACE);
        assert!(!reader.is_incomplete());
        reader.read(&frame(HEADERS, 0, 1, 20));
        assert!(reader.is_incomplete());
        reader.read(&frame(CONTINUATION, END_HEADERS, 1, 20)[..12]);
        assert!(reader.is_incomplete());
    }
}
