//! Protocol cores without I/O and without a clock.
//!
//! The caller passes received bytes and the time to a core and fetches events and bytes to send. Nothing here waits,
//! spawns or opens anything, so every core can be tested with two ends in memory.
//!
//! - [`amf0`]: the value encoding of RTMP commands and FLV metadata.
//! - [`rtmp`]: handshake, chunk streams, messages, and the client and server sessions.
//! - [`flv`]: FLV tags.
//! - [`codec`]: configurations of AVC, HEVC and AAC.
//! - [`mpegts`]: MPEG transport streams made from FLV frames.
//! - [`fmp4`]: fragmented MP4 made from FLV frames.
//! - [`hls`]: HLS playlists.
//! - [`data_message`], [`id3`]: data messages of publishers as timed metadata.
//! - [`cue`], [`scte35`]: data messages that begin and end advertising breaks.
//! - [`proxy_protocol`]: headers of the PROXY protocol.

pub mod amf0;
pub mod codec;
pub mod cue;
pub mod data_message;
pub mod flv;
pub mod fmp4;
pub mod hls;
pub mod id3;
pub mod mpegts;
pub mod proxy_protocol;
pub mod rtmp;
pub mod scte35;

/// Kind of a media message or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Audio message, FLV tag type 8.
    Audio,
    /// Video message, FLV tag type 9.
    Video,
    /// AMF0 data message (metadata, cue points), FLV tag type 18.
    Data,
}

impl MediaKind {
    /// Number of the RTMP message type and FLV tag type.
    pub const fn type_id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
        }
    }

    /// The kind with this number; `None` if it is not media.
    pub const fn from_type_id(type_id: u8) -> Option<Self> {
        match type_id {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Data),
            _ => None,
        }
    }
}

/// Origin of an error, which determines the level of the log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The peer sent something invalid.
    Peer,
    /// The caller used a core incorrectly.
    Local,
}
