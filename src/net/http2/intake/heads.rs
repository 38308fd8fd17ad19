//! Heads of requests: those that have begun, and those that the connection has not taken yet.

use std::collections::VecDeque;

use crate::limits;
use crate::net::http2::hpack::Fields;
use crate::net::http2::priority::{self, Priority};

/// A request's head.
#[derive(Debug)]
pub struct ReceivedHead {
    pub(super) stream: u32,
    /// Its fields.
    pub fields: Fields,
    /// Its length as it was sent, in bytes.
    pub length: usize,
    /// Whether it did not come in time, so that it is incomplete: its stream is to be reset.
    pub is_late: bool,
    /// The priority that a frame of its own gave it.
    pub(super) priority: Option<Priority>,
    /// Bytes by which its window was opened.
    pub(super) window: i64,
}

impl ReceivedHead {
    pub(super) fn new(open: &OpenHead, fields: Fields, length: usize) -> ReceivedHead {
        let (stream, is_late) = (open.stream, open.is_late);
        ReceivedHead { stream, fields, length, is_late, priority: None, window: 0 }
    }

    /// The priority of its response. As in nginx, a frame of its own counts for more than the field.
    pub(super) fn priority(&self) -> Priority {
        let is_priority = |(name, _): &(&[u8], &[u8])| *name == b"priority";
        self.priority.unwrap_or_else(|| {
            let lines = self.fields.iter().filter(is_priority).map(|(_, value)| value.trim_ascii());
            priority::of_lines(lines).unwrap_or_default().over(Priority::default())
        })
    }
}

/// A head that has begun and not ended.
#[derive(Debug)]
pub(super) struct OpenHead {
    pub(super) stream: u32,
    pub(super) ends_stream: bool,
    pub(super) block: Vec<u8>,
    /// Whether the connection has given it up.
    pub(super) is_late: bool,
    /// Its fields before the one that could not be decoded.
    pub(super) failed: Option<Fields>,
}

impl OpenHead {
    pub(super) fn new(stream: u32, ends_stream: bool) -> OpenHead {
        OpenHead { stream, ends_stream, block: Vec::new(), is_late: false, failed: None }
    }
}

/// Heads that the connection has not taken yet, in the order of their streams. The oldest ones are dropped at
/// [`limits::HTTP2_HEADS`] and [`limits::HTTP2_HEADS_BYTES`].
#[derive(Debug, Default)]
pub(super) struct WaitingHeads {
    heads: VecDeque<ReceivedHead>,
    /// Bytes of their fields.
    pub(super) bytes: usize,
}

impl WaitingHeads {
    /// The head of a stream.
    pub(super) fn of(&mut self, stream: u32) -> Option<&mut ReceivedHead> {
        let at = self.heads.binary_search_by_key(&stream, |head| head.stream).ok()?;
        self.heads.get_mut(at)
    }

    pub(super) fn push(&mut self, head: ReceivedHead) {
        self.bytes += head.fields.size();
        self.heads.push_back(head);
        while self.heads.len() > limits::HTTP2_HEADS || self.bytes > limits::HTTP2_HEADS_BYTES {
            let Some(oldest) = self.heads.pop_front() else { break };
            self.bytes -= oldest.fields.size();
        }
    }

    /// Takes the head of a stream. Those of streams before it, which were refused, are dropped.
    pub(super) fn take(&mut self, stream: u32) -> Option<ReceivedHead> {
        while self.heads.front().is_some_and(|head| head.stream <= stream) {
            let head = self.heads.pop_front()?;
            self.bytes -= head.fields.size();
            if head.stream == stream {
                return Some(head);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Gives back the memory of an empty queue.
    pub(super) fn rest(&mut self) {
        if self.heads.is_empty() {
            self.heads = VecDeque::new();
        }
    }
}
