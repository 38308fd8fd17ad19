//! Events of a client session.

use bytes::Bytes;

use crate::wire::MediaKind;

/// Action of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// `connect` was accepted.
    Connected,
    /// `publish` or `play` was accepted: media flows from here on.
    Started,
    /// A status message; level `error` means a refusal.
    Status {
        /// `status`, `warning` or `error`.
        level: Bytes,
        /// Code, such as `NetStream.Play.Start`.
        code: Bytes,
        /// Human-readable text.
        description: Bytes,
    },
    /// Media of the played stream. Payloads are never empty.
    Media {
        /// Kind of media.
        kind: MediaKind,
        /// Absolute timestamp in milliseconds, modulo 2^32.
        timestamp: u32,
        /// Data without `@setDataFrame`.
        payload: Bytes,
    },
    /// The played stream has begun (user control event 0).
    StreamBegin,
    /// The played stream has ended (user control event 1).
    StreamEof,
}
