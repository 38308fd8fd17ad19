//! What a session is told by its virtual server.

use std::time::Duration;

use crate::limits::{PARTIAL_MESSAGES, UNADMITTED_MESSAGE, UNADMITTED_PARTIAL};
use crate::wire::rtmp::chunk::Limits;

/// What a virtual server sets for its sessions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Chunk size of what the server sends, in bytes.
    pub chunk_size: u32,
    /// Window acknowledgement size told to the peer; acknowledgements are sent after as much until the peer
    /// announces its own.
    pub window_ack_size: u32,
    /// Longest message accepted, in bytes.
    pub max_message: usize,
    /// Chunk stream ids end before this one.
    pub max_chunk_streams: u32,
    /// A peer that was quiet for so long is sent a ping request.
    pub ping: Option<Duration>,
    /// How long a ping request may stay unanswered. Any input answers it.
    pub ping_timeout: Duration,
    /// Whether a peer that was quiet for a whole ping interval is given up instead of pinged.
    pub busy: bool,
    /// See [`crate::wire::rtmp::chunk::Reader`].
    pub publish_time_fix: bool,
}

impl Default for Settings {
    /// The defaults of the directives of these names.
    fn default() -> Self {
        Self {
            chunk_size: 4096,
            window_ack_size: 5_000_000,
            max_message: 1024 * 1024,
            max_chunk_streams: 32,
            ping: Some(Duration::from_secs(60)),
            ping_timeout: Duration::from_secs(30),
            busy: false,
            publish_time_fix: true,
        }
    }
}

impl Settings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_message: self.max_message,
            max_chunk_streams: self.max_chunk_streams,
            max_partial: self.max_message.saturating_mul(PARTIAL_MESSAGES),
            publish_time_fix: self.publish_time_fix,
        }
    }

    /// The limits until connect is accepted.
    pub(super) fn unadmitted_limits(&self) -> Limits {
        let limits = self.limits();
        Limits {
            max_message: limits.max_message.min(UNADMITTED_MESSAGE),
            max_partial: limits.max_partial.min(UNADMITTED_PARTIAL),
            ..limits
        }
    }
}
