//! Directives of the record module.

use super::Recorders;
use crate::directive::context::{APPLICATION, RECORDER, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{Flag, Msec, RawPath, Size, Summed, Text};

any_of! {
    /// Which media a recorder writes.
    pub struct RecordParts {
        /// Nothing, although other words say so.
        "off" => OFF = 0b0_0001,
        /// Audio and video.
        "all" => ALL = 0b0_0110,
        /// Audio.
        "audio" => AUDIO = 0b0_0010,
        /// Video.
        "video" => VIDEO = 0b0_0100,
        /// Key frames only.
        "keyframes" => KEYFRAMES = 0b0_1000,
        /// Only when a control request asks for it.
        "manual" => MANUAL = 0b1_0000,
    }
}

directives! {
    /// Recording of streams as FLV.
    module "record";
    blocks {
        /// A named recorder beside the application's own; it inherits the application's settings.
        "recorder" => Text, opens RECORDER, in APPLICATION;
    }
    live as Current {
        /// Which media the FLV recorder of this level writes; manual = start only via the control API. A file with video begins
        /// with the first key frame, or, as in the original, with the audio that comes between the codec header of the video
        /// and that; without any video, 2s after the first audio.
        "record" => parts: Summed<RecordParts>, in RTMP_ALL | RECORDER;
        /// Directory of the FLV files. It has to exist.
        "record_path" => path: RawPath = "", in RTMP_ALL | RECORDER;
        /// Appended to the stream name; with a % it is passed through strftime (local time).
        "record_suffix" => suffix: Text = ".flv", in RTMP_ALL | RECORDER;
        /// Adds -UNIXTIME to the file name.
        "record_unique" => unique: Flag = "off", in RTMP_ALL | RECORDER;
        /// Appends to an existing file, continuing its timestamps.
        "record_append" => append: Flag = "off", in RTMP_ALL | RECORDER;
        /// Locks the file with fcntl while recording.
        "record_lock" => lock: Flag = "off", in RTMP_ALL | RECORDER;
        /// Closes the file once it exceeds this size; the next one needs a name of its own (`record_unique`).
        "record_max_size" => max_size: Size = "0", in RTMP_ALL | RECORDER;
        /// Closes the file after this many video frames; the next one needs a name of its own.
        "record_max_frames" => max_frames: Size = "0", in RTMP_ALL | RECORDER;
        /// Starts a new file after this time (at a key frame).
        "record_interval" => interval: Option<Msec>, in RTMP_ALL | RECORDER;
        /// Sends NetStream.Record.Start/Stop/Failed status to the publisher.
        "record_notify" => notify: Flag = "off", in RTMP_ALL | RECORDER;
    }
    made { Recorders; }
}
