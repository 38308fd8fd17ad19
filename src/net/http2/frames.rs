//! Reads along with the frames that a peer sends, without changing them: whether one is incomplete, and what they cost.
//!
//! The crate h2 tells neither, nor how many bytes of frames came that carry nothing.

/// Length of the head of a frame.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// `END_HEADERS` of HEADERS and CONTINUATION.
const END_HEADERS: u8 = 4;

/// The frames of a connection, read byte by byte behind the preface.
#[derive(Debug)]
pub struct FrameReader {
    /// Bytes of the preface that are still to come.
    preface: usize,
    head: [u8; HEAD],
    /// Number of bytes of the head that have come.
    known: usize,
    /// Bytes of the frame behind its head that are still to come.
    left: usize,
    /// Whether the head of a request has begun and not ended.
    is_head_open: bool,
    /// Bytes of frames that carry requests and bodies.
    pub payload: u64,
}

impl FrameReader {
    /// Of a connection that begins with its preface.
    pub fn new() -> Self {
        FrameReader {
            preface: super::PREFACE.len(),
            head: [0; HEAD],
            known: 0,
            left: 0,
            is_head_open: false,
            payload: 0,
        }
    }

    /// Of a connection to a backend, which sends no preface.
    pub fn of_backend() -> Self {
        FrameReader { preface: 0, ..FrameReader::new() }
    }

    /// Reads bytes that the client has sent.
    pub fn read(&mut self, mut bytes: &[u8]) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            let taken = (HEAD - self.known).min(bytes.len());
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEAD {
                self.known = 0;
                self.begin();
            }
        }
    }

    /// Begins the frame whose head has come.
    fn begin(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        self.left = length;
        if matches!(kind, DATA | HEADERS | CONTINUATION) {
            self.payload += length as u64;
        }
        match kind {
            HEADERS => self.is_head_open = flags & END_HEADERS == 0,
            CONTINUATION => self.is_head_open &= flags & END_HEADERS == 0,
            _ => {}
        }
    }

    /// Whether a frame, or the head of a request, has begun and not ended. Bodies are waited for by their requests.
    pub fn is_incomplete(&self) -> bool {
        let is_body = self.left > 0 && self.head[3] == DATA;
        self.preface > 0 || self.known > 0 || self.is_head_open || (self.left > 0 && !is_body)
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::new()
    }
}

#[cfg(test)]
mod tests {
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
