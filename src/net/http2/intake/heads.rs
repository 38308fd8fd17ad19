//! Heads of requests: those that have begun, and those that the connection has not taken yet.

use std::time::Instant;

use super::{Intake, Payload, STUB, Terms};
use crate::limits;
use crate::net::http2::framing::{END_HEADERS, END_STREAM, HEAD, HEADERS, frame};
use crate::net::http2::hpack::{Fields, HeadBounds};
use crate::net::http2::open_streams::Receiving;
use crate::net::http2::priority::{self, Priority};
use crate::net::http2::violation::Violation;

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
    fn new(open: &OpenHead, fields: Fields, length: usize) -> ReceivedHead {
        let (stream, is_late) = (open.stream, open.is_late);
        ReceivedHead { stream, fields, length, is_late, priority: None, window: 0 }
    }

    /// The priority of its response. As in nginx, a frame of its own counts for more than the field.
    fn priority(&self) -> Priority {
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

impl Intake {
    /// The head of a stream, if it was not taken yet.
    pub(super) fn waiting_head(&mut self, stream: u32) -> Option<&mut ReceivedHead> {
        let at = self.heads.binary_search_by_key(&stream, |head| head.stream).ok()?;
        self.heads.get_mut(at)
    }

    /// Decodes a head that is complete.
    pub(super) fn end_head(&mut self, open: &mut OpenHead, passed: &mut Vec<u8>) -> Result<(), Violation> {
        let (stream, is_new) = (open.stream, open.stream > self.last);
        if self.is_ending && is_new && !open.is_late {
            return Ok(());
        }
        // No later head refers to one that comes at the end, when some were skipped.
        if !self.is_ending {
            let mut fields = Fields::default();
            if let Err(reason) = self.decoder.decode_into(&open.block, &self.bounds, &mut fields) {
                open.failed = Some(fields);
                return Err(Violation::head(reason));
            }
            if is_new && !open.is_late {
                self.add_head(ReceivedHead::new(open, fields, open.block.len()), open.ends_stream);
            }
        }
        if open.is_late {
            return Ok(());
        }
        let flags = END_HEADERS | if open.ends_stream { END_STREAM } else { 0 };
        if is_new {
            frame(HEADERS, flags, stream, &[&STUB], passed);
        } else if self.streams.receiving(stream) == Receiving::More {
            // What comes behind the head of a stream are trailers, of which nothing is used.
            frame(HEADERS, flags, stream, &[], passed);
            if open.ends_stream {
                self.streams.received(stream);
            }
        }
        Ok(())
    }

    fn add_head(&mut self, mut head: ReceivedHead, ends_stream: bool) {
        let of = head.stream;
        self.last = of;
        self.requests += 1;
        self.streams.begin(of, ends_stream);
        self.heads_bytes += head.fields.size();
        head.priority = self.early.iter().find(|(stream, _)| *stream == of).map(|(_, early)| *early);
        // Streams that were left out are closed.
        self.early.retain(|(stream, _)| *stream > of);
        self.heads.push_back(head);
        while self.heads.len() > limits::HTTP2_HEADS || self.heads_bytes > limits::HTTP2_HEADS_BYTES {
            let Some(oldest) = self.heads.pop_front() else { break };
            self.heads_bytes -= oldest.fields.size();
        }
        let Terms { requests, until } = self.terms;
        if self.requests >= requests || until.is_some_and(|until| Instant::now() > until) {
            self.leave();
        }
    }

    /// Gives up a head that has begun and not ended; appends what the crate gets for it. False if there is none.
    pub(in super::super) fn give_up_head(&mut self, passed: &mut Vec<u8>) -> bool {
        let (last, is_ending) = (self.last, self.is_ending);
        let Some(mut open) = self.open.take_if(|open| !open.is_late && !is_ending && open.stream > last)
        else {
            return false;
        };
        open.is_late = true;
        let flags = END_HEADERS | if open.ends_stream { END_STREAM } else { 0 };
        frame(HEADERS, flags, open.stream, &[&STUB], passed);
        self.add_head(self.beginning_of(&open), open.ends_stream);
        // What comes of it still is decoded, because later heads may refer to it.
        self.open = Some(open);
        true
    }

    /// What has come of a request's head that has begun and was neither ended nor given up.
    pub fn incomplete_head(&self) -> Option<ReceivedHead> {
        let is_awaited = |open: &&OpenHead| !open.is_late && !self.is_ending && open.stream > self.last;
        let open = self.open.as_ref().filter(is_awaited)?;
        Some(self.beginning_of(open))
    }

    /// What has come of the head that has begun.
    fn beginning_of(&self, open: &OpenHead) -> ReceivedHead {
        // As in nginx, a frame that has begun counts with its whole length.
        let missing = match self.payload {
            Payload::Block { padding } if self.known == HEAD => self.left.saturating_sub(padding.into()),
            _ => 0,
        };
        let fields = match &open.failed {
            Some(fields) => fields.clone(),
            None => self.decoder.decode_beginning(&open.block, &self.bounds),
        };
        ReceivedHead::new(open, fields, open.block.len() + missing)
    }

    /// Whether a head has begun and not ended.
    pub(in super::super) fn has_open_head(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a head has begun that was given up, or is not answered.
    pub(in super::super) fn has_late_head(&self) -> bool {
        let is_late = |open: &OpenHead| open.is_late || (self.is_ending && open.stream > self.last);
        self.skipped.is_some() || self.open.as_ref().is_some_and(is_late)
    }

    /// The head of a stream's request, which then is one of the streams that send. Those of streams before it, which were refused,
    /// are forgotten.
    pub fn take_head(&mut self, stream: u32) -> Option<ReceivedHead> {
        let head = self.take_front(stream);
        let (priority, window) = match &head {
            Some(head) => (head.priority(), head.window),
            None => (Priority::default(), 0),
        };
        if !head.as_ref().is_some_and(|head| head.is_late) {
            self.order.begin(stream, priority, window);
        }
        head
    }

    /// Number of heads that were not taken yet.
    pub(in super::super) fn waiting_heads(&self) -> usize {
        self.heads.len()
    }

    fn take_front(&mut self, stream: u32) -> Option<ReceivedHead> {
        while self.heads.front().is_some_and(|head| head.stream <= stream) {
            let head = self.heads.pop_front()?;
            self.heads_bytes -= head.fields.size();
            if head.stream == stream {
                return Some(head);
            }
        }
        None
    }
}

impl HeadBounds {
    /// Most bytes of a head as it is sent: its fields, and what encodes them. Codes of rare bytes are long.
    pub(super) fn block_bytes(&self) -> usize {
        const LONGEST_CODE: usize = 4;
        self.head.saturating_add(self.fields).saturating_mul(LONGEST_CODE)
    }
}
