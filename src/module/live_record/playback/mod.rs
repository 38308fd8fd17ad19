//! Playback of recordings over HTTP: `vod_live`.
//!
//! The index of `live_record` tells which bytes of which files belong to a time range ([`RecordingIndex`]); they are
//! served as HLS (`playlist`) or as one FLV file (`flv`).

mod catalogue;
pub mod conf;
mod entry;
mod flv;
mod handler;
mod log;
mod playlist;
mod range;

pub use catalogue::{RecordingIndex, find};
pub use entry::{RecordedFile, RecordedPart, read_index};
pub use handler::VodHandler;
pub use playlist::{PlaylistState, media_playlist};
pub use range::{TimeRange, TimeRequest};
