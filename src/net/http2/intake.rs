//! What a client of HTTP/2 sends, made ready for the crate h2.
//!
//! Heads are decoded here: the crate refuses the stream, or even the connection, for much that nginx answers with a status. It gets
//! a head without content for each, and the connection takes the real one by the number of its stream. Bodies are
//! passed on as they come, in frames of the crate's size, so that a client may send larger ones. Frames that nginx takes for errors
//! end the connection for the same reason as there, and those that it leaves out are left out: the crate, which finds its
//! errors while it reads, would lose requests that came before them.

mod head_frames;
mod heads;
mod settings;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use h2::Reason;

pub use self::heads::ReceivedHead;
use self::heads::{OpenHead, WaitingHeads};
use self::settings::NewSettings;
use super::framing::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEAD, HEADERS, NUMBER, PADDED, PING, PRIORITY,
    PRIORITY_UPDATE, PUSH_PROMISE, RST_STREAM, SETTING, SETTINGS, WINDOW_UPDATE, frame, goaway, number,
};
use super::hpack::{Decoder, HeadBounds};
use super::open_streams::{OpenStreams, Receiving};
use super::order::SendOrder;
use super::priority::{NamedPriority, Priority};
use super::violation::Violation;
use crate::limits;

/// Length of a PING's payload, and the least one of GOAWAY's.
const PING_BYTES: usize = 8;
/// Length of a stream's priority.
const PRIORITY_BYTES: usize = 5;
/// Bytes of a payload that are looked at before the rest: padding and priority of a head, or a setting.
const BEGINNING: usize = 1 + PRIORITY_BYTES;

/// The head without content: `GET`, `http` and `/` of HPACK's table.
pub(super) const STUB: [u8; 3] = [0x82, 0x86, 0x84];

/// What becomes of the payload of the frame that is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// It is passed on as it is.
    Passed,
    /// It consists of settings, which are passed on at its end.
    Settings,
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

/// How long a connection takes requests.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Most requests.
    pub requests: u64,
    /// When a request is the last one.
    pub until: Option<Instant>,
}

impl Default for Terms {
    fn default() -> Self {
        Terms { requests: u64::MAX, until: None }
    }
}

