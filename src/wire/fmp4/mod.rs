//! Fragmented MP4 (ISO/IEC 14496-12) and CMAF (ISO/IEC 23000-19) made from FLV frames.
//!
//! - [`Packager`] converts a publisher's messages to [`Sample`]s on one time line: jumps of timestamps are flattened,
//!   audio timestamps are smoothed to whole frames, and every sample gets a duration.
//! - [`init_segment`] writes the initialisation segment of one or several tracks, [`fragment`] a `moof` with its `mdat`,
//!   [`segment_type`] what begins a segment.
//! - A file of its own begins with [`file_head`], and may end with [`random_access`], the index for seeking.
//!
//! Codecs: H.264, HEVC, AV1, AAC, MP3, Opus, AC-3, E-AC-3, FLAC. The publisher's decoder configuration is written
//! unchanged where MP4 has the same record.
//!
//! The boxes are written here and not by the crate `mp4-atom`: it parses each record into structures of its own and
//! writes those, so that a field that it does not know is lost, and it needs an allocation for each run of samples.

mod boxes;
mod config;
mod event;
mod fragment;
mod init;
mod packager;
mod random_access;
mod records;

pub use config::{TrackCodec, TrackConfig};
pub use event::id3_event;
pub use fragment::{Run, fragment, segment_type};
pub use init::{FileHead, file_head, init_segment, numbered_init_segment};
pub use packager::{Packager, Sample};
pub use random_access::{RandomAccessPoint, random_access};

use std::fmt;

use crate::wire::codec::CodecError;

/// Ticks per second of video tracks.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// Reason why a message was not used. All are caused by the peer, and none changes the state of the packager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fmp4Error {
    /// A length inside the message points beyond its end.
    Truncated,
    /// An invalid codec configuration.
    BadConfig,
    /// A frame before the configuration of its codec.
    MissingConfig,
    /// A message without content.
    Empty,
    /// An unsupported codec.
    Unsupported,
}

impl Fmp4Error {
    /// What is wrong, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Truncated => "frame is truncated",
            Self::BadConfig => "codec configuration is malformed",
            Self::MissingConfig => "frame before its codec configuration",
            Self::Empty => "frame carries nothing",
            Self::Unsupported => "codec cannot be carried in MP4",
        }
    }
}

impl fmt::Display for Fmp4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Fmp4Error {}

impl From<CodecError> for Fmp4Error {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Truncated => Self::Truncated,
            CodecError::Version(_) | CodecError::Invalid(_) => Self::BadConfig,
        }
    }
}
