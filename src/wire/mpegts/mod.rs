//! MPEG transport streams (ISO/IEC 13818-1) made from FLV frames.
//!
//! One program: PAT on PID 0, PMT on 4097, video on 256, audio on 257, the PIDs that PingOS uses. From the first data message of
//! a publish on, timed metadata is on 258 (ID3 tags, "Timed Metadata for HTTP Live Streaming").
//!
//! - [`Packager`] converts the frames of one stream to [`TsFrame`]s, once for all consumers of MPEG-TS: HTTP-TS, HLS files,
//!   HLS from memory and TS recordings.
//! - [`Muxer`] writes tables and PES packets; in the server only the packager uses it.
//! - [`Demuxer`] reads recordings back.
//! - [`Splicer`] joins parts of recordings to a stream.
//! - [`AudioCollector`] collects several audio frames into one PES packet.
//!
//! Supported codecs are H.264, HEVC, AAC (ADTS) and MP3. Frames of other codecs cause [`MpegtsError::Unsupported`] and have
//! no other effect. Encryption is not done here: HLS encrypts whole segments.

pub(in crate::wire) mod adts;
mod annexb;
mod audio_collector;
mod demuxer;
mod flv_body;
pub(in crate::wire) mod mp3;
mod muxer;
mod packager;
mod packet;
mod pes;
mod splicer;
mod table;

pub use audio_collector::{AudioCollector, FrameLength, PesContent};
pub use demuxer::{Demuxer, ElementaryCodec, ElementaryUnit};
pub(in crate::wire) use muxer::PRESENTATION_DELAY;
pub use muxer::{AudioFrames, Muxer, TABLES_SIZE, VideoFrame};
pub(in crate::wire) use packager::TimestampExtender;
pub use packager::{Packager, PackagerSettings, TimedMessage, TsFrame};
pub use splicer::{Splicer, UnitStart, discontinuities};
pub(in crate::wire) use table::crc32;

use std::fmt;

/// Size of every transport stream packet (ISO 13818-1 §2.4.3.2).
pub const PACKET_SIZE: usize = 188;

/// Ticks of the 90 kHz clock per millisecond.
pub const TICKS_PER_MS: u64 = 90;

/// PID of the program map table.
pub const PID_PMT: u16 = 0x1001;
/// PID of the video elementary stream.
pub const PID_VIDEO: u16 = 0x0100;
/// PID of the audio elementary stream.
pub const PID_AUDIO: u16 = 0x0101;

/// PID of timed metadata.
pub const PID_METADATA: u16 = 0x0102;

/// PID of the program association table (ISO 13818-1 table 2-3).
pub const PID_PAT: u16 = 0x0000;

/// Reason why a frame or a codec configuration was not used. All are caused by the peer, and none changes the state of
/// the muxer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MpegtsError {
    /// A length inside the frame points beyond its end.
    Truncated,
    /// An invalid codec configuration.
    BadConfig,
    /// A frame before the configuration of its codec.
    MissingConfig,
    /// A frame without content.
    Empty,
    /// A frame or configuration too large for a PES packet, an ADTS frame or a key frame.
    TooLarge,
    /// An unsupported codec.
    Unsupported,
}

impl MpegtsError {
    /// What is wrong, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Truncated => "frame is truncated",
            Self::BadConfig => "codec configuration is malformed",
            Self::MissingConfig => "frame before its codec configuration",
            Self::Empty => "frame carries nothing",
            Self::TooLarge => "frame or codec configuration is too large",
            Self::Unsupported => "codec cannot be carried in a transport stream",
        }
    }
}

impl fmt::Display for MpegtsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for MpegtsError {}
