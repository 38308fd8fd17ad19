//! What is kept of a client's connection while it is parked, and how it goes on.
//!
//! The crate h2 holds 17 KB for each connection, which one that rests does not need. So the crate's connection is given up once
//! nothing is under way, and a new one takes its place when the client sends something. The client notices nothing:
//!
//! - An [`Account`] goes along with the frames of both sides, and knows what they have agreed on: the client's settings, the server's
//!   window, and the last stream; and how many streams were reset, whose number is bounded. The client's window is counted by the [`SendOrder`](super::order::SendOrder), which stays.
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
use h2::Reason;
use parking_lot::Mutex;
use tokio::io::ReadBuf;

use super::PREFACE;
use super::framing::{
    ACK, DATA, END_HEADERS, END_STREAM, FIRST_WINDOW, FrameWalk, HEADER_TABLE_SIZE, HEADERS,
    INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, Part, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, setting,
};
use super::intake::STUB;
use crate::limits;

/// What both sides have agreed on, for the connection as a whole.
#[derive(Debug)]
pub(super) struct Account {
    received: FrameWalk,
    settings: ClientSettings,
    /// Whether the client has acknowledged the server's settings.
    has_acknowledged: bool,
    /// Bytes of bodies that the client may still send.
    receive_window: i64,
    /// The last stream that the client has begun.
    last: u32,
    /// When the server has last reset a stream.
    last_reset: Option<Instant>,
    /// Streams that the server has reset because of errors of the client.
    error_resets: usize,
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
            received: FrameWalk::behind_preface(),
            settings: ClientSettings::default(),
            has_acknowledged: false,
            receive_window: FIRST_WINDOW,
            last: 0,
            last_reset: None,
            error_resets: 0,
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
                Part::Frame { .. } | Part::Increment { .. } | Part::Reset(_) => {}
            }
        }
    }

    /// Takes note of a part of a frame that the crate sends to the client.
    pub(super) fn sent(&mut self, part: &Part) {
        match *part {
            Part::Increment { stream: 0, by } => self.receive_window += by,
            Part::Frame { kind: RST_STREAM, .. } => self.last_reset = Some(Instant::now()),
            // These are no fault of the client's.
            Part::Reset(Reason::NO_ERROR | Reason::INTERNAL_ERROR | Reason::CANCEL) => {}
            Part::Reset(_) => self.error_resets += 1,
            Part::Frame { .. } | Part::Increment { .. } | Part::Setting(..) => {}
        }
    }

    /// Whether the crate has got no frame in part.
    pub(super) fn is_settled(&self) -> bool {
        self.received.is_between()
    }

    /// Until when the crate ignores what comes late of a stream that was reset, which a new connection would not.
    pub(super) fn ignores_until(&self) -> Option<Instant> {
        self.last_reset.map(|at| at + limits::HTTP2_RESET_MEMORY)
    }

    /// Streams that the server may still reset because of errors of the client.
    pub(super) fn error_resets_left(&self) -> usize {
        limits::HTTP2_ERROR_RESETS.saturating_sub(self.error_resets)
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

    /// What a stand-in says when it has the response. What the client has set comes now: its table has to be told of its size by a head
    /// that it gets, and its window of streams may be too small for the response.
    /// The client accepts `send_window` bytes of bodies.
    pub(super) fn rest(&self, send_window: i64) -> Vec<u8> {
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
        if send_window > FIRST_WINDOW {
            update(send_window - FIRST_WINDOW, &mut bytes);
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

/// Appends a `WINDOW_UPDATE` of the connection.
fn update(increment: i64, frames: &mut Vec<u8>) {
    let increment = u32::try_from(increment).unwrap_or_default();
    frame(WINDOW_UPDATE, 0, 0, &[&increment.to_be_bytes()], frames);
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
