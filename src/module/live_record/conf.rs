//! Directives of the live record module.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, MsecFrom, PrefixPath, Size};
use crate::media::files::keep::Keep;

directives! {
    /// Recording of streams as MPEG-TS with an index.
    module "live record";
    live as Current {
        /// Records published streams as MPEG-TS files with an index in m3u8 format.
        ///
        /// Example: `live_record on;`
        "live_record" => live_record: Flag = "off", in RTMP_ALL;
        /// Root directory: PATH/SERVERID/APP/NAME/YYYYMMDD/NAME_UNIXTIME.ts and
        /// .../index/YYYYMMDD/NAME-UNIXTIME.m3u8.
        ///
        /// Differs from PingOS, which makes the directory at the start and by `-t`, even with `live_record off`.
        ///
        /// Example: `live_record_path /var/lib/pingosd/ts;`
        "live_record_path" => path: PrefixPath = "record", in RTMP_ALL;
        /// Interval of the wall-clock grid on which a new file is started (at a key frame).
        ///
        /// Differs from PingOS: a time below 1s is refused; PingOS accepts it and fails at the first recording.
        ///
        /// Example: `live_record_interval 1h;`
        "live_record_interval" => interval: MsecFrom<1000> = "10m", in RTMP_ALL;
        /// Minimum length of an index entry (cut at the next key frame).
        ///
        /// Example: `live_record_min_fragment 4s;`
        "live_record_min_fragment" => min_fragment: Msec = "8s", in RTMP_ALL;
        /// Maximum length of an index entry (cut at once).
        ///
        /// Example: `live_record_max_fragment 10s;`
        "live_record_max_fragment" => max_fragment: Msec = "12s", in RTMP_ALL;
        /// Removes recordings of the application, each with its index, that are older than age=, and the oldest ones while
        /// all of them together exceed size=; files being written or read stay.
        ///
        /// Not in PingOS.
        ///
        /// Example: `live_record_keep age=3d;`
        "live_record_keep" => keep: Keep = "off", in RTMP_ALL;
        /// Size of the write buffer of each file that is recorded, in bytes.
        ///
        /// Example: `live_record_buffer 512k;`
        "live_record_buffer" => buffer: Size = "1m", in RTMP_ALL;
    }
}
