//! MPEG transport streams (ISO/IEC 13818-1) out of FLV-style frames.
//!
//! One program: PAT on PID 0, PMT on 4097, video on 256, audio on 257. These numbers are the ones players
//! of the original server have always seen.
//!
//! - [`Packager`] turns the frames of one stream into [`TsFrame`]s, once, for all who want transport
//!   stream: HTTP-TS, HLS files, HLS from memory and TS recordings.
//! - [`Muxer`] writes tables and PES packets; the packager is its only caller in the server.
//! - [`AudioCollector`] gathers several audio frames into one PES packet.
//!
//! Carried are H.264, HEVC, AAC (ADTS) and MP3. Frames of other codecs are refused with
//! [`Error::Unsupported`] and cost nothing else. Encryption is not done here: HLS encrypts whole segments.

mod adts;
mod annexb;
mod audio_collector;
mod flv_body;
mod mp3;
mod muxer;
mod packager;
mod packet;
mod pes;
mod table;

pub use audio_collector::{AudioCollector, Collected, FrameLength};
pub use muxer::{AudioFrames, Muxer, TABLES_SIZE, VideoFrame};
pub use packager::{Packager, Settings, TsFrame};

use std::fmt;

/// Size of every transport stream packet (ISO 13818-1 §2.4.3.2).
pub const PACKET_SIZE: usize = 188;

/// Ticks of the 90 kHz clock in a millisecond.
pub const TICKS_PER_MS: u64 = 90;

/// PID of the program map table.
pub const PID_PMT: u16 = 0x1001;
/// PID of the video elementary stream.
pub const PID_VIDEO: u16 = 0x0100;
/// PID of the audio elementary stream.
pub const PID_AUDIO: u16 = 0x0101;

/// PID of the program association table (ISO 13818-1 table 2-3).
pub const PID_PAT: u16 = 0x0000;

/// Why a frame or a codec configuration was not used. All of these are the peer's doing, and after each
/// of them the muxer stands as it stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A length inside the frame points behind its end.
    Truncated,
    /// A codec configuration that cannot be right.
    BadConfig,
    /// A frame came before the configuration of its codec.
    MissingConfig,
    /// Nothing in the frame to carry.
    Empty,
    /// A frame or configuration above what one PES packet, ADTS frame or key frame may hold.
    TooLarge,
    /// A codec this container is not written for.
    Unsupported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "frame is truncated",
            Self::BadConfig => "codec configuration is malformed",
            Self::MissingConfig => "frame before its codec configuration",
            Self::Empty => "frame carries nothing",
            Self::TooLarge => "frame or codec configuration is too large",
            Self::Unsupported => "codec cannot be carried in a transport stream",
        })
    }
}

impl std::error::Error for Error {}
