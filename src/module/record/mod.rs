//! Recording of streams as FLV.

pub mod conf;
mod control;
mod file_name;
pub mod flv_file;
mod metadata;
pub mod recorder;
pub mod recordings;
pub mod registry;
mod retention;
mod selection;
mod steady;

pub use conf::{RecorderSettings, Recorders};
pub use control::RECORD;
pub use file_name::file_path;
pub use metadata::{DURATION_AT, FILE_SIZE_AT, opens_with_ours, tag_body};
pub use retention::FlvRecordings;
pub use selection::{PacketSelection, SelectionStep};
pub use steady::SteadyTimeline;
