//! Bodies of requests that are passed on part by part: how far they are read, and where they go.

use std::fmt::Debug;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

/// Reads a body part by part. As in nginx, a part is all that was received at a time, by a buffer of a certain size.
#[derive(Debug)]
pub struct PartReader {
    /// Size of the buffer, in bytes.
    pub(super) size: usize,
    /// Bytes of it that are in use.
    pub(super) filled: usize,
    /// Length of the longest body without a length, in bytes.
    pub(super) most: u64,
    /// Time between two reads.
    pub(super) patience: Duration,
    /// Bytes that `$request_length` is still to count.
    pub(super) length: usize,
}

/// What a body is passed on to.
pub trait BodySink: Debug + Send + Sync {
    /// Takes a part. All before it must have been passed on.
    fn put(&mut self, part: Bytes);

    /// Takes the end of the body, as [`BodySink::put`] takes a part.
    fn end(&mut self);

    /// Resolves when all that was put is passed on: whether more is wanted.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}

/// The rest of a body, which is passed on beside the response.
#[derive(Debug)]
pub struct RestOfBody {
    pub(super) sink: Box<dyn BodySink>,
    pub(super) parts: PartReader,
    /// Whether all was received.
    pub(super) is_received: bool,
    /// Whether nothing more is passed on.
    pub(super) is_over: bool,
}

impl RestOfBody {
    /// The rest of a body of which `parts` has read the beginning.
    pub fn new(sink: Box<dyn BodySink>, parts: PartReader) -> RestOfBody {
        RestOfBody { sink, parts, is_received: false, is_over: false }
    }

    /// Whether nothing more is passed on.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}
