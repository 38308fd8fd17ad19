//! Audio and video tag headers at the start of FLV tag bodies and RTMP messages.

mod audio;
mod enhanced;
mod track;
mod video;

pub use audio::{AudioCodec, AudioPacket, AudioTag, ChannelLayout, ChannelOrder};
pub use track::{MainTrack, TrackSet};
pub use video::{DEFAULT_HEVC_CODEC_ID, FrameType, VideoCodec, VideoPacket, VideoTag};
