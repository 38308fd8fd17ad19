//! Kinds of playlists.

use crate::directive::word::one_of;

one_of! {
    /// `hls_type`.
    pub enum PlaylistKind {
        /// A window of the latest segments.
        "live" => Live,
        /// All segments since the start.
        "event" => Event,
    }
}
