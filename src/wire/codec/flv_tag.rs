//! The first bytes of audio and video messages, which FLV tags and RTMP messages share.

mod audio;
mod video;

pub use audio::{AudioCodec, AudioPacket, AudioTag};
pub use video::{DEFAULT_HEVC_CODEC_ID, FrameType, VideoCodec, VideoPacket, VideoTag};
