//! What a client session tells its caller.

use bytes::Bytes;

use crate::wire::MediaKind;

/// What the server did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Connect was accepted.
    Connected,
    /// Publish or play was accepted: media flows from here on.
    Started,
    /// A status message; its level `error` means a refusal.
    Status {
        /// `status`, `warning` or `error`.
        level: Bytes,
        /// As `NetStream.Play.Start`.
        code: Bytes,
        /// For people.
        description: Bytes,
    },
    /// Media of the stream played. Payloads are never empty.
    Media {
        /// What it is.
        kind: MediaKind,
        /// Milliseconds, absolute, modulo 2^32.
        timestamp: u32,
        /// Data without `@setDataFrame`.
        payload: Bytes,
    },
    /// The stream played has begun (user control event 0).
    StreamBegin,
    /// The stream played is over (user control event 1).
    StreamEof,
}
