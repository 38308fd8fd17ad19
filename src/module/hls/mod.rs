//! HLS files on disk: segments, playlists and keys of every published stream. A task per publish segments the stream and
//! writes, another removes what is left over.
//!
//! Rules touch no file: [`Segmenter`] says what is to be written, in order, and the task that drives it does that.
//!
//! - [`Layout`] names files and their URIs.
//! - [`cleanup`] tells which files of a directory have outlived their playlist.

pub mod cleanup;
pub mod conf;
mod crypt;
mod directory;
mod layout;
pub mod log;
mod recording;
mod segmenter;
pub mod sweeper;
mod variant;
mod writer;

pub use directory::make_directories;
pub use layout::Layout;
pub use recording::HlsFiles;
pub use segmenter::{Action, Encryption, Keys, Naming, PlaylistKind, Segmenter, Settings};
pub use variant::VariantRule;
