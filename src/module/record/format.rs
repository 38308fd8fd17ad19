//! Containers of recordings.

use crate::directive::word::one_of;

one_of! {
    /// Container of a recorder's files.
    pub enum RecordFormat {
        /// FLV.
        "flv" => Flv,
        /// MPEG-TS.
        "ts" => Ts,
        /// Fragmented MP4.
        "mp4" => Mp4,
    }
}

impl RecordFormat {
    /// Suffix of file names, unless `record_suffix` is set.
    pub fn suffix(self) -> &'static str {
        match self {
            RecordFormat::Flv => ".flv",
            RecordFormat::Ts => ".ts",
            RecordFormat::Mp4 => ".mp4",
        }
    }

    /// Whether a recording can go on in a file that was ended.
    pub fn appends(self) -> bool {
        self == RecordFormat::Flv
    }
}
