//! What a client of HTTP/2 sends, made ready for the crate h2.
//!
//! Heads are decoded here: the crate refuses the stream, or even the connection, for much that nginx answers with a status. It gets
//! a head without content for each, and the connection takes the real one by the number of its stream. Bodies are
//! passed on as they come, in frames of the crate's size, so that a client may send larger ones. Frames that nginx takes for errors
//! end the connection for the same reason as there.

use std::collections::VecDeque;
use std::sync::Arc;

use h2::Reason;

use super::framing::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEAD, HEADERS,
    INITIAL_WINDOW_SIZE, NO_RFC7540_PRIORITIES, NUMBER, PADDED, PING, PRIORITY, PRIORITY_UPDATE,
    PUSH_PROMISE, RST_STREAM, SETTING, SETTINGS, WINDOW_UPDATE, frame, number,
};
use super::hpack::{Decoder, Fields, HeadBounds};
use super::order::SendOrder;
use super::priority::{self, NamedPriority, Priority};
use crate::limits;

/// Length of a PING's payload, and the least one of GOAWAY's.
const PING_BYTES: usize = 8;
/// Length of a stream's priority.
const PRIORITY_BYTES: usize = 5;
/// Bytes of a payload that are looked at before the rest: padding and priority of a head, or a setting.
const BEGINNING: usize = 1 + PRIORITY_BYTES;

/// The head without content: `GET`, `http` and `/` of HPACK's table.
pub(super) const STUB: [u8; 3] = [0x82, 0x86, 0x84];

/// A request's head.
#[derive(Debug)]
pub struct ReceivedHead {
    stream: u32,
    /// Its fields.
    pub fields: Fields,
    /// Its length as it was sent, in bytes.
    pub length: usize,
    /// Whether it did not come in time, so that it is incomplete: its stream is to be reset.
    pub is_late: bool,
    /// The priority that a frame of its own gave it.
    priority: Option<Priority>,
    /// Bytes by which its window was opened.
    window: i64,
}

impl OpenHead {
    fn new(stream: u32, ends_stream: bool) -> OpenHead {
        OpenHead { stream, ends_stream, block: Vec::new(), is_late: false, failed: None }
    }
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

/// What becomes of the payload of the frame that is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// It is passed on as it is.
    Passed,
    /// It is passed on, and looked at in pieces of the length of `beginning`.
    Watched,
    /// It is dropped.
    Dropped,
    /// Its first bytes are collected before it is decided.
    Beginning,
    /// It is a part of a body, with padding of this length behind it.
    Body { padding: Option<u8> },
    /// It is a part of a head, with padding of this length behind it.
    Block { padding: u8 },
    /// It is the priority of this stream.
    Update { stream: u32 },
}

/// A head that has begun and not ended.
#[derive(Debug)]
struct OpenHead {
    stream: u32,
    ends_stream: bool,
    block: Vec<u8>,
    /// Whether the connection has given it up.
    is_late: bool,
    /// Its fields before the one that could not be decoded.
    failed: Option<Fields>,
}

/// The frames of a connection, behind its preface.
#[derive(Debug)]
pub struct Intake {
    bounds: HeadBounds,
    /// Bytes of the preface that are still to come.
    preface: usize,
    head: [u8; HEAD],
    known: usize,
    payload: Payload,
    /// Bytes of the payload that are still to come.
    left: usize,
    beginning: [u8; BEGINNING],
    begun: usize,
    /// Number of bytes that `beginning` needs.
    needed: usize,
    open: Option<OpenHead>,
    decoder: Decoder,
    /// The last stream whose head has come.
    last: u32,
    /// Heads that were not taken yet.
    heads: VecDeque<ReceivedHead>,
    heads_bytes: usize,
    order: Arc<SendOrder>,
    /// Priorities of streams whose heads have not come.
    early: Vec<(u32, Priority)>,
    /// The priority that is being received.
    update: Vec<u8>,
}

impl Intake {
    /// Of a connection that begins with its preface.
    pub fn new(bounds: HeadBounds) -> Self {
        Intake {
            bounds,
            preface: super::PREFACE.len(),
            head: [0; HEAD],
            known: 0,
            payload: Payload::Dropped,
            left: 0,
            beginning: [0; BEGINNING],
            begun: 0,
            needed: 0,
            open: None,
            decoder: Decoder::new(),
            last: 0,
            heads: VecDeque::new(),
            heads_bytes: 0,
            order: Arc::default(),
            early: Vec::new(),
            update: Vec::new(),
        }
    }

    /// The order in which the connection's streams send.
    pub(super) fn order(&self) -> &Arc<SendOrder> {
        &self.order
    }

