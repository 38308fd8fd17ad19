//! Classes of messages.

/// Meaning of a packet for a subscriber that chooses a start position or skips packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketClass {
    /// `onMetaData`.
    Metadata,
    /// Codec configuration of the main audio track.
    AudioHeader,
    /// Codec configuration of the main video track.
    VideoHeader,
    /// Other audio headers: codec configurations of further tracks, channel configurations.
    AudioExtra,
    /// Other video headers: codec configurations of further tracks, colour metadata.
    VideoExtra,
    /// Audio frame.
    Audio,
    /// Key frame of the main video track.
    Key,
    /// Video frame that depends on others, or that belongs to a further track.
    Inter,
    /// Any other data message.
    Other,
}

impl PacketClass {
    /// Whether it is a video frame.
    pub fn is_frame(self) -> bool {
        matches!(self, PacketClass::Key | PacketClass::Inter)
    }
}
