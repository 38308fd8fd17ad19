//! The order in which the streams of a connection send their bodies (RFC 9218 §10).
//!
//! The crate h2 sends what it was given in the order in which it got it. So a stream asks here before it gives the crate bytes, and
//! gets as much room as its window, the one of the connection and what waits to be written leave. What wants more waits; when
//! there is room again, the connection lets one stream after the other continue, the most urgent first. A stream whose own window
//! is closed, or that has nothing to send, holds up no other.
//!
//! Windows are counted along: what the client allows comes from the frames that it sends, what was used from those that the crate
//! writes. The crate still has the last word.

use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::framing::{DATA, FIRST_WINDOW, Part, RST_STREAM};
use super::priority::{NamedPriority, Priority};
use crate::limits;

/// The streams of a connection and what they may send.
#[derive(Debug)]
pub(super) struct SendOrder(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Bytes that the client accepts of all streams, of those that were not written.
    window: i64,
    /// Window of new streams.
    first_window: i64,
    /// Bytes that the crate has and has not written.
    queued: i64,
    /// By their numbers.
    streams: Vec<Sending>,
    /// How many of them wait.
    waiting: usize,
    /// Turns of streams that take turns.
    turns: u64,
    /// The connection's task.
    connection: Option<Waker>,
}

/// A stream whose response is being sent.
#[derive(Debug)]
struct Sending {
    stream: u32,
    priority: Priority,
    window: i64,
    queued: i64,
    waits: Waits,
    /// Its last turn.
    turn: u64,
    /// Whether nothing more comes from its owner.
    is_over: bool,
}

/// Whether a stream waits.
#[derive(Debug)]
enum Waits {
    No,
    /// Until its task is woken.
    For(Waker),
    /// Its task was woken, and has not come in this many turns of the connection.
    Called(u8),
}

impl Sending {
    /// Place among those that wait: the least goes first. What is sent as a whole goes before what takes turns.
    fn place(&self) -> (u8, bool, u64) {
        let Priority { urgency, is_incremental } = self.priority;
        (urgency, is_incremental, if is_incremental { self.turn } else { u64::from(self.stream) })
    }

    fn waits(&self) -> bool {
        !matches!(self.waits, Waits::No)
    }

    fn room(&self) -> i64 {
        self.window - self.queued
    }
}

impl State {
    fn find(&mut self, stream: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&stream, |sending| sending.stream).ok()
    }

    /// Bytes that all streams together may give the crate.
    fn room(&self) -> i64 {
        self.window.min(signed(limits::HTTP2_SEND_BUFFER)) - self.queued
    }

    /// Bytes that the stream may give the crate now.
    fn room_of(&self, at: usize, length: usize) -> usize {
        let sending = &self.streams[at];
        let room = self.room().min(sending.room());
        if room <= 0 {
            return 0;
        }
        let mut most = usize::try_from(room).unwrap_or(0).min(length);
        if self.waiting > usize::from(sending.waits()) {
            let place = sending.place();
            for other in self.streams.iter().filter(|other| other.waits() && other.room() > 0) {
                if other.stream == sending.stream {
                    continue;
                }
                if other.place() < place {
                    return 0;
                }
                if sending.priority.is_incremental && other.priority == sending.priority {
                    most = most.min(limits::HTTP2_TURN);
                }
            }
        }
        most
    }

    fn stop_waiting(&mut self, at: usize) {
        if !matches!(std::mem::replace(&mut self.streams[at].waits, Waits::No), Waits::No) {
            self.waiting -= 1;
        }
    }

    /// The stream gives the crate bytes.
    fn gives(&mut self, at: usize, bytes: usize) {
        self.queued += signed(bytes);
        self.streams[at].queued += signed(bytes);
        if bytes > 0 && self.streams[at].priority.is_incremental {
            self.turns += 1;
            self.streams[at].turn = self.turns;
        }
    }

    /// The crate has written, or does not have any more, this much of a stream.
    fn leaves(&mut self, at: usize, bytes: i64) {
        let bytes = bytes.min(self.streams[at].queued);
        self.streams[at].queued -= bytes;
        self.queued -= bytes;
        if self.streams[at].is_over && self.streams[at].queued == 0 {
            self.stop_waiting(at);
            self.streams.remove(at);
        }
    }
}

impl SendOrder {
    /// Of a new connection.
    pub(super) fn new() -> SendOrder {
        SendOrder(Mutex::new(State {
            window: FIRST_WINDOW,
            first_window: FIRST_WINDOW,
            queued: 0,
            streams: Vec::new(),
            waiting: 0,
            turns: 0,
            connection: None,
        }))
    }

    /// A stream begins, of which the client has opened the window further by `more` bytes.
    pub(super) fn begin(&self, stream: u32, priority: Priority, more: i64) {
        let mut state = self.0.lock();
        let window = state.first_window.saturating_add(more);
        let sending = Sending {
            stream,
            priority,
            window,
            queued: 0,
            waits: Waits::No,
            turn: state.turns,
            is_over: false,
        };
        match state.streams.binary_search_by_key(&stream, |sending| sending.stream) {
            Ok(at) => {
                state.stop_waiting(at);
                state.queued -= state.streams[at].queued;
                state.streams[at] = sending;
            }
            Err(at) => state.streams.insert(at, sending),
        }
    }

    /// Nothing more comes from the owner of a stream.
    pub(super) fn end(&self, stream: u32) {
        let mut state = self.0.lock();
        let Some(at) = state.find(stream) else { return };
        state.stop_waiting(at);
        state.streams[at].is_over = true;
        state.leaves(at, 0);
    }

