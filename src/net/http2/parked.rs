//! What is kept of a client's connection while it is parked, and how it goes on.
//!
//! The crate h2 holds 17 KB for each connection, which one that rests does not need. So the crate's connection is given up once
//! nothing is under way, and a new one takes its place when the client sends something. The client notices nothing:
//!
//! - An [`Account`] goes along with the frames of both sides, and knows what they have agreed on: the client's settings, both
//!   windows of the connection, and the last stream.
//! - A [`Replay`] stands in for the socket while the new connection begins. It reads as if a client that agreed on all this had
//!   just come, and what the server answers is dropped, because the real client knows it.
//!
//! The stand-in has one request of its own: on the last stream of the client, so that the crate takes earlier streams for closed
//! ones, and with a response as long as the client's window is smaller than that of a new connection.
//!
//! The client's table of fields (RFC 7541 §2.3.2) may go on holding what the crate has forgotten: fields are counted from the
//! newest, and the oldest leave first, so those of a new connection find the same places. Heads of requests are decoded by
//! [`Intake`](super::intake::Intake), which stays.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::ReadBuf;

use super::PREFACE;
use super::intake::{DATA, END_HEADERS, END_STREAM, HEAD, HEADERS, STUB, frame, number};
use crate::limits;

const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
/// `ACK` of SETTINGS.
const ACK: u8 = 1;

const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;

/// Window of a connection that begins (RFC 9113 §6.9.2).
const FIRST_WINDOW: i64 = 65_535;
/// Length of a setting, which is the longest part of a payload that is looked at.
const SETTING: usize = 6;

/// What both sides have agreed on, for the connection as a whole.
#[derive(Debug)]
pub(super) struct Account {
    received: Walk,
    sent: Walk,
    settings: ClientSettings,
    /// Whether the client has acknowledged the server's settings.
    has_acknowledged: bool,
    /// Bytes of bodies that the client still accepts.
    send_window: i64,
    /// Bytes of bodies that the client may still send.
    receive_window: i64,
    /// The last stream that the client has begun.
    last: u32,
    /// When the server has last reset a stream.
    last_reset: Option<Instant>,
}

/// What the client has set.
#[derive(Debug, Default)]
struct ClientSettings {
    /// Size of its table of fields: the smallest so far, and the present one. It has to be told that the server keeps to both
    /// (RFC 7541 §4.2), and not every change may have been followed by a head that does.
    table: Option<(u32, u32)>,
    window: Option<u32>,
    frame: Option<u32>,
}

impl Account {
    /// Of a connection that begins with its preface.
    pub(super) fn new() -> Account {
        Account {
            received: Walk { left: PREFACE.len(), ..Walk::default() },
            sent: Walk::default(),
            settings: ClientSettings::default(),
            has_acknowledged: false,
            send_window: FIRST_WINDOW,
            receive_window: FIRST_WINDOW,
            last: 0,
            last_reset: None,
        }
    }

