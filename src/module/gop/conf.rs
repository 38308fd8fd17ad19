//! Directives of the GOP cache.

use crate::conf::context::RTMP_ALL;
use crate::conf::directive::directives;
use crate::conf::{Flag, Msec};

directives! {
    /// The cache from which new players start.
    module "gop";
    held as Conf {
        session {
            /// Keeps at least this much media, in whole groups of pictures; 0 keeps none.
            "cache_time" => cache_time: Msec = "0", in RTMP_ALL;
            /// Moves a player to each new key frame, dropping what it still had to get.
            "low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// A new player gets the whole cache at once instead of `cache_time` worth.
            "send_all" => send_all: Flag = "off", in RTMP_ALL;
            /// Jumps of timestamps larger than this are flattened for players; 0 leaves them.
            "fix_timestamp" => fix_timestamp: Msec = "10s", in RTMP_ALL;
            /// Timestamps of a player start at zero. Needs `fix_timestamp`.
            "zero_start" => zero_start: Flag = "off", in RTMP_ALL;
        }
    }
}
