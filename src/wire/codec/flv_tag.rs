//! The first bytes of audio and video messages, which FLV tags and RTMP messages share.

mod audio;
mod enhanced;
mod track;
mod video;

pub use audio::{AudioCodec, AudioPacket, AudioTag, ChannelLayout, ChannelOrder};
pub use track::{MainTrack, TrackSet};
pub use video::{DEFAULT_HEVC_CODEC_ID, FrameType, VideoCodec, VideoPacket, VideoTag};
