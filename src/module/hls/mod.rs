//! HLS files on disk: segments, playlists and keys of every published stream.
//!
//! Nothing here touches a file. [`Segmenter`] says what is to be written, in order, and whoever drives it
//! does that.
//!
//! - [`Cutter`] decides where one segment ends and the next begins; HLS from memory uses it too.
//! - [`Layout`] names files and their URIs.
//! - [`cleanup`] tells which files of a directory have outlived their playlist.
//!
//! HLS files: a task per publish segments the stream and writes, another removes what is left over.

pub mod cleanup;
pub mod conf;
mod crypt;
mod cutter;
mod directory;
mod layout;
pub mod log;
mod presentation;
mod recording;
mod segmenter;
pub mod sweeper;
mod variant;
mod writer;

pub use cutter::{Cut, CutRule, Cutter, Slicing};
pub use layout::Layout;
pub use presentation::{MEASURED, Presentation, Presentations};
pub use segmenter::{Action, Encryption, Keys, Naming, PlaylistKind, Segmenter, Settings};
pub use variant::VariantRule;

pub use directory::make_directories;
pub use recording::HlsFiles;
