//! Settings of a client session.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::amf0::AmfMembers;

/// Purpose of the connection. Names may include a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPurpose {
    /// Publish a stream.
    Publish {
        /// Stream name.
        name: Bytes,
    },
    /// Play a stream.
    Play {
        /// Stream name.
        name: Bytes,
    },
}

/// Settings of a client session: members of `connect`, and limits.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Application.
    pub app: Bytes,
    /// URL of the application.
    pub tc_url: Bytes,
    /// Client version; omitted if empty, as are the next two.
    pub flash_ver: Bytes,
    /// URL of the page with the player.
    pub page_url: Bytes,
    /// URL of the player's SWF file.
    pub swf_url: Bytes,
    /// Further members of connect's command object.
    pub extra: AmfMembers,
    /// Chunk size for sending, in bytes.
    pub chunk_size: u32,
    /// Number of received bytes per acknowledgement until the server announces its own.
    pub window_ack_size: u32,
    /// Maximum length of received messages in bytes.
    pub max_message: usize,
    /// Exclusive upper bound of chunk stream ids.
    pub max_chunk_streams: u32,
    /// Buffer length announced to the server when playing.
    pub buffer_length: Duration,
    /// Whether to request the digest handshake.
    pub digest_handshake: bool,
    /// Purpose of the connection.
    pub purpose: ClientPurpose,
}

impl ClientSettings {
    /// Default settings for an application.
    pub fn new(app: impl Into<Bytes>, tc_url: impl Into<Bytes>, purpose: ClientPurpose) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            flash_ver: Bytes::from_static(b"LNX 9,0,124,2"),
            page_url: Bytes::new(),
            swf_url: Bytes::new(),
            extra: AmfMembers::new(),
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
