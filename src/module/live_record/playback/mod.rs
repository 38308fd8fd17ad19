//! Playback of recordings over HTTP: `vod_live`.
//!
//! The index of `live_record` tells which bytes of which files belong to a time range ([`RecordingIndex`]); they are
//! served as HLS (`playlist`) or as one FLV file (`flv`). Players of the live stream that begin far back are sent them before the
//! cache (`past`).

mod catalogue;
pub mod conf;
mod entry;
mod flv;
mod format;
mod handler;
mod log;
mod past;
mod playlist;
mod range;
mod reader;

pub use catalogue::{RecordingIndex, find};
pub use entry::{RecordedFile, RecordedPart, read_index};
pub use handler::VodHandler;
pub use past::RecordedPasts;
pub use playlist::{PlaylistState, media_playlist};
pub use range::{TimeRange, TimeRequest};
