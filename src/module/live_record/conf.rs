//! Directives of the live record module.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, MsecFrom, PrefixPath, Size};

directives! {
    /// Recording of streams as MPEG-TS with an index.
    module "live record";
    live as Current {
        /// Records published streams as TS plus an index m3u8.
        "live_record" => live_record: Flag = "off", in RTMP_ALL;
        /// Root: PATH/SERVERID/APP/NAME/YYYYMMDD/NAME_UNIXTIME.ts and .../index/YYYYMMDD/NAME-UNIXTIME.m3u8.
        "live_record_path" => path: PrefixPath = "record", in RTMP_ALL;
        /// Wall-clock grid on which a new TS file is started (at a key frame).
        "live_record_interval" => interval: MsecFrom<1000> = "10m", in RTMP_ALL;
        /// Shortest index entry (cut at a key frame after this).
        "live_record_min_fragment" => min_fragment: Msec = "8s", in RTMP_ALL;
        /// Longest index entry (forced cut).
        "live_record_max_fragment" => max_fragment: Msec = "12s", in RTMP_ALL;
        /// Write buffer of the TS recorder.
        "live_record_buffer" => buffer: Size = "1m", in RTMP_ALL;
    }
}
