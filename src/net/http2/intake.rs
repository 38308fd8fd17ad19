//! What a client of HTTP/2 sends, made ready for the crate h2.
//!
//! Heads are decoded here: the crate refuses the stream, or even the connection, for much that nginx answers with a status. It gets
//! a head without content for each, and the connection takes the real one by the number of its stream. Bodies are
//! passed on as they come, in frames of the crate's size, so that a client may send larger ones. Frames that nginx takes for errors
//! end the connection for the same reason as there.

use std::collections::VecDeque;

use h2::Reason;

use super::hpack::{Decoder, Fields, HeadBounds};
use crate::limits;

/// Length of the head of a frame.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `PRIORITY_UPDATE` (RFC 9218).
const PRIORITY_UPDATE: u8 = 0x10;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// Length of a stream's priority.
const PRIORITY_BYTES: usize = 5;
/// Bytes of a payload that are looked at before the rest: padding and priority of a head.
const BEGINNING: usize = 1 + PRIORITY_BYTES;

/// The head without content: `GET`, `http` and `/` of HPACK's table.
const STUB: [u8; 3] = [0x82, 0x86, 0x84];

/// A request's head.
#[derive(Debug)]
pub struct ReceivedHead {
    stream: u32,
    /// Its fields.
    pub fields: Fields,
    /// Its length as it was sent, in bytes.
    pub length: usize,
}

/// What becomes of the payload of the frame that is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// It is passed on as it is.
    Passed,
    /// It is dropped.
    Dropped,
    /// Its first bytes are collected before it is decided.
    Beginning,
    /// It is a part of a body, with padding of this length behind it.
    Body { padding: Option<u8> },
    /// It is a part of a head, with padding of this length behind it.
    Block { padding: u8 },
}

