//! Frames of heads: HEADERS and CONTINUATION.

use std::time::Instant;

use super::super::framing::{END_HEADERS, END_STREAM, HAS_PRIORITY, HEAD, HEADERS, PADDED, frame, number};
use super::super::hpack::Fields;
use super::super::open_streams::Receiving;
use super::super::priority::Priority;
use super::super::violation::Violation;
use super::heads::{OpenHead, ReceivedHead};
use super::{Intake, PRIORITY_BYTES, Payload, STUB, Terms};

impl Intake {
    /// Begins a head, or the trailers of a body.
    pub(super) fn begin_head(&mut self) -> Result<Payload, Violation> {
        let (length, stream, flags) = (self.length(), self.stream(), self.flags());
        let is_new = stream > self.last;
        let are_trailers = self.streams.receiving(stream) == Receiving::More || self.streams.was_cut(stream);
        if self.is_ending && !are_trailers {
            self.skipped = Some(stream).filter(|_| flags & END_HEADERS == 0);
            return Ok(Payload::Dropped);
        }
        let needed =
            usize::from(flags & PADDED != 0) + PRIORITY_BYTES * usize::from(flags & HAS_PRIORITY != 0);
        if needed > length {
            return Err(Violation::size(format!("client sent HEADERS frame with incorrect length {length}")));
        }
        if is_new && needed == length {
            return Err(Violation::size("client sent HEADERS frame with empty header block"));
        }
        if stream.is_multiple_of(2) || !(is_new || are_trailers) {
            let last = self.last;
            let text =
                format!("client sent HEADERS frame with incorrect identifier {stream}, the last was {last}");
            return Err(Violation::protocol(text));
        }
        if needed > 0 {
            return Ok(self.collect(needed));
        }
        self.open = Some(OpenHead::new(stream, flags & END_STREAM != 0));
        Ok(Payload::Block { padding: 0 })
    }

    /// Begins the block of a head whose padding and priority have come.
    pub(super) fn decide_head(&mut self) -> Result<Payload, Violation> {
        let (stream, flags, left) = (self.stream(), self.flags(), self.left);
        let has_padding = flags & PADDED != 0;
        let padding = if has_padding { self.beginning[0] } else { 0 };
        if usize::from(padding) > left {
            return Err(Violation::protocol(format!(
                "client sent padded HEADERS frame with incorrect length: {left}, padding: {padding}"
            )));
        }
        if flags & HAS_PRIORITY != 0 && number(&self.beginning[usize::from(has_padding)..]) == stream {
            return Err(Violation::protocol(format!(
                "client sent HEADERS frame for stream {stream} with incorrect dependency"
            )));
        }
        if usize::from(padding) == left && stream > self.last {
            return Err(Violation::size("client sent header block with incorrect length"));
        }
        self.open = Some(OpenHead::new(stream, flags & END_STREAM != 0));
        Ok(Payload::Block { padding })
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
        head.priority = self.early.iter().find(|(stream, _)| *stream == of).map(|(_, early)| *early);
        // Streams that were left out are closed.
        self.early.retain(|(stream, _)| *stream > of);
        self.heads.push(head);
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
        let head = self.heads.take(stream);
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
}