    /// Takes bytes that the client has sent, and appends what the crate gets.
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn take(&mut self, mut bytes: &[u8], passed: &mut Vec<u8>) -> Result<(), Reason> {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        passed.extend_from_slice(&bytes[..preface]);
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.known < HEAD {
                let taken = (HEAD - self.known).min(bytes.len());
                self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
                self.known += taken;
                bytes = &bytes[taken..];
                if self.known == HEAD {
                    self.begin(passed)?;
                    self.end_if_complete(passed)?;
                }
                continue;
            }
            let taken = match self.payload {
                Payload::Beginning => (self.needed - self.begun).min(bytes.len()),
                _ => self.left.min(bytes.len()),
            };
            let (part, rest) = bytes.split_at(taken);
            bytes = rest;
            self.left -= taken;
            self.take_payload(part, passed)?;
            self.end_if_complete(passed)?;
        }
        Ok(())
    }

    fn kind(&self) -> u8 {
        self.head[3]
    }

    fn flags(&self) -> u8 {
        self.head[4]
    }

    fn stream(&self) -> u32 {
        number(&self.head[5..])
    }

    /// Begins the frame whose head has come.
    fn begin(&mut self, passed: &mut Vec<u8>) -> Result<(), Reason> {
        let [a, b, c, ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream = self.stream();
        let flags = self.flags();
        match &self.open {
            Some(open) if self.kind() != CONTINUATION || open.stream != stream => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            None if self.kind() == CONTINUATION => return Err(Reason::PROTOCOL_ERROR),
            _ => {}
        }
        (self.left, self.begun, self.needed) = (length, 0, 0);
        let is_padded = usize::from(flags & PADDED != 0);
        self.payload = match self.kind() {
            DATA if is_padded == 1 => {
                self.needed = 1;
                Payload::Beginning
            }
            DATA => Payload::Body { padding: None },
            HEADERS => {
                let ends_stream = flags & END_STREAM != 0;
                self.open = Some(OpenHead::new(stream, ends_stream));
                self.needed = is_padded + PRIORITY_BYTES * usize::from(flags & HAS_PRIORITY != 0);
                if self.needed == 0 { Payload::Block { padding: 0 } } else { Payload::Beginning }
            }
            CONTINUATION => Payload::Block { padding: 0 },
            PRIORITY => {
                self.needed = PRIORITY_BYTES;
                if length != PRIORITY_BYTES {
                    return Err(Reason::FRAME_SIZE_ERROR);
                }
                if stream == 0 {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                Payload::Beginning
            }
            PRIORITY_UPDATE => {
                self.needed = NUMBER;
                if stream != 0 {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                Payload::Beginning
            }
            // The crate would wait for the rest of it first.
            PUSH_PROMISE => return Err(Reason::PROTOCOL_ERROR),
            GOAWAY if length < PING_BYTES => return Err(Reason::FRAME_SIZE_ERROR),
            // The crate has another reason for these.
            PING if length != PING_BYTES => return Err(Reason::FRAME_SIZE_ERROR),
            RST_STREAM | WINDOW_UPDATE if length != NUMBER => return Err(Reason::FRAME_SIZE_ERROR),
            SETTINGS if flags & ACK != 0 && length > 0 => return Err(Reason::FRAME_SIZE_ERROR),
            SETTINGS if !length.is_multiple_of(SETTING) => return Err(Reason::FRAME_SIZE_ERROR),
            // As in nginx, unknown frames are skipped, whatever their length.
            kind if kind > CONTINUATION => Payload::Dropped,
            _ if length as u64 > limits::HTTP2_FRAME => return Err(Reason::FRAME_SIZE_ERROR),
            SETTINGS if stream == 0 => Payload::Watched,
            WINDOW_UPDATE => Payload::Watched,
            RST_STREAM => {
                self.order.reset(stream);
                Payload::Passed
            }
            _ => Payload::Passed,
        };
        if self.needed > length {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if matches!(self.payload, Payload::Passed | Payload::Watched) {
            passed.extend_from_slice(&self.head);
        }
        // A body without bytes is passed on at once.
        if length == 0 && matches!(self.payload, Payload::Body { .. }) {
            passed.extend_from_slice(&self.head);
        }
        Ok(())
    }

    /// Takes a part of the frame's payload, which is not counted as missing any more.
    fn take_payload(&mut self, part: &[u8], passed: &mut Vec<u8>) -> Result<(), Reason> {
        match self.payload {
            Payload::Passed => passed.extend_from_slice(part),
            Payload::Watched => {
                passed.extend_from_slice(part);
                for byte in part {
                    self.watch(*byte)?;
                }
            }
            Payload::Dropped => {}
            Payload::Update { stream } => {
                self.update.extend_from_slice(part);
                if self.left == 0 {
                    self.prioritize(stream);
                }
            }
            Payload::Beginning => {
                self.beginning[self.begun..self.begun + part.len()].copy_from_slice(part);
                self.begun += part.len();
                if self.begun == self.needed {
                    self.decide()?;
                }
            }
            Payload::Body { padding } => {
                let padded = padding.map_or(0, usize::from);
                // What is behind the body of this part is padding.
                let body = part.len() - padded.saturating_sub(self.left).min(part.len());
                let is_last = self.left == 0 && padding.is_none();
                self.pass_body(&part[..body], is_last, passed);
            }
            Payload::Block { padding } => {
                let block = part.len() - usize::from(padding).saturating_sub(self.left).min(part.len());
                let bound = self.bounds.block_bytes();
                let open = self.open.as_mut().ok_or(Reason::PROTOCOL_ERROR)?;
                if open.block.len() + block > bound {
                    return Err(Reason::ENHANCE_YOUR_CALM);
                }
                open.block.extend_from_slice(&part[..block]);
            }
        }
        Ok(())
    }

    /// Decides what becomes of the rest of a payload whose beginning has come.
    fn decide(&mut self) -> Result<(), Reason> {
        let [first, ..] = self.beginning;
        let has_padding = self.flags() & PADDED != 0 && matches!(self.kind(), DATA | HEADERS);
        let padding = if has_padding { first } else { 0 };
        if usize::from(padding) > self.left {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let stream = self.stream();
        self.payload = match self.kind() {
            DATA => Payload::Body { padding: Some(padding) },
            PRIORITY_UPDATE => {
                // A client has streams with odd numbers.
                let stream = number(&self.beginning);
                if stream.is_multiple_of(2) {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                match self.left {
                    // An empty value names nothing, so that the usual one counts.
                    0 => {
                        self.prioritize(stream);
                        Payload::Dropped
                    }
                    1..=limits::HTTP2_PRIORITY_BYTES => Payload::Update { stream },
                    _ => Payload::Dropped,
                }
            }
            kind => {
                let depends_at = usize::from(has_padding);
                let has_priority = kind == PRIORITY || self.flags() & HAS_PRIORITY != 0;
                if has_priority && number(&self.beginning[depends_at..]) == stream {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                if kind == PRIORITY { Payload::Dropped } else { Payload::Block { padding } }
            }
        };
        Ok(())
    }

    /// Looks at a byte of what is passed on.
    fn watch(&mut self, byte: u8) -> Result<(), Reason> {
        self.beginning[self.begun] = byte;
        self.begun += 1;
        match self.kind() {
            SETTINGS if self.begun == SETTING => {
                self.begun = 0;
                let [a, b, value @ ..] = self.beginning;
                match (u16::from_be_bytes([a, b]), u32::from_be_bytes(value)) {
                    (INITIAL_WINDOW_SIZE, window) => self.order.set_first_window(window),
                    (NO_RFC7540_PRIORITIES, 2..) => return Err(Reason::PROTOCOL_ERROR),
                    _ => {}
                }
            }
            WINDOW_UPDATE if self.begun == NUMBER => {
                self.begun = 0;
                let (stream, bytes) = (self.stream(), number(&self.beginning));
                if !self.order.open_window(stream, bytes)
                    && let Some(head) = self.waiting_head(stream)
                {
                    head.window = head.window.saturating_add(i64::from(bytes));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The head of a stream, if it was not taken yet.
    fn waiting_head(&mut self, stream: u32) -> Option<&mut ReceivedHead> {
        let at = self.heads.binary_search_by_key(&stream, |head| head.stream).ok()?;
        self.heads.get_mut(at)
    }

    /// Gives a stream the priority that has come. As in nginx, a malformed one changes nothing.
    fn prioritize(&mut self, stream: u32) {
        let named = NamedPriority::read(&self.update);
        self.update = Vec::new();
        let Some(named) = named else { return };
        // It is complete: what it does not name is as usual (RFC 9218 §7.1).
        let priority = named.over(Priority::default());
        if stream > self.last {
            self.early.retain(|(early, _)| *early != stream);
            if self.early.len() == limits::HTTP2_EARLY_PRIORITIES {
                self.early.remove(0);
            }
            self.early.push((stream, priority));
        } else if let Some(head) = self.waiting_head(stream) {
            head.priority = Some(priority);
        } else {
            self.order.prioritize(stream, priority);
        }
    }

    /// Passes a part of a body on, in frames of the crate's size.
    fn pass_body(&self, body: &[u8], is_last: bool, passed: &mut Vec<u8>) {
        let largest = usize::try_from(limits::HTTP2_FRAME).unwrap_or(usize::MAX);
        let mut rest = body;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(largest));
            rest = after;
            let flags = if is_last && rest.is_empty() { self.flags() & END_STREAM } else { 0 };
            frame(DATA, flags, self.stream(), &[part], passed);
        }
    }

    /// Ends the frame, if all of it has come.
    fn end_if_complete(&mut self, passed: &mut Vec<u8>) -> Result<(), Reason> {
        if self.left > 0 || self.payload == Payload::Beginning {
            return Ok(());
        }
        self.known = 0;
        match self.payload {
            // The padding counts for the window.
            Payload::Body { padding: Some(padding) } => {
                let zeros = [0; u8::MAX as usize];
                let padded: [&[u8]; 2] = [&[padding], &zeros[..usize::from(padding)]];
                frame(DATA, PADDED | self.flags() & END_STREAM, self.stream(), &padded, passed);
            }
            Payload::Block { .. } if self.flags() & END_HEADERS != 0 => {
                if let Some(mut open) = self.open.take()
                    && let Err(reason) = self.end_head(&mut open, passed)
                {
                    self.open = Some(open);
                    return Err(reason);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Decodes a head that is complete.
    fn end_head(&mut self, open: &mut OpenHead, passed: &mut Vec<u8>) -> Result<(), Reason> {
        let mut fields = Fields::default();
        if let Err(reason) = self.decoder.decode_into(&open.block, &self.bounds, &mut fields) {
            open.failed = Some(fields);
            return Err(reason);
        }
        let flags = END_HEADERS | if open.ends_stream { END_STREAM } else { 0 };
        if open.is_late {
            return Ok(());
        }
        // What comes behind the head of a stream are trailers, of which nothing is used.
        if open.stream <= self.last {
            frame(HEADERS, flags, open.stream, &[], passed);
            return Ok(());
        }
        self.add_head(ReceivedHead::new(open, fields, open.block.len()));
        frame(HEADERS, flags, open.stream, &[&STUB], passed);
        Ok(())
    }

    fn add_head(&mut self, mut head: ReceivedHead) {
        let of = head.stream;
        self.last = of;
        self.heads_bytes += head.fields.size();
        head.priority = self.early.iter().find(|(stream, _)| *stream == of).map(|(_, early)| *early);
        // Streams that were left out are closed.
        self.early.retain(|(stream, _)| *stream > of);
        self.heads.push_back(head);
        while self.heads.len() > limits::HTTP2_HEADS || self.heads_bytes > limits::HTTP2_HEADS_BYTES {
            let Some(oldest) = self.heads.pop_front() else { break };
            self.heads_bytes -= oldest.fields.size();
        }
    }

    /// Gives up a head that has begun and not ended; appends what the crate gets for it. False if there is none.
    pub(super) fn give_up_head(&mut self, passed: &mut Vec<u8>) -> bool {
        let last = self.last;
        let Some(mut open) = self.open.take_if(|open| !open.is_late && open.stream > last) else {
            return false;
        };
        open.is_late = true;
        let flags = END_HEADERS | if open.ends_stream { END_STREAM } else { 0 };
        frame(HEADERS, flags, open.stream, &[&STUB], passed);
        self.add_head(self.beginning_of(&open));
        // What comes of it still is decoded, because later heads may refer to it.
        self.open = Some(open);
        true
    }

    /// What has come of a request's head that has begun and was neither ended nor given up.
    pub fn incomplete_head(&self) -> Option<ReceivedHead> {
        let open = self.open.as_ref().filter(|open| !open.is_late && open.stream > self.last)?;
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
    pub(super) fn has_open_head(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a head has begun that was given up.
    pub(super) fn has_late_head(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.is_late)
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
    pub(super) fn waiting_heads(&self) -> usize {
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

    /// Whether the crate has got whole frames so far, behind which another one may come.
    pub(super) fn is_between_frames(&self) -> bool {
        let is_open = matches!(self.payload, Payload::Passed | Payload::Watched) && self.known == HEAD;
        self.preface == 0 && !is_open
    }

    /// Gives back the memory that an idle connection does not need.
    pub fn rest(&mut self) {
        if self.heads.is_empty() {
            self.heads = VecDeque::new();
        }
        self.order.rest();
    }
}

impl HeadBounds {
    /// Most bytes of a head as it is sent: its fields, and what encodes them. Codes of rare bytes are long.
    fn block_bytes(&self) -> usize {
        const LONGEST_CODE: usize = 4;
        self.head.saturating_add(self.fields).saturating_mul(LONGEST_CODE)
    }
}

#[cfg(test)]
mod tests;