/// A head that has begun and not ended.
#[derive(Debug)]
struct OpenHead {
    stream: u32,
    ends_stream: bool,
    block: Vec<u8>,
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
        }
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
        (self.left, self.begun, self.needed) = (length, 0, 0);
        let stream = self.stream();
        let flags = self.flags();
        match &self.open {
            Some(open) if self.kind() != CONTINUATION || open.stream != stream => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            None if self.kind() == CONTINUATION => return Err(Reason::PROTOCOL_ERROR),
            _ => {}
        }
        let is_padded = usize::from(flags & PADDED != 0);
        self.payload = match self.kind() {
            DATA if is_padded == 1 => {
                self.needed = 1;
                Payload::Beginning
            }
            DATA => Payload::Body { padding: None },
            HEADERS => {
                self.open =
                    Some(OpenHead { stream, ends_stream: flags & END_STREAM != 0, block: Vec::new() });
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
                self.needed = 4;
                if stream != 0 {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                Payload::Beginning
            }
            GOAWAY if length < 8 => return Err(Reason::FRAME_SIZE_ERROR),
            // As in nginx, unknown frames are skipped, whatever their length.
            kind if kind > CONTINUATION => Payload::Dropped,
            _ if length as u64 > limits::HTTP2_FRAME => return Err(Reason::FRAME_SIZE_ERROR),
            _ => Payload::Passed,
        };
        if self.needed > length {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if self.payload == Payload::Passed {
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
            Payload::Dropped => {}
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
                if number(&self.beginning).is_multiple_of(2) {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                Payload::Dropped
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
                if let Some(open) = self.open.take() {
                    self.end_head(open, passed)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Decodes a head that is complete.
    fn end_head(&mut self, open: OpenHead, passed: &mut Vec<u8>) -> Result<(), Reason> {
        let fields = self.decoder.decode(&open.block, &self.bounds)?;
        let flags = END_HEADERS | if open.ends_stream { END_STREAM } else { 0 };
        // What comes behind the head of a stream are trailers, of which nothing is used.
        if open.stream <= self.last {
            frame(HEADERS, flags, open.stream, &[], passed);
            return Ok(());
        }
        self.last = open.stream;
        self.heads_bytes += fields.size();
        self.heads.push_back(ReceivedHead { stream: open.stream, fields, length: open.block.len() });
        while self.heads.len() > limits::HTTP2_HEADS || self.heads_bytes > limits::HTTP2_HEADS_BYTES {
            let Some(oldest) = self.heads.pop_front() else { break };
            self.heads_bytes -= oldest.fields.size();
        }
        frame(HEADERS, flags, open.stream, &[&STUB], passed);
        Ok(())
    }

    /// The head of a stream's request. Those of streams before it, which were refused, are forgotten.
    pub fn take_head(&mut self, stream: u32) -> Option<ReceivedHead> {
        while self.heads.front().is_some_and(|head| head.stream <= stream) {
            let head = self.heads.pop_front()?;
            self.heads_bytes -= head.fields.size();
            if head.stream == stream {
                return Some(head);
            }
        }
        None
    }

    /// Gives back the memory that an idle connection does not need.
    pub fn rest(&mut self) {
        if self.heads.is_empty() {
            self.heads = VecDeque::new();
        }
    }
}

impl HeadBounds {
    /// Most bytes of a head as it is sent: its fields, and what encodes them. Codes of rare bytes are long.
    fn block_bytes(&self) -> usize {
        const LONGEST_CODE: usize = 4;
        self.head.saturating_add(self.fields).saturating_mul(LONGEST_CODE)
    }
}

/// A stream's number, without the bit before it.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff
}

/// Appends a frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[&[u8]], passed: &mut Vec<u8>) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    passed.extend_from_slice(&length[1..]);
    passed.extend_from_slice(&[kind, flags]);
    passed.extend_from_slice(&stream.to_be_bytes());
    payload.iter().for_each(|part| passed.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: HeadBounds = HeadBounds { field: 1000, head: 2000, fields: 50 };

    fn sent(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame(kind, flags, stream, &[payload], &mut bytes);
        bytes
    }

    fn begun() -> Intake {
        let mut intake = Intake::new(BOUNDS);
        let mut passed = Vec::new();
        intake.take(super::super::PREFACE, &mut passed).unwrap();
        assert_eq!(passed, super::super::PREFACE);
        intake
    }

    fn taken(intake: &mut Intake, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Reason> {
        let mut passed = Vec::new();
        for part in bytes.chunks(piece) {
            intake.take(part, &mut passed)?;
        }
        Ok(passed)
    }

    /// Streams, flags and payloads of the DATA frames.
    fn bodies(mut passed: &[u8]) -> Vec<(u32, u8, Vec<u8>)> {
        let mut bodies = Vec::new();
        while let [a, b, c, kind, flags, rest @ ..] = passed {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if *kind == DATA {
                bodies.push((number(rest), *flags, rest[4..4 + length].to_vec()));
            }
            passed = &rest[4 + length..];
        }
        bodies
    }

    #[test]
    fn heads_are_kept_and_the_crate_gets_stubs_however_they_come() {
        let padded = [&[3][..], &[0, 0, 0, 0, 7], &[0x82, 0x84], &[0; 3]].concat();
        let bytes = [
            sent(HEADERS, PADDED | HAS_PRIORITY | END_STREAM, 1, &padded),
            sent(CONTINUATION, 0, 1, &[0x86, 0x40, 1, b'a']),
            sent(CONTINUATION, END_HEADERS, 1, &[1, b'b']),
            sent(HEADERS, END_HEADERS, 3, &[0x83, 0xbe]),
            sent(0x20, 0, 0, &[9; 50]),
            sent(6, 0, 0, &[7; 8]),
            sent(HEADERS, END_HEADERS | END_STREAM, 3, &[0x40, 1, b't', 0]),
        ]
        .concat();
        let expected = [
            sent(HEADERS, END_HEADERS | END_STREAM, 1, &STUB),
            sent(HEADERS, END_HEADERS, 3, &STUB),
            sent(6, 0, 0, &[7; 8]),
            sent(HEADERS, END_HEADERS | END_STREAM, 3, &[]),
        ]
        .concat();
        for piece in 1..=bytes.len() {
            let mut intake = begun();
            assert_eq!(taken(&mut intake, &bytes, piece).unwrap(), expected, "{piece}");
            let names = |head: ReceivedHead| {
                head.fields.iter().map(|(name, _)| name.to_vec()).collect::<Vec<_>>().concat()
            };
            assert_eq!(intake.take_head(1).map(names).unwrap(), b":method:path:schemea");
            assert!(intake.take_head(1).is_none());
            assert_eq!(intake.take_head(3).map(names).unwrap(), b":methoda");
            assert_eq!(intake.heads_bytes, 0);
        }
    }

    #[test]
    fn bodies_are_passed_on_as_they_come_with_their_padding() {
        let body: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
        let padded = [&[200][..], &body[..100], &[0; 200]].concat();
        let bytes = [
            sent(DATA, 0, 1, &body),
            sent(DATA, PADDED, 1, &padded),
            sent(DATA, 0, 1, &[]),
            sent(DATA, PADDED | END_STREAM, 1, &[0]),
            sent(DATA, END_STREAM, 3, b"x"),
        ]
        .concat();
        for piece in [1, 7, 110, 300, 16_384, 50_000] {
            let frames = bodies(&taken(&mut begun(), &bytes, piece).unwrap());
            let (mut of_first, mut padding) = (Vec::new(), Vec::new());
            for (stream, flags, part) in &frames {
                assert!(part.len() as u64 <= limits::HTTP2_FRAME);
                match (*stream, flags & PADDED) {
                    (1, 0) => of_first.extend_from_slice(part),
                    (1, _) => padding.push((part.len(), flags & END_STREAM)),
                    _ => assert_eq!((*flags, &part[..]), (END_STREAM, &b"x"[..])),
                }
            }
            assert!(of_first == [&body[..], &body[..100]].concat(), "{piece}");
            assert_eq!(padding, [(201, 0), (1, END_STREAM)]);
        }
    }

    #[test]
    fn faults_end_the_connection_as_in_nginx() {
        let head = sent(HEADERS, 0, 1, &[0x82]);
        for (what, bytes, reason) in [
            ("a short PRIORITY", sent(PRIORITY, 0, 1, &[0; 4]), Reason::FRAME_SIZE_ERROR),
            ("PRIORITY of no stream", sent(PRIORITY, 0, 0, &[0; 5]), Reason::PROTOCOL_ERROR),
            (
                "a stream that depends on itself",
                sent(PRIORITY, 0, 3, &[0, 0, 0, 3, 0]),
                Reason::PROTOCOL_ERROR,
            ),
            (
                "a head that depends on itself",
                sent(HEADERS, END_HEADERS | HAS_PRIORITY, 1, &[0x80, 0, 0, 1, 0, 0x82]),
                Reason::PROTOCOL_ERROR,
            ),
            ("a short GOAWAY", sent(GOAWAY, 0, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
            (
                "an update for an even stream",
                sent(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x02u=1"),
                Reason::PROTOCOL_ERROR,
            ),
            ("an update on a stream", sent(PRIORITY_UPDATE, 0, 1, b"\0\0\0\x01u=1"), Reason::PROTOCOL_ERROR),
            ("a short update", sent(PRIORITY_UPDATE, 0, 0, &[0; 3]), Reason::FRAME_SIZE_ERROR),
            ("CONTINUATION of nothing", sent(CONTINUATION, 0, 1, &[0x82]), Reason::PROTOCOL_ERROR),
            (
                "another stream within a head",
                [head.clone(), sent(CONTINUATION, 0, 3, &[])].concat(),
                Reason::PROTOCOL_ERROR,
            ),
            ("another frame within a head", [head, sent(6, 0, 0, &[0; 8])].concat(), Reason::PROTOCOL_ERROR),
            ("too much padding", sent(DATA, PADDED, 1, &[3, 0, 0]), Reason::PROTOCOL_ERROR),
            ("padding that is missing", sent(DATA, PADDED, 1, &[]), Reason::FRAME_SIZE_ERROR),
            ("half a field", sent(HEADERS, END_HEADERS, 1, &[0x42]), Reason::FRAME_SIZE_ERROR),
            ("long settings", sent(4, 0, 0, &[0; 20_000]), Reason::FRAME_SIZE_ERROR),
        ] {
            assert_eq!(taken(&mut begun(), &bytes, 4), Err(reason), "{what}");
        }
    }

    #[test]
    fn heads_and_their_number_are_bounded() {
        let mut intake = begun();
        taken(&mut intake, &sent(HEADERS, 0, 1, &[]), 100).unwrap();
        let more = sent(CONTINUATION, 0, 1, &[0x82; 1000]);
        let came = (0..1000).take_while(|_| taken(&mut intake, &more, 2000).is_ok()).count();
        assert!(came * 1000 <= BOUNDS.block_bytes(), "{came}");
        let mut intake = begun();
        for stream in 0..2 * u32::try_from(limits::HTTP2_HEADS).unwrap() {
            taken(&mut intake, &sent(HEADERS, END_HEADERS, 2 * stream + 1, &[0x82]), 100).unwrap();
        }
        assert_eq!(intake.heads.len(), limits::HTTP2_HEADS);
        let mut intake = begun();
        let large = [&[0x00, 1, b'x', 0x7f, 0xe9, 0x06][..], &[b'y'; 1000]].concat();
        for stream in 0..2000 {
            taken(&mut intake, &sent(HEADERS, END_HEADERS, 2 * stream + 1, &large), 2000).unwrap();
            assert!(intake.heads_bytes <= limits::HTTP2_HEADS_BYTES);
        }
        assert!(intake.take_head(2 * 1999 + 1).is_some());
        assert_eq!((intake.heads.len(), intake.heads_bytes), (0, 0));
    }

    #[test]
    fn any_frames_are_taken_or_refused() {
        let mut seed = 1u64;
        let mut random = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % bound
        };
        for _ in 0..5_000 {
            let (mut intake, mut passed) = (begun(), Vec::new());
            for _ in 0..=random(12) {
                let payload: Vec<u8> = (0..random(40)).map(|_| random(256) as u8).collect();
                let kind =
                    [DATA, HEADERS, PRIORITY, 3, 4, 6, GOAWAY, 8, CONTINUATION, PRIORITY_UPDATE][random(10)];
                let mut bytes = sent(kind, random(256) as u8, random(8) as u32, &payload);
                if random(8) == 0 {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
                let piece = 1 + random(bytes.len());
                let Ok(more) = taken(&mut intake, &bytes, piece) else { break };
                passed.extend(more);
                assert!(intake.heads.len() <= limits::HTTP2_HEADS);
                assert!(intake.heads_bytes <= limits::HTTP2_HEADS_BYTES);
            }
            // The crate gets whole frames, of which the last one may go on.
            let mut rest = &passed[..];
            while let [a, b, c, ..] = *rest {
                let length = u32::from_be_bytes([0, a, b, c]);
                assert!(u64::from(length) <= limits::HTTP2_FRAME);
                rest = rest.get(HEAD + length as usize..).unwrap_or_default();
            }
        }
    }
}
