//! Events of a server session.

use bytes::Bytes;

use super::connect::Connect;
use super::request_id::RequestId;
use crate::wire::MediaKind;

/// Phase of the connection as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionPhase {
    /// The handshake is not complete.
    Handshake,
    /// `connect` was not received or not answered.
    Connecting,
    /// `connect` was accepted.
    Connected,
    /// `connect` was refused; commands are ignored.
    Rejected,
}

/// Action of the peer.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// The handshake is complete.
    HandshakeDone,
    /// The peer requests an application; must be answered.
    Connect {
        /// For the answer.
        request: RequestId,
        /// Arguments of the command.
        connect: Box<Connect>,
    },
    /// The peer created a message stream.
    CreateStream {
        /// Its id.
        stream_id: u32,
    },
    /// The peer requests to publish; must be answered.
    Publish {
        /// For the answer.
        request: RequestId,
        /// The message stream.
        stream_id: u32,
        /// Stream name as sent, with its query.
        name: Bytes,
        /// `live`, `record` or `append`; `live` if omitted.
        kind: Bytes,
    },
    /// The peer requests to play; must be answered.
    Play {
        /// For the answer.
        request: RequestId,
        /// The message stream.
        stream_id: u32,
        /// Stream name as sent, with its query.
        name: Bytes,
        /// Start position as sent; negative means live, and -2 is the value if omitted. The specification has seconds,
        /// ffmpeg and librtmp send milliseconds.
        start: f64,
        /// Duration in the same unit; -1, the value if omitted, means to the end.
        duration: f64,
        /// Whether to clear the playlist.
        reset: bool,
    },
    /// Media on a stream that publishes or has requested to. Payloads are never empty.
    Media {
        /// The message stream.
        stream_id: u32,
        /// Kind of media.
        kind: MediaKind,
        /// Absolute timestamp in milliseconds, modulo 2^32.
        timestamp: u32,
        /// Data without `@setDataFrame`.
        payload: Bytes,
    },
    /// A stream stopped publishing or playing, or gave up after a refusal. A pending request becomes void.
    CloseStream {
        /// The message stream.
        stream_id: u32,
    },
    /// The player paused or resumed; the session has answered already.
    Pause {
        /// The message stream.
        stream_id: u32,
        /// Whether it is paused now.
        paused: bool,
    },
    /// The player went to another position; the session has answered already.
    Seek {
        /// The message stream.
        stream_id: u32,
        /// Position in milliseconds.
        position: f64,
    },
    /// The player announced its buffer length.
    BufferLength {
        /// The message stream.
        stream_id: u32,
        /// Buffer length in milliseconds.
        millis: u32,
    },
}