    /// Takes note of bytes that the crate gets from the client.
    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        while let Some(part) = self.received.next(&mut bytes) {
            match part {
                Part::Frame { kind: DATA, length, .. } => self.receive_window -= length,
                Part::Frame { kind: HEADERS, stream, .. } => self.last = self.last.max(stream),
                Part::Frame { kind: SETTINGS, flags, .. } if flags & ACK != 0 => {
                    self.has_acknowledged = true;
                }
                Part::Setting(name, value) => self.settings.set(name, value),
                Part::Increment { stream: 0, by } => self.send_window += by,
                Part::Frame { .. } | Part::Increment { .. } => {}
            }
        }
    }

    /// Takes note of bytes that the crate sends to the client.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(part) = self.sent.next(&mut bytes) {
            match part {
                Part::Frame { kind: DATA, length, .. } => self.send_window -= length,
                Part::Increment { stream: 0, by } => self.receive_window += by,
                Part::Frame { kind: RESET, .. } => self.last_reset = Some(Instant::now()),
                Part::Frame { .. } | Part::Increment { .. } | Part::Setting(..) => {}
            }
        }
    }

    /// Whether no frame is half sent.
    pub(super) fn is_settled(&self) -> bool {
        self.received.is_between() && self.sent.is_between()
    }

    /// Until when the crate ignores what comes late of a stream that was reset, which a new connection would not.
    pub(super) fn ignores_until(&self) -> Option<Instant> {
        self.last_reset.map(|at| at + limits::HTTP2_RESET_MEMORY)
    }

    /// Bytes of bodies that the client may still send.
    pub(super) fn receive_window(&self) -> u32 {
        u32::try_from(self.receive_window.max(0)).unwrap_or(u32::MAX)
    }

    /// Opens the client's window, if less than half of it is left, and appends the frame that tells so.
    pub(super) fn open_window(&mut self, frames: &mut Vec<u8>) {
        let all = i64::try_from(limits::HTTP2_WINDOW).unwrap_or(i64::MAX);
        if self.receive_window < all / 2 {
            update(all - self.receive_window, frames);
            self.receive_window = all;
        }
    }

    /// How a stand-in begins: with the settings of any client, and a request on the last stream.
    pub(super) fn beginning(&self) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        frame(SETTINGS, 0, 0, &[], &mut bytes);
        if self.has_acknowledged {
            frame(SETTINGS, ACK, 0, &[], &mut bytes);
        }
        if self.has_streams() {
            frame(HEADERS, END_HEADERS | END_STREAM, self.last, &[&STUB], &mut bytes);
        }
        bytes
    }

    /// Whether the client has had streams: otherwise there is no request of a stand-in.
    pub(super) fn has_streams(&self) -> bool {
        self.last > 0
    }

    /// Length of the response to that request: it leaves of the window what the client's has.
    pub(super) fn response(&self) -> usize {
        usize::try_from(FIRST_WINDOW - self.send_window.max(0)).unwrap_or_default()
    }

    /// What a stand-in says when it has the response. What the client has set comes now: its table has to be told of its size by a head
    /// that it gets, and its window of streams may be too small for the response.
    pub(super) fn rest(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ClientSettings { table, window, frame: size } = self.settings;
        if let Some((smallest, _)) = table {
            frame(SETTINGS, 0, 0, &[&setting(HEADER_TABLE_SIZE, smallest)], &mut bytes);
        }
        let now = [
            (HEADER_TABLE_SIZE, table.map(|(_, now)| now)),
            (INITIAL_WINDOW_SIZE, window),
            (MAX_FRAME_SIZE, size),
        ];
        let now: Vec<u8> =
            now.into_iter().filter_map(|(name, value)| Some(setting(name, value?))).flatten().collect();
        if !now.is_empty() {
            frame(SETTINGS, 0, 0, &[&now], &mut bytes);
        }
        if self.send_window > FIRST_WINDOW {
            update(self.send_window - FIRST_WINDOW, &mut bytes);
        }
        bytes
    }
}

impl ClientSettings {
    fn set(&mut self, name: u16, value: u32) {
        match name {
            HEADER_TABLE_SIZE => {
                let smallest = self.table.map_or(value, |(smallest, _)| smallest.min(value));
                self.table = Some((smallest, value));
            }
            INITIAL_WINDOW_SIZE => self.window = Some(value),
            MAX_FRAME_SIZE => self.frame = Some(value),
            // The others are about pushed streams, or are advice.
            _ => {}
        }
    }
}

fn setting(name: u16, value: u32) -> [u8; SETTING] {
    let ([a, b], [c, d, e, f]) = (name.to_be_bytes(), value.to_be_bytes());
    [a, b, c, d, e, f]
}

/// Appends a `WINDOW_UPDATE` of the connection.
fn update(increment: i64, frames: &mut Vec<u8>) {
    let increment = u32::try_from(increment).unwrap_or_default();
    frame(WINDOW_UPDATE, 0, 0, &[&increment.to_be_bytes()], frames);
}

