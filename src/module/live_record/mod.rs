//! Recording of streams as MPEG-TS with an index.

pub mod conf;
mod current;
mod directory;
pub mod files;
mod index;
pub mod log;
pub mod playback;
mod retention;
mod stream_files;
pub mod task;

pub use current::CurrentFiles;
pub use directory::{FilePair, RecordingDirectory};
pub use index::{IndexEntry, IndexWriter};
pub use retention::TsRecordings;
pub use stream_files::TsStreamFiles;

use std::path::PathBuf;

use crate::config::Config;

/// Directories to which applications record.
pub fn directories(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let recording = config.applications().map(|application| application.get::<conf::Current>());
    recording.filter(|conf| conf.live_record).map(|conf| &conf.path.0)
}
