//! Settings of a segmenter.

use super::super::VariantRule;
use crate::directive::word::one_of;
use crate::media::segments::{CutRule, PlaylistKind};

one_of! {
    /// Numbering of segments, `hls_fragment_naming`.
    pub enum Naming {
        /// Consecutive.
        "sequential" => Sequential,
        /// By the 90 kHz timestamp of the first piece.
        "timestamp" => Timestamp,
        /// By the system clock in milliseconds at their start.
        "system" => System,
    }
}

/// Encryption of segments, `hls_keys on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// Number of segments with the same key; 0 for all of a publish.
    pub fragments_per_key: u64,
}

/// Settings of a segmenter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmenterSettings {
    /// Rule for segment boundaries.
    pub cut: CutRule,
    /// Length of a live playlist in milliseconds.
    pub playlist_length_ms: u64,
    /// Kind of playlist.
    pub kind: PlaylistKind,
    /// Numbering of segments.
    pub naming: Naming,
    /// Granularity to which numbers are rounded down; 0 does not round.
    pub naming_granularity: u64,
    /// Encryption, if enabled.
    pub keys: Option<KeySettings>,
    /// Whether the playlist ends with the publish, because a later one does not continue it.
    pub ends: bool,
    /// Whether segments that left the playlist are removed. An event playlist keeps all segments.
    pub cleanup: bool,
    /// Master playlists in which the stream may be a variant.
    pub variants: Vec<VariantRule>,
}
