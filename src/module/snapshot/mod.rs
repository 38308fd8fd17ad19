//! Pictures of streams: the newest key frame, decoded by ffmpeg.

pub mod conf;
mod decoder;
mod handler;
mod key_frame;
mod log;
mod pictures;

pub use handler::SnapshotHandler;
pub use pictures::Pictures;
