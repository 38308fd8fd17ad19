//! The streams of a client's connection that are open, by the frames of both sides.
//!
//! The crate h2 knows this, too, but takes much of what comes late, or for streams that never were, for an error of the connection,
//! where nginx leaves it out.

use std::collections::VecDeque;

use crate::limits;

/// The streams that are open, and those of which something may come late.
#[derive(Debug, Default)]
pub(super) struct OpenStreams {
    /// By their numbers.
    open: Vec<OpenStream>,
    /// Those that the server has reset before the client had sent everything.
    cut: VecDeque<u32>,
}

#[derive(Debug)]
struct OpenStream {
    stream: u32,
    /// Whether the client has sent everything.
    is_received: bool,
    /// Whether the server has.
    is_sent: bool,
}

/// What a client may send on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    /// More of its request.
    More,
    /// No more of its request, of which the response is open.
    NoMore,
    /// Nothing: it has not begun, or is closed.
    Nothing,
}

impl OpenStreams {
    fn find(&self, stream: u32) -> Option<usize> {
        self.open.binary_search_by_key(&stream, |open| open.stream).ok()
    }

    /// A stream begins, whose number is higher than those before.
    pub(super) fn begin(&mut self, stream: u32, is_received: bool) {
        self.open.push(OpenStream { stream, is_received, is_sent: false });
    }

    /// Whether the stream is open.
    pub(super) fn is_open(&self, stream: u32) -> bool {
        self.find(stream).is_some()
    }

    /// What may come on the stream.
    pub(super) fn receiving(&self, stream: u32) -> Receiving {
        match self.find(stream) {
            Some(at) if self.open[at].is_received => Receiving::NoMore,
            Some(_) => Receiving::More,
            None => Receiving::Nothing,
        }
    }

    /// Whether the server has reset the stream before the client had sent everything.
    pub(super) fn was_cut(&self, stream: u32) -> bool {
        self.cut.contains(&stream)
    }

    /// The client has sent everything.
    pub(super) fn received(&mut self, stream: u32) {
        let Some(at) = self.find(stream) else { return };
        self.open[at].is_received = true;
        if self.open[at].is_sent {
            self.open.remove(at);
        }
    }

    /// The server has sent everything.
    pub(super) fn sent(&mut self, stream: u32) {
        let Some(at) = self.find(stream) else { return };
        self.open[at].is_sent = true;
        if self.open[at].is_received {
            self.open.remove(at);
        }
    }

    /// The client resets the stream; whether it was open.
    pub(super) fn reset(&mut self, stream: u32) -> bool {
        let at = self.find(stream);
        at.map(|at| self.open.remove(at)).is_some()
    }

    /// The server has reset the stream. Returns whether it had sent everything before.
    pub(super) fn cut(&mut self, stream: u32) -> bool {
        let Some(at) = self.find(stream) else { return false };
        let OpenStream { is_received, is_sent, .. } = self.open.remove(at);
        if !is_received {
            if self.cut.len() == limits::HTTP2_LOCAL_RESETS {
                self.cut.pop_front();
            }
            self.cut.push_back(stream);
        }
        is_sent
    }

    /// Gives back the memory that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        if self.open.is_empty() {
            self.open = Vec::new();
        }
    }
}
