//! HLS files on disk: segments, playlists and keys of every published stream. One task per publish segments the stream
//! and writes files, another removes outdated files.
//!
//! The rules perform no I/O: [`Segmenter`] gives actions, in order, to [`SegmentFiles`], which performs each
//! at once and tells whether it succeeded.
//!
//! - [`FileLayout`] gives the names and URIs of files.
//! - [`cleanup`] decides which files of a directory are outdated.

pub mod cleanup;
pub mod conf;
mod crypt;
mod directory;
mod files;
mod input;
mod layout;
pub mod log;
mod recording;
mod retention;
mod segmenter;
mod variant;
mod writer;

pub use crate::media::segments::PlaylistKind;
pub use cleanup::HlsCleanup;
pub use directory::make_directories;
pub use files::HlsStreamFiles;
pub use layout::FileLayout;
pub use recording::HlsFiles;
pub use retention::HlsRecordings;
pub use segmenter::{
    Encryption, KeySettings, Naming, SegmentFiles, Segmenter, SegmenterAction, SegmenterSettings,
};
pub use variant::VariantRule;
