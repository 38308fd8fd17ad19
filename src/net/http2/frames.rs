//! Reads along with the frames that a peer sends, without changing them: their lengths, and what they cost.
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
    /// The last stream whose request was taken.
    taken: u32,
    /// Lengths of heads whose streams the crate has reset instead of passing their requests on.
    refused: VecDeque<usize>,
    /// Whether the frames are a backend's: lengths of heads are not noted.
    is_backend: bool,
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
            taken: 0,
            refused: VecDeque::new(),
            is_backend: false,
        }
    }

    /// Of a connection to a backend, which sends no preface.
    pub fn of_backend() -> Self {
        FrameReader { preface: 0, is_backend: true, ..FrameReader::new() }
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
            _ if self.is_backend => {}
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
                self.taken = stream;
                return length;
            }
            self.refuse(of, length);
        }
        self.taken = self.taken.max(stream);
        0
    }

    /// All requests were taken that the crate passes on: the streams of other complete heads were reset.
    pub fn settle(&mut self) {
        let is_reading = self.left > 0 && matches!(self.head[3], HEADERS | CONTINUATION);
        let open = usize::from(self.is_head_open || is_reading);
        while self.heads.len() > open
            && let Some((of, length)) = self.heads.pop_front()
        {
            self.refuse(of, length);
        }
    }

    /// The length of a head whose stream was reset, each once.
    pub fn take_refused(&mut self) -> Option<usize> {
        self.refused.pop_front()
    }

    /// Trailers belong to requests that were taken.
    fn refuse(&mut self, stream: u32, length: usize) {
        if stream > self.taken && self.refused.len() < limits::HTTP2_HEADS {
            self.refused.push_back(length);
        }
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
    fn heads_that_are_not_taken_were_refused() {
        let mut reader = FrameReader::new();
        reader.read(super::super::PREFACE);
        for (stream, length) in [(1, 10), (3, 11), (5, 12), (7, 13)] {
            reader.read(&frame(HEADERS, END_HEADERS, stream, length));
        }
        assert_eq!(reader.take_head(5), 12);
        // Trailers of a stream that was taken, and a head that is still to come.
        reader.read(&frame(HEADERS, END_HEADERS, 5, 14));
        reader.read(&frame(HEADERS, END_HEADERS, 9, 15)[..12]);
        reader.settle();
        let refused: Vec<usize> = std::iter::from_fn(|| reader.take_refused()).collect();
        assert_eq!(refused, [10, 11, 13]);
        reader.read(&frame(HEADERS, END_HEADERS, 9, 15)[12..]);
        assert_eq!(reader.take_head(9), 15);
        reader.read(&frame(HEADERS, 0, 11, 16));
        reader.settle();
        assert_eq!(reader.take_refused(), None);
        reader.read(&frame(CONTINUATION, END_HEADERS, 11, 17));
        reader.settle();
        assert_eq!(reader.take_refused(), Some(33));
        for stream in 0..=u8::MAX {
            reader.read(&frame(HEADERS, END_HEADERS, stream, 1));
            reader.settle();
        }
        assert_eq!(reader.refused.len(), limits::HTTP2_HEADS.min(usize::from(u8::MAX) - 9));
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
