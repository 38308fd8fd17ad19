//! Directives of the record module.

use crate::conf::context::{APPLICATION, RECORDER, RTMP_ALL};
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{AnyOf, Flag, Msec, RawPath, Size, Summed, Text};

word_lists! {
    /// Words of `record`.
    pub RecordParts: "off" | "all" | "audio" | "video" | "keyframes" | "manual";
}

directives! {
    /// Recording of streams as FLV.
    module "record";
    blocks {
        /// A named recorder beside the application's own; it inherits the application's settings.
        "recorder" => Text, opens RECORDER, in APPLICATION;
    }
    later {
        /// Which media the FLV recorder of this level writes; manual = start only via the control API.
        "record" => Summed<AnyOf<RecordParts>>, in RTMP_ALL | RECORDER;
        /// Directory of the FLV files.
        "record_path" => RawPath, in RTMP_ALL | RECORDER;
        /// Appended to the stream name; with a % it is passed through strftime (local time).
        "record_suffix" => Text = ".flv", in RTMP_ALL | RECORDER;
        /// Adds -UNIXTIME to the file name.
        "record_unique" => Flag = "off", in RTMP_ALL | RECORDER;
        /// Appends to an existing file, continuing its timestamps.
        "record_append" => Flag = "off", in RTMP_ALL | RECORDER;
        /// Locks the file with fcntl while recording.
        "record_lock" => Flag = "off", in RTMP_ALL | RECORDER;
        /// Closes the file once it exceeds this size.
        "record_max_size" => Size = "0", in RTMP_ALL | RECORDER;
        /// Closes the file after this many video frames.
        "record_max_frames" => Size = "0", in RTMP_ALL | RECORDER;
        /// Starts a new file after this time (at a key frame).
        "record_interval" => Msec, in RTMP_ALL | RECORDER;
        /// Sends NetStream.Record.Start/Stop/Failed status to the publisher.
        "record_notify" => Flag = "off", in RTMP_ALL | RECORDER;
    }
}
