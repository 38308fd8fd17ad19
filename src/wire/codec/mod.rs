//! Codec information, without decoding.
//!
//! [`flv_tag`] parses the headers of media messages; [`avc`], [`hevc`] and [`aac`] parse the decoder configurations in
//! sequence headers; [`rfc6381`] makes codec strings for playlists. All input comes from publishers: every read is
//! checked, and an [`CodecError`] concerns only the payload that caused it.

pub mod aac;
pub mod avc;
mod bits;
pub mod flv_tag;
pub mod hevc;
mod record;
pub mod rfc6381;

use std::fmt;

pub use bits::BitReader;
pub use flv_tag::{
    AudioCodec, AudioPacket, AudioTag, ChannelLayout, ChannelOrder, DEFAULT_HEVC_CODEC_ID, FrameType,
    MainTrack, TrackSet, VideoCodec, VideoPacket, VideoTag,
};

/// Error of a payload that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The payload ends inside a field.
    Truncated,
    /// A decoder configuration record with an unknown version.
    Version(u8),
    /// A field has an impossible value.
    Invalid(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("codec header cut short"),
            Self::Version(version) => {
                write!(f, "decoder configuration record of version {version:#04x}")
            }
            Self::Invalid(field) => write!(f, "codec header with impossible {field}"),
        }
    }
}

impl std::error::Error for CodecError {}