/// A stream that the client has reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientReset {
    /// Its number.
    pub stream: u32,
    /// Why.
    pub reason: Reason,
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
    heads: WaitingHeads,
    order: Arc<SendOrder>,
    /// Priorities of streams whose heads have not come.
    early: Vec<(u32, Priority)>,
    /// The priority that is being received.
    update: Vec<u8>,
    streams: OpenStreams,
    /// Whether the present part of a body is dropped.
    drops_body: bool,
    /// Bytes of bodies that were dropped and for which the window was not opened again.
    dropped: u32,
    settings: NewSettings,
    /// Whether the client has acknowledged the server's settings.
    has_acknowledged: bool,
    terms: Terms,
    /// Number of requests so far.
    requests: u64,
    /// Whether the client was told that no further requests are answered.
    is_ending: bool,
    /// The stream of a head that came behind the last one, and whose end is still to come.
    skipped: Option<u32>,
    /// Streams that the client has reset, and its reasons.
    resets: VecDeque<ClientReset>,
    /// Frames for the client that are not the crate's.
    replies: Vec<u8>,
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
            heads: WaitingHeads::default(),
            order: Arc::default(),
            early: Vec::new(),
            update: Vec::new(),
            streams: OpenStreams::default(),
            drops_body: false,
            dropped: 0,
            settings: NewSettings::default(),
            has_acknowledged: false,
            terms: Terms::default(),
            requests: 0,
            is_ending: false,
            skipped: None,
            resets: VecDeque::new(),
            replies: Vec::new(),
        }
    }

    /// Sets how long requests are taken.
    pub(super) fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Tells the client, as nginx does, that requests behind the last one that has come are not answered.
    pub(super) fn leave(&mut self) {
        if std::mem::replace(&mut self.is_ending, true) {
            return;
        }
        goaway(self.last, Reason::NO_ERROR, &mut self.replies);
        // A head that has begun may come once more on another connection.
        let last = self.last;
        if let Some(open) = self.open.take_if(|open| !open.is_late && open.stream > last) {
            let is_last = self.known == HEAD && self.flags() & END_HEADERS != 0;
            self.skipped = Some(open.stream).filter(|_| !is_last);
            if self.known == HEAD {
                self.payload = Payload::Dropped;
            }
        }
    }

    /// Whether the client was told that no further requests are answered.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending
    }

    /// Frames for the client, to be sent between those of the crate.
    pub(super) fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }

    /// The streams that are open.
    pub(super) fn streams(&mut self) -> &mut OpenStreams {
        &mut self.streams
    }

    /// How the client has reset a stream, which is told once.
    pub(super) fn take_reset(&mut self, stream: u32) -> Option<ClientReset> {
        let at = self.resets.iter().position(|reset| reset.stream == stream)?;
        self.resets.remove(at)
    }

    /// A stream was refused, so that it was no request.
    pub(super) fn refused(&mut self) {
        self.requests = self.requests.saturating_sub(1);
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
    pub fn take(&mut self, mut bytes: &[u8], passed: &mut Vec<u8>) -> Result<(), Violation> {
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

    /// Length of the frame's payload.
    fn length(&self) -> usize {
        let [a, b, c, ..] = self.head;
        u32::from_be_bytes([0, a, b, c]) as usize
    }

    /// Begins the frame whose head has come.
    fn begin(&mut self, passed: &mut Vec<u8>) -> Result<(), Violation> {
        let (length, stream, flags) = (self.length(), self.stream(), self.flags());
        let is_continuation = self.kind() == CONTINUATION;
        match &self.open {
            Some(_) if !is_continuation => {
                return Err(Violation::protocol(
                    "client sent inappropriate frame while CONTINUATION was expected",
                ));
            }
            Some(open) if open.stream != stream => {
                return Err(Violation::protocol("client sent CONTINUATION frame with incorrect identifier"));
            }
            None if is_continuation && self.skipped != Some(stream) => {
                return Err(Violation::protocol("client sent unexpected CONTINUATION frame"));
            }
            _ => {}
        }
        (self.left, self.begun, self.needed) = (length, 0, 0);
        let wrong_length =
            |name: &str| Violation::size(format!("client sent {name} frame with incorrect length {length}"));
        let wrong_stream =
            |name: &str| Violation::protocol(format!("client sent {name} frame with incorrect identifier"));
        self.payload = match self.kind() {
            DATA if stream == 0 => return Err(wrong_stream("DATA")),
            DATA => self.begin_body(passed)?,
            HEADERS => self.begin_head()?,
            CONTINUATION if self.open.is_none() => {
                self.skipped = self.skipped.filter(|_| flags & END_HEADERS == 0);
                Payload::Dropped
            }
            CONTINUATION => Payload::Block { padding: 0 },
            PRIORITY if length != PRIORITY_BYTES => return Err(wrong_length("PRIORITY")),
            PRIORITY if stream == 0 => return Err(wrong_stream("PRIORITY")),
            PRIORITY => self.collect(PRIORITY_BYTES),
            PRIORITY_UPDATE if length < NUMBER => return Err(wrong_length("PRIORITY_UPDATE")),
            PRIORITY_UPDATE if stream != 0 => return Err(wrong_stream("PRIORITY_UPDATE")),
            PRIORITY_UPDATE => self.collect(NUMBER),
            // The crate would wait for the rest of it first.
            PUSH_PROMISE => return Err(Violation::protocol("client sent PUSH_PROMISE frame")),
            GOAWAY if length < PING_BYTES => return Err(wrong_length("GOAWAY")),
            GOAWAY if stream != 0 => return Err(wrong_stream("GOAWAY")),
            // The client goes by itself.
            GOAWAY => Payload::Dropped,
            PING if length != PING_BYTES => return Err(wrong_length("PING")),
            PING if stream != 0 => return Err(wrong_stream("PING")),
            // The server sends none that is to be acknowledged.
            PING if flags & ACK != 0 => Payload::Dropped,
            PING => Payload::Passed,
            RST_STREAM if length != NUMBER => return Err(wrong_length("RST_STREAM")),
            RST_STREAM if stream == 0 => return Err(wrong_stream("RST_STREAM")),
            WINDOW_UPDATE if length != NUMBER => return Err(wrong_length("WINDOW_UPDATE")),
            RST_STREAM | WINDOW_UPDATE => self.collect(NUMBER),
            SETTINGS if stream != 0 => return Err(wrong_stream("SETTINGS")),
            SETTINGS if flags & ACK != 0 && length > 0 => {
                return Err(Violation::size(
                    "client sent SETTINGS frame with the ACK flag and nonzero length",
                ));
            }
            // The crate takes a second one for an error.
            SETTINGS if flags & ACK != 0 => match std::mem::replace(&mut self.has_acknowledged, true) {
                true => Payload::Dropped,
                false => Payload::Passed,
            },
            SETTINGS if !length.is_multiple_of(SETTING) => return Err(wrong_length("SETTINGS")),
            SETTINGS => Payload::Settings,
            // As in nginx, unknown frames are skipped, whatever their length.
            _ => Payload::Dropped,
        };
        if self.payload == Payload::Passed {
            passed.extend_from_slice(&self.head);
        }
        Ok(())
    }

    /// Collects the first bytes of a payload.
    fn collect(&mut self, needed: usize) -> Payload {
        self.needed = needed;
        Payload::Beginning
    }

    /// Begins a part of a body. As in nginx, it is left out if its stream has not begun, or is closed.
    fn begin_body(&mut self, passed: &mut Vec<u8>) -> Result<Payload, Violation> {
        let (length, stream, flags) = (self.length(), self.stream(), self.flags());
        let is_padded = flags & PADDED != 0;
        if is_padded && length == 0 {
            return Err(Violation::size("client sent padded DATA frame with incorrect length: 0"));
        }
        let receiving = self.streams.receiving(stream);
        self.drops_body = receiving != Receiving::More;
        match receiving {
            Receiving::More if flags & END_STREAM != 0 => self.streams.received(stream),
            Receiving::NoMore => self.reset(stream, Reason::STREAM_CLOSED, passed),
            Receiving::More | Receiving::Nothing => {}
        }
        if self.drops_body {
            self.dropped += u32::try_from(length).unwrap_or(u32::MAX);
            if u64::from(self.dropped) > limits::HTTP2_WINDOW / 4 {
                frame(WINDOW_UPDATE, 0, 0, &[&self.dropped.to_be_bytes()], &mut self.replies);
                self.dropped = 0;
            }
        }
        // A body that ends without bytes is passed on at once. Those that neither end nor have bytes are nothing.
        if length == 0 && !self.drops_body && flags & END_STREAM != 0 {
            passed.extend_from_slice(&self.head);
        }
        Ok(match is_padded {
            true => self.collect(1),
            false if self.drops_body => Payload::Dropped,
            false => Payload::Body { padding: None },
        })
    }

    /// Resets a stream of the client's: it gets the reason, and the crate a reset by the client.
    fn reset(&mut self, stream: u32, reason: Reason, passed: &mut Vec<u8>) {
        self.streams.cut(stream);
        self.order.reset(stream);
        frame(RST_STREAM, 0, stream, &[&u32::from(Reason::CANCEL).to_be_bytes()], passed);
        frame(RST_STREAM, 0, stream, &[&u32::from(reason).to_be_bytes()], &mut self.replies);
    }

    /// Takes a part of the frame's payload, which is not counted as missing any more.
    fn take_payload(&mut self, part: &[u8], passed: &mut Vec<u8>) -> Result<(), Violation> {
        match self.payload {
            Payload::Passed => passed.extend_from_slice(part),
            Payload::Settings => {
                for byte in part {
                    self.beginning[self.begun] = *byte;
                    self.begun += 1;
                    if self.begun == SETTING {
                        self.begun = 0;
                        self.settings.set(self.beginning, &self.order)?;
                    }
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
                    self.decide(passed)?;
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
                if let Some(open) = &mut self.open {
                    if open.block.len() + block > bound {
                        return Err(Violation::head(Reason::ENHANCE_YOUR_CALM));
                    }
                    open.block.extend_from_slice(&part[..block]);
                }
            }
        }
        Ok(())
    }

    /// Decides what becomes of the rest of a payload whose beginning has come.
    fn decide(&mut self, passed: &mut Vec<u8>) -> Result<(), Violation> {
        let stream = self.stream();
        self.payload = match self.kind() {
            DATA => {
                let [padding, ..] = self.beginning;
                if usize::from(padding) > self.left {
                    let length = self.length();
                    return Err(Violation::protocol(format!(
                        "client sent padded DATA frame with incorrect length: {length}, padding: {padding}"
                    )));
                }
                if self.drops_body { Payload::Dropped } else { Payload::Body { padding: Some(padding) } }
            }
            PRIORITY_UPDATE => {
                // A client has streams with odd numbers.
                let stream = number(&self.beginning);
                if stream.is_multiple_of(2) {
                    return Err(Violation::protocol(
                        "client sent PRIORITY_UPDATE frame for a stream that it cannot have",
                    ));
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
            RST_STREAM => {
                // As in nginx, a reset of a stream that is not open means nothing.
                if self.streams.reset(stream) {
                    let [a, b, c, d, ..] = self.beginning;
                    if self.resets.len() == limits::HTTP2_LOCAL_RESETS {
                        self.resets.pop_front();
                    }
                    let reason = u32::from_be_bytes([a, b, c, d]).into();
                    self.resets.push_back(ClientReset { stream, reason });
                    self.order.reset(stream);
                    frame(RST_STREAM, 0, stream, &[&self.beginning[..NUMBER]], passed);
                }
                Payload::Dropped
            }
            WINDOW_UPDATE => {
                self.open_window(stream, number(&self.beginning), passed)?;
                Payload::Dropped
            }
            PRIORITY => {
                if number(&self.beginning) == stream {
                    return Err(Violation::protocol(format!(
                        "client sent PRIORITY frame for stream {stream} with incorrect dependency"
                    )));
                }
                Payload::Dropped
            }
            _ => self.decide_head()?,
        };
        Ok(())
    }

    /// Opens the window of a stream, or with 0 that of the connection.
    fn open_window(&mut self, stream: u32, bytes: u32, passed: &mut Vec<u8>) -> Result<(), Violation> {
        if bytes == 0 {
            return Err(Violation::protocol(
                "client sent WINDOW_UPDATE frame with incorrect window increment 0",
            ));
        }
        let window = self.order.window();
        if stream == 0 && window + i64::from(bytes) > i64::from(i32::MAX) {
            return Err(Violation::window(format!(
                "client violated connection flow control: received WINDOW_UPDATE frame with window increment {bytes} \
                 not allowed for window {window}"
            )));
        }
        if stream != 0 && !self.streams.is_open(stream) {
            return Ok(());
        }
        if !self.order.open_window(stream, bytes)
            && let Some(head) = self.heads.of(stream)
        {
            head.window = head.window.saturating_add(i64::from(bytes));
        }
        frame(WINDOW_UPDATE, 0, stream, &[&self.beginning[..NUMBER]], passed);
        Ok(())
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
        } else if let Some(head) = self.heads.of(stream) {
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
    fn end_if_complete(&mut self, passed: &mut Vec<u8>) -> Result<(), Violation> {
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
            Payload::Settings => std::mem::take(&mut self.settings).pass(passed),
            _ => {}
        }
        Ok(())
    }

    /// Whether the crate has got whole frames so far, behind which another one may come.
    pub(super) fn is_between_frames(&self) -> bool {
        let is_open = self.payload == Payload::Passed && self.known == HEAD;
        self.preface == 0 && !is_open
    }

    /// Gives back the memory that an idle connection does not need.
    pub fn rest(&mut self) {
        self.heads.rest();
        self.resets = VecDeque::new();
        self.streams.rest();
        self.order.rest();
    }
}

#[cfg(test)]
mod tests;
