//! Output of an HTTP/2 connection that waits to be written.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;

use super::framing::HEAD;
use crate::limits;

thread_local! {
    /// The empty buffer for the next connection that gathers output.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What was gathered. The crate h2 writes every response by itself; gathered, those to requests that came together
/// take one call of the system, and one record of TLS.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Whether it is gathered.
    pub(super) gathers: bool,
    pub(super) bytes: Vec<u8>,
    /// Number of bytes at the beginning that were written.
    pub(super) written: usize,
    /// Where the next write ends: before a reset that follows a response. curl up to 7.88 does not read a response that comes in one
    /// record with the reset of its stream, while it still sends. nginx writes them one by one.
    ends: VecDeque<usize>,
}

impl Output {
    /// Adds the bytes, if there is room for all of them.
    pub(super) fn add(&mut self, bufs: &[IoSlice<'_>], length: usize) -> bool {
        if self.bytes.len() + length > limits::HTTP2_GATHERED {
            return false;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        bufs.iter().for_each(|buf| self.bytes.extend_from_slice(buf));
        true
    }

    /// Lets a write end before a frame whose head ends `behind` bytes before the end.
    pub(super) fn end_before_frame(&mut self, behind: usize) {
        if let Some(end) = self.bytes.len().checked_sub(behind + HEAD) {
            self.ends.push_back(end);
        }
    }

    /// What the next write may take.
    pub(super) fn next(&mut self) -> &[u8] {
        while self.ends.front().is_some_and(|end| *end <= self.written) {
            self.ends.pop_front();
        }
        let end = self.ends.front().copied().unwrap_or(self.bytes.len());
        &self.bytes[self.written..end]
    }

    /// Gives the memory of written output back.
    pub(super) fn rest(&mut self) {
        self.written = 0;
        self.ends.clear();
        self.bytes.clear();
        if self.bytes.capacity() > 0 {
            SPARE.set(std::mem::take(&mut self.bytes));
        }
    }
}
