//! Settings of a server session.

use std::time::Duration;

use crate::limits::{PARTIAL_MESSAGES, UNADMITTED_MESSAGE, UNADMITTED_PARTIAL};
use crate::wire::rtmp::chunk::Limits;

/// Settings that a virtual server has for its sessions.
#[derive(Clone, Debug)]
pub struct ServerSessionSettings {
    /// Chunk size for sending, in bytes.
    pub chunk_size: u32,
    /// Window acknowledgement size announced to the peer; also the number of received bytes per acknowledgement until
    /// the peer announces its own.
    pub window_ack_size: u32,
    /// Maximum message length in bytes.
    pub max_message: usize,
    /// Exclusive upper bound of chunk stream ids.
    pub max_chunk_streams: u32,
    /// Idle time after which a ping request is sent.
    pub ping: Option<Duration>,
    /// Timeout of a ping request. Any input counts as an answer.
    pub ping_timeout: Duration,
    /// Whether an idle peer is disconnected after a ping interval instead of pinged.
    pub busy: bool,
    /// See [`crate::wire::rtmp::chunk::ChunkReader`].
    pub publish_time_fix: bool,
}

impl Default for ServerSessionSettings {
    /// Defaults of the directives with the same names.
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

impl ServerSessionSettings {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_message: self.max_message,
            max_chunk_streams: self.max_chunk_streams,
            max_partial: self.max_message.saturating_mul(PARTIAL_MESSAGES),
            publish_time_fix: self.publish_time_fix,
        }
    }

    /// Limits until `connect` is accepted.
    pub(super) fn unadmitted_limits(&self) -> Limits {
        let limits = self.limits();
        Limits {
            max_message: limits.max_message.min(UNADMITTED_MESSAGE),
            max_partial: limits.max_partial.min(UNADMITTED_PARTIAL),
            ..limits
        }
    }
}
