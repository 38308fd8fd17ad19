//! Protocol cores without I/O and without a clock.
//!
//! Whoever drives a core hands it bytes and the time, and drains what it has to say. Nothing here waits,
//! spawns or opens anything, so every core runs in a test with two ends in memory.
//!
//! - [`amf0`]: the value encoding of RTMP commands and FLV metadata.
//! - [`rtmp`]: handshake, chunks, messages, and the sessions of both sides.
//! - [`flv`]: FLV tags, written and read.
//! - [`codec`]: what is needed to know of AVC, HEVC and AAC.
//! - [`mpegts`]: MPEG transport streams out of FLV-style frames.
//! - [`hls`]: the text of HLS playlists.

pub mod amf0;
pub mod codec;
pub mod flv;
pub mod hls;
pub mod mpegts;
pub mod rtmp;

/// What a media message or tag carries.
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
    /// The number shared by RTMP message types and FLV tag types.
    pub const fn type_id(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Data => 18,
        }
    }

    /// The kind with this number, if it is one of media.
    pub const fn from_type_id(type_id: u8) -> Option<Self> {
        match type_id {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Data),
            _ => None,
        }
    }
}

/// Who is to blame for an error: it decides the level of the log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The other end sent something it should not have sent.
    Peer,
    /// Our own caller used a core out of order.
    Local,
}
