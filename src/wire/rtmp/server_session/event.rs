//! What a session tells its caller.

use bytes::Bytes;

use super::Connect;
use crate::wire::MediaKind;

/// Names a connect, publish or play that waits for its answer. Never used twice by one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub(super) u64);

/// How far the connection as a whole has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// C2 is not complete.
    Handshake,
    /// Connect was not received or not answered.
    Connecting,
    /// Connect was accepted.
    Connected,
    /// Connect was refused; commands are ignored.
    Rejected,
}

/// What the peer did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The handshake is complete.
    HandshakeDone,
    /// The peer asks for an application. To be answered.
    Connect {
        /// For the answer.
        request: RequestId,
        /// What it asked for.
        connect: Box<Connect>,
    },
    /// The peer was given a message stream.
    CreateStream {
        /// Its id.
        stream_id: u32,
    },
    /// The peer asks to publish. To be answered.
    Publish {
        /// For the answer.
        request: RequestId,
        /// The message stream.
        stream_id: u32,
        /// Stream name as sent, with its query.
        name: Bytes,
        /// `live`, `record` or `append`; `live` when left out.
        kind: Bytes,
    },
    /// The peer asks to play. To be answered.
    Play {
        /// For the answer.
        request: RequestId,
        /// The message stream.
        stream_id: u32,
        /// Stream name as sent, with its query.
        name: Bytes,
        /// Where to start, as sent; negative, as -2 when left out, means live. Seconds by the specification,
        /// milliseconds from ffmpeg and librtmp.
        start: f64,
        /// How much to play, in the same unit; -1 when left out, to the end.
        duration: f64,
        /// Whether to drop a playlist so far.
        reset: bool,
    },
    /// Media on a stream that publishes, or still waits for leave to. Payloads are never empty.
    Media {
        /// The message stream.
        stream_id: u32,
        /// What it is.
        kind: MediaKind,
        /// Milliseconds, absolute, modulo 2^32.
        timestamp: u32,
        /// Data without `@setDataFrame`.
        payload: Bytes,
    },
    /// A stream that published, played, or asked to in vain, does so no more. A request that still waits is void.
    CloseStream {
        /// The message stream.
        stream_id: u32,
    },
    /// The player paused or resumed; it has been told so.
    Pause {
        /// The message stream.
        stream_id: u32,
        /// Whether it is paused now.
        paused: bool,
    },
    /// The player asked for a position; it has been told so.
    Seek {
        /// The message stream.
        stream_id: u32,
        /// Milliseconds.
        position: f64,
    },
    /// The player said how much it buffers.
    BufferLength {
        /// The message stream.
        stream_id: u32,
        /// Milliseconds.
        millis: u32,
    },
}
