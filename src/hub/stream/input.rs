//! Input of a publisher.

use bytes::Bytes;

use crate::hub::class::PacketClass;
use crate::hub::gop::CacheSettings;
use crate::wire::MediaKind;

/// A media message to be added to the stream.
#[derive(Debug)]
pub struct Incoming {
    /// Audio, video or data.
    pub kind: MediaKind,
    /// Meaning for subscribers.
    pub class: PacketClass,
    /// The publisher's timestamp in milliseconds.
    pub timestamp: u32,
    /// Track id, if not the main track of its kind.
    pub further_track: Option<u8>,
    /// FLV tag body.
    pub payload: Bytes,
}

/// Settings of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishSettings {
    /// GOP cache.
    pub cache: CacheSettings,
    /// Forward jumps of more milliseconds than this are flattened; 0 keeps them.
    pub fix_timestamp: u32,
    /// Whether the publisher is a relay from another server. Another publisher may stand by behind a relay.
    pub relay: bool,
}
