//! What a client session is told by its caller.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::amf0::Members;

/// What to do once connected. Names may carry a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Send a stream.
    Publish {
        /// Its name.
        name: Bytes,
    },
    /// Receive a stream.
    Play {
        /// Its name.
        name: Bytes,
    },
}

/// How a client session introduces itself and what it accepts.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Application.
    pub app: Bytes,
    /// URL of the application.
    pub tc_url: Bytes,
    /// Version told to the server; left out when empty, as the next two.
    pub flash_ver: Bytes,
    /// URL of the page with the player.
    pub page_url: Bytes,
    /// URL of the player's SWF file.
    pub swf_url: Bytes,
    /// More members of connect's command object.
    pub extra: Members,
    /// Chunk size of what is sent, in bytes.
    pub chunk_size: u32,
    /// Acknowledgements are sent after so many bytes until the server says after how many.
    pub window_ack_size: u32,
    /// Longest message accepted, in bytes.
    pub max_message: usize,
    /// Chunk stream ids end before this one.
    pub max_chunk_streams: u32,
    /// What a player tells the server to buffer ahead.
    pub buffer_length: Duration,
    /// Whether to ask for the digest handshake.
    pub digest_handshake: bool,
    /// What to do once connected.
    pub purpose: Purpose,
}

impl ClientSettings {
    /// Usual settings for this application.
    pub fn new(app: impl Into<Bytes>, tc_url: impl Into<Bytes>, purpose: Purpose) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            flash_ver: Bytes::from_static(b"LNX 9,0,124,2"),
            page_url: Bytes::new(),
            swf_url: Bytes::new(),
            extra: Members::new(),
            chunk_size: 4096,
            window_ack_size: 5_000_000,
            max_message: 1024 * 1024,
            max_chunk_streams: 65_600,
            buffer_length: Duration::from_secs(1),
            digest_handshake: false,
            purpose,
        }
    }
}