    /// Takes room for some of `length` bytes of a stream, which are then given to the crate: how many. None means to wait.
    pub(super) fn take(&self, stream: u32, length: usize) -> usize {
        let mut state = self.0.lock();
        let Some(at) = state.find(stream) else { return length };
        let taken = state.room_of(at, length);
        state.gives(at, taken);
        taken
    }

    /// Notes bytes that a stream has given the crate without asking.
    pub(super) fn note(&self, stream: u32, bytes: usize) {
        let mut state = self.0.lock();
        if let Some(at) = state.find(stream) {
            state.gives(at, bytes);
        }
    }

    /// Gives back room that was taken and not used.
    pub(super) fn give_back(&self, stream: u32, bytes: usize) {
        let mut state = self.0.lock();
        if let Some(at) = state.find(stream) {
            state.leaves(at, signed(bytes));
        }
    }

    /// Waits until it is the stream's turn and there is room for it.
    pub(super) fn poll_turn(&self, stream: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        let Some(at) = state.find(stream) else { return Poll::Ready(()) };
        if state.room_of(at, 1) > 0 {
            state.stop_waiting(at);
            return Poll::Ready(());
        }
        let waits = Waits::For(cx.waker().clone());
        if matches!(std::mem::replace(&mut state.streams[at].waits, waits), Waits::No) {
            state.waiting += 1;
        }
        // What goes first may have been woken and not come: the connection looks.
        if state.room().min(state.streams[at].room()) > 0
            && let Some(connection) = &state.connection
        {
            connection.wake_by_ref();
        }
        Poll::Pending
    }

    /// Lets the stream continue whose turn it is, as far as there is room. Called by the connection at each of its turns, when the
    /// crate has written what it can.
    pub(super) fn call_next(&self, cx: &mut Context<'_>) {
        let mut state = self.0.lock();
        if state.waiting == 0 {
            return;
        }
        if !state.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.connection = Some(cx.waker().clone());
        }
        while state.room() > 0 && state.waiting > 0 {
            let able = state.streams.iter_mut().filter(|sending| sending.waits() && sending.room() > 0);
            let Some(first) = able.min_by_key(|sending| sending.place()) else { return };
            let calls = match &first.waits {
                Waits::Called(calls) => *calls,
                _ => 0,
            };
            let waits = if calls < limits::HTTP2_CALLS { Waits::Called(calls + 1) } else { Waits::No };
            match std::mem::replace(&mut first.waits, waits) {
                Waits::For(waker) => waker.wake(),
                // It has something else to do: it is as if it did not wait.
                Waits::Called(_) if matches!(first.waits, Waits::No) => {
                    state.waiting -= 1;
                    continue;
                }
                Waits::Called(_) | Waits::No => {}
            }
            if state.waiting > 1 {
                cx.waker().wake_by_ref();
            }
            return;
        }
    }

    /// The client opens the window of a stream, or with 0 that of the connection; whether the stream has begun.
    pub(super) fn open_window(&self, stream: u32, bytes: u32) -> bool {
        let mut state = self.0.lock();
        let bytes = i64::from(bytes);
        if stream == 0 {
            state.window += bytes;
            return true;
        }
        let Some(at) = state.find(stream) else { return false };
        state.streams[at].window += bytes;
        true
    }

    /// The client sets the window of new streams, which changes that of all.
    pub(super) fn set_first_window(&self, bytes: u32) {
        let mut state = self.0.lock();
        let change = i64::from(bytes) - state.first_window;
        state.first_window += change;
        state.streams.iter_mut().for_each(|sending| sending.window += change);
    }

    /// Bytes of bodies that the client accepts of all streams, of those that were not written.
    pub(super) fn window(&self) -> i64 {
        self.0.lock().window
    }

    /// A stream was reset, which drops what the crate has of it.
    pub(super) fn reset(&self, stream: u32) {
        let mut state = self.0.lock();
        if let Some(at) = state.find(stream) {
            state.leaves(at, i64::MAX);
        }
    }

    /// Sets the priority of a stream; whether the stream has begun.
    pub(super) fn prioritize(&self, stream: u32, priority: Priority) -> bool {
        let mut state = self.0.lock();
        let Some(at) = state.find(stream) else { return false };
        state.streams[at].priority = priority;
        true
    }

    /// Changes the priority of a stream in what `named` names.
    pub(super) fn merge(&self, stream: u32, named: NamedPriority) {
        let mut state = self.0.lock();
        if let Some(at) = state.find(stream) {
            state.streams[at].priority = named.over(state.streams[at].priority);
        }
    }

    /// Gives back the memory that an idle connection does not need.
    pub(super) fn rest(&self) {
        let mut state = self.0.lock();
        if state.streams.is_empty() {
            state.streams = Vec::new();
        }
    }

    /// Takes note of a part of a frame that the crate has written.
    pub(super) fn wrote(&self, part: &Part) {
        let Part::Frame { kind: kind @ (DATA | RST_STREAM), stream, length, .. } = *part else { return };
        let mut state = self.0.lock();
        let at = state.find(stream);
        if kind == DATA {
            state.window -= length;
        }
        let Some(at) = at else { return };
        if kind == DATA {
            state.streams[at].window -= length;
        }
        state.leaves(at, if kind == DATA { length } else { i64::MAX });
    }
}

impl Default for SendOrder {
    fn default() -> Self {
        SendOrder::new()
    }
}

#[cfg(test)]
impl SendOrder {
    /// Priority and window of a stream.
    pub(super) fn of(&self, stream: u32) -> Option<(Priority, i64)> {
        let mut state = self.0.lock();
        let at = state.find(stream)?;
        Some((state.streams[at].priority, state.streams[at].window))
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
