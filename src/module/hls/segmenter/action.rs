//! What a segmenter has done to files.

use std::path::PathBuf;

use bytes::Bytes;

/// An action of [`SegmentFiles`]. Paths are relative to `hls_path`, those of keys to `hls_key_path`, and
/// contain no `..`; missing directories must be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmenterAction {
    /// Create a key of 16 random bytes, write it, and keep it for the segments that refer to it.
    WriteKey {
        /// File below the key path.
        file: PathBuf,
        /// Number of the key.
        key_id: u64,
    },
    /// Replace an initialisation segment atomically.
    WriteMap {
        /// File to replace.
        file: PathBuf,
        /// Contents.
        bytes: Bytes,
    },
    /// Create a file, or truncate an existing one. At most one segment is open.
    OpenSegment {
        /// File to create.
        file: PathBuf,
        /// Encryption, if enabled.
        encryption: Option<Encryption>,
    },
    /// Append to the open segment.
    Append(Bytes),
    /// Close the open segment.
    CloseSegment {
        /// The file, which is now complete.
        file: PathBuf,
        /// Duration in milliseconds.
        duration_ms: u64,
    },
    /// Replace a playlist atomically: write a temporary file and rename it.
    WritePlaylist {
        /// File to replace.
        file: PathBuf,
        /// Contents.
        text: String,
    },
    /// Append lines to a playlist that was written before, if that succeeded. Readers must never see an incomplete
    /// line.
    AppendPlaylist {
        /// File to append to.
        file: PathBuf,
        /// Lines to append.
        text: String,
    },
    /// Remove a segment or an initialisation segment.
    Remove {
        /// File to remove.
        file: PathBuf,
    },
    /// Remove a key.
    RemoveKey {
        /// File below the key path.
        file: PathBuf,
    },
}

/// Performs actions, at once: a playlist must not list a segment that could not be written.
pub trait SegmentFiles {
    /// Performs an action. Returns whether it succeeded; that of [`SegmenterAction::CloseSegment`] succeeds if the whole
    /// segment was written.
    fn perform(&mut self, action: SegmenterAction) -> bool;
}

/// Collects actions, as if each succeeded.
impl SegmentFiles for Vec<SegmenterAction> {
    fn perform(&mut self, action: SegmenterAction) -> bool {
        self.push(action);
        true
    }
}

/// AES-128-CBC encryption with PKCS #7 padding over the whole segment (RFC 8216 §4.3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Number of the key in [`SegmenterAction::WriteKey`].
    pub key_id: u64,
    /// Initialisation vector of every segment with this key.
    pub iv: [u8; 16],
}
