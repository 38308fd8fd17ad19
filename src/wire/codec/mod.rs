//! What has to be known of audio and video without decoding them.
//!
//! [`flv_tag`] reads the first bytes of a media message; [`avc`], [`hevc`] and [`aac`] read the
//! configuration that a sequence header carries, and [`rfc6381`] names codecs as playlists do. All input is the publisher's: every read is checked, and what does
//! not parse is an [`Error`] that concerns that payload alone.

pub mod aac;
pub mod avc;
mod bits;
pub mod flv_tag;
pub mod hevc;
pub mod rfc6381;

use std::fmt;

pub use bits::BitReader;
pub use flv_tag::{
    AudioCodec, AudioPacket, AudioTag, ChannelLayout, ChannelOrder, DEFAULT_HEVC_CODEC_ID, FrameType,
    MainTrack, TrackSet, VideoCodec, VideoPacket, VideoTag,
};

/// Why a payload says nothing about its codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It ends inside a field.
    Truncated,
    /// A decoder configuration record of another version than 1.
    Version(u8),
    /// A field has a value that no stream can have.
    Invalid(&'static str),
}

impl fmt::Display for Error {
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

impl std::error::Error for Error {}
