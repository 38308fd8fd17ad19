//! Reads along with the frames that a client sends, without changing them: their lengths, and what they cost.
//!
//! The crate h2 decodes the frames, but does not tell how long the head of a request was, whether a frame is incomplete, and
//! how many bytes of frames came that carry nothing.

use std::collections::VecDeque;

use crate::limits;

/// Length of the head of a frame.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// `END_HEADERS` of HEADERS and CONTINUATION.
const END_HEADERS: u8 = 4;
/// `PADDED` of DATA and HEADERS.
const PADDED: u8 = 8;
/// `PRIORITY` of HEADERS.
const PRIORITY: u8 = 0x20;

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
    /// Streams whose request was not taken yet, with the lengths of their heads.
    heads: VecDeque<(u32, usize)>,
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
            heads: VecDeque::new(),
        }
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
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        self.left = length;
        if matches!(kind, DATA | HEADERS | CONTINUATION) {
            self.payload += length as u64;
        }
        match kind {
            HEADERS => {
                self.is_head_open = flags & END_HEADERS == 0;
                let extra = usize::from(flags & PADDED != 0) + 5 * usize::from(flags & PRIORITY != 0);
                if self.heads.len() >= limits::HTTP2_HEADS {
                    self.heads.pop_front();
                }
                self.heads.push_back((stream, length.saturating_sub(extra)));
            }
            CONTINUATION => {
                self.is_head_open &= flags & END_HEADERS == 0;
                if let Some((_, head)) = self.heads.back_mut().filter(|(of, _)| *of == stream) {
                    *head += length;
                }
            }
            _ => {}
        }
    }

    /// Whether a frame, or the head of a request, has begun and not ended.
    pub fn is_incomplete(&self) -> bool {
        self.preface > 0 || self.known > 0 || self.left > 0 || self.is_head_open
    }

    /// Length of the head of a request, in bytes as it was sent. Those of streams before it are forgotten.
    pub fn take_head(&mut self, stream: u32) -> usize {
        while let Some((of, length)) = self.heads.front().copied() {
            if of > stream {
                break;
            }
            self.heads.pop_front();
            if of == stream {
                return length;
            }
        }
        0
    }

    /// Gives back the memory that an idle connection does not need.
    pub fn rest(&mut self) {
        if self.heads.is_empty() {
            self.heads = VecDeque::new();
        }
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
    fn heads_have_their_lengths_however_they_come() {
        let bytes = [
            super::super::PREFACE,
            &frame(4, 0, 0, 6),
            &frame(HEADERS, PRIORITY, 1, 20),
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
            assert_eq!((reader.take_head(1), reader.take_head(3), reader.take_head(5)), (22, 9, 0));
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

    #[test]
    fn lengths_of_heads_are_bounded() {
        let mut reader = FrameReader::new();
        reader.read(super::super::PREFACE);
        for _ in 0..limits::HTTP2_HEADS * 2 {
            reader.read(&frame(HEADERS, END_HEADERS, 1, 1));
        }
        assert_eq!(reader.heads.len(), limits::HTTP2_HEADS);
    }
}
