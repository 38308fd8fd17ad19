//! Recording of streams as FLV, MPEG-TS or fragmented MP4.

pub mod conf;
mod control;
mod file_name;
mod files;
pub mod flv_file;
mod format;
mod metadata;
mod mp4_file;
mod out_file;
mod record_file;
pub mod recorder;
pub mod recordings;
pub mod registry;
mod retention;
mod selection;
mod steady;
mod ts_file;

pub use conf::{RecorderSettings, Recorders};
pub use control::RECORD;
pub use file_name::file_path;
pub use files::RecordedStreamFiles;
pub use format::RecordFormat;
pub use metadata::{DURATION_AT, FILE_SIZE_AT, opens_with_ours, tag_body};
pub use retention::FlvRecordings;
pub use selection::{PacketSelection, SelectionStep};
pub use steady::SteadyTimeline;