/// Goes along with frames, however they come.
#[derive(Debug, Default)]
struct Walk {
    head: [u8; HEAD],
    known: usize,
    /// Bytes of the payload that are still to come.
    left: usize,
    item: [u8; SETTING],
    filled: usize,
}

/// A part of a frame that has come.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Its head.
    Frame { kind: u8, flags: u8, stream: u32, length: i64 },
    /// A setting of SETTINGS.
    Setting(u16, u32),
    /// The increment of `WINDOW_UPDATE`.
    Increment { stream: u32, by: i64 },
}

impl Walk {
    /// Whether the last frame has ended.
    fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }

    /// Takes bytes up to the end of the next part; `None` once there are no more.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Part> {
        while !bytes.is_empty() {
            if self.left == 0 {
                take(bytes, &mut self.head, &mut self.known, HEAD);
                if self.known < HEAD {
                    return None;
                }
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]);
                (self.known, self.filled, self.left) = (0, 0, length as usize);
                return Some(Part::Frame { kind, flags, stream: number(&stream), length: i64::from(length) });
            }
            let size = self.item_size();
            if size == 0 {
                let skipped = self.left.min(bytes.len());
                *bytes = &bytes[skipped..];
                self.left -= skipped;
                continue;
            }
            let mut of_frame = &bytes[..self.left.min(bytes.len())];
            let before = of_frame.len();
            take(&mut of_frame, &mut self.item, &mut self.filled, size);
            let taken = before - of_frame.len();
            *bytes = &bytes[taken..];
            self.left -= taken;
            if self.filled == size {
                self.filled = 0;
                return Some(self.item());
            }
        }
        None
    }

    /// Length of the items that the frame's payload consists of; 0 if it is not looked at.
    fn item_size(&self) -> usize {
        match self.head[3] {
            SETTINGS => SETTING,
            WINDOW_UPDATE => 4,
            _ => 0,
        }
    }

    fn item(&self) -> Part {
        let [a, b, c, d, e, f] = self.item;
        match self.head[3] {
            SETTINGS => Part::Setting(u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])),
            _ => Part::Increment { stream: number(&self.head[5..]), by: i64::from(number(&self.item)) },
        }
    }
}

/// Moves bytes into `place` until `filled` is `size`, or there are no more.
fn take(bytes: &mut &[u8], place: &mut [u8], filled: &mut usize, size: usize) {
    let length = (size - *filled).min(bytes.len());
    let (part, rest) = bytes.split_at(length);
    place[*filled..*filled + length].copy_from_slice(part);
    *filled += length;
    *bytes = rest;
}

/// Stands in for the socket until it ends. Shared with the crate's connection.
#[derive(Debug)]
pub(super) struct Replay(Mutex<Option<BytesMut>>);

/// What there is to read of a stand-in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// Some bytes.
    Bytes,
    /// Nothing now.
    Nothing,
    /// It has ended: the socket itself is read.
    Ended,
}

impl Replay {
    pub(super) fn new() -> Replay {
        Replay(Mutex::new(Some(BytesMut::new())))
    }

    /// Lets the stand-in say this.
    pub(super) fn say(&self, bytes: &[u8]) {
        if let Some(said) = self.0.lock().as_mut() {
            said.extend_from_slice(bytes);
        }
    }

    /// Gives the socket over to the connection.
    pub(super) fn end(&self) {
        *self.0.lock() = None;
    }

    pub(super) fn read(&self, buf: &mut ReadBuf<'_>) -> Replayed {
        let mut said = self.0.lock();
        let Some(said) = said.as_mut() else { return Replayed::Ended };
        let length = said.len().min(buf.remaining());
        buf.put_slice(&said[..length]);
        said.advance(length);
        if length > 0 { Replayed::Bytes } else { Replayed::Nothing }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.lock().is_none()
    }
}
