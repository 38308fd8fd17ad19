//! Directives of the record module.

use super::Recorders;
use crate::directive::context::{APPLICATION, RECORDER, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{Flag, Msec, RawPath, Size, Summed, Text};

any_of! {
    /// Media that a recorder writes.
    pub struct RecordParts {
        /// Nothing, regardless of the other words.
        "off" => OFF = 0b0_0001,
        /// Audio and video.
        "all" => ALL = 0b0_0110,
        /// Audio.
        "audio" => AUDIO = 0b0_0010,
        /// Video.
        "video" => VIDEO = 0b0_0100,
        /// Key frames only.
        "keyframes" => KEYFRAMES = 0b0_1000,
        /// Only on a control request.
        "manual" => MANUAL = 0b1_0000,
    }
}

directives! {
    /// Recording of streams as FLV.
    module "record";
    blocks {
        /// A named recorder in addition to the application's own; it inherits the application's settings.
        "recorder" => Text, opens RECORDER, in APPLICATION;
    }
    live as Current {
        /// Media that the FLV recorder of this level writes; manual starts it only by a control request. A file with
        /// video begins with the first key frame, or, as in the original, with the audio between the video's codec
        /// header and that key frame; without any video it begins 2s after the first audio.
        "record" => parts: Summed<RecordParts>, in RTMP_ALL | RECORDER;
        /// Directory of the FLV files, which must exist.
        "record_path" => path: RawPath = "", in RTMP_ALL | RECORDER;
        /// Suffix of the file name; with a % it is expanded by strftime (local time).
        "record_suffix" => suffix: Text = ".flv", in RTMP_ALL | RECORDER;
        /// Adds -UNIXTIME to the file name.
        "record_unique" => unique: Flag = "off", in RTMP_ALL | RECORDER;
        /// Appends to an existing file and continues its timestamps.
        "record_append" => append: Flag = "off", in RTMP_ALL | RECORDER;
        /// Locks the file with fcntl while recording.
        "record_lock" => lock: Flag = "off", in RTMP_ALL | RECORDER;
        /// Closes the file once it exceeds this size; the next file requires a unique name (`record_unique`).
        "record_max_size" => max_size: Size = "0", in RTMP_ALL | RECORDER;
        /// Closes the file after this number of video frames; the next file requires a unique name.
        "record_max_frames" => max_frames: Size = "0", in RTMP_ALL | RECORDER;
        /// Starts a new file after this time, at a key frame.
        "record_interval" => interval: Option<Msec>, in RTMP_ALL | RECORDER;
        /// Sends the status messages NetStream.Record.Start, Stop and Failed to the publisher.
        "record_notify" => notify: Flag = "off", in RTMP_ALL | RECORDER;
    }
    made { Recorders; }
}
