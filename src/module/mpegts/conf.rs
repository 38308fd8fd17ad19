//! Directives of the mpegts module.

use crate::conf::context::RTMP_ALL;
use crate::conf::directive::directives;
use crate::conf::{Flag, Msec, Size};

directives! {
    /// The MPEG-TS cache for HTTP players and HLS from memory.
    module "mpegts";
    later {
        /// TS cache length for http-ts and hls2 (whole GOPs, bounded by mpegts_out_queue/out_queue); 0
        /// disables the cache.
        "mpegts_cache_time" => Msec = "0", in RTMP_ALL;
        /// Extra history kept so that a player can start in the past.
        "mpegts_roll_back" => Msec, in RTMP_ALL;
        /// How much of the cache a new http-ts player gets in the first burst.
        "mpegts_one_off_send" => Msec = "3s", in RTMP_ALL;
        /// New http-ts player gets the whole cache.
        "mpegts_send_all" => Flag = "off", in RTMP_ALL;
        /// Audio PES collection buffer for the TS muxer.
        "mpegts_audio_buffer_size" => Size = "1m", in RTMP_ALL;
        /// As hls_sync for the TS muxer.
        "mpegts_sync" | "hls2_sync" => Msec = "2ms", in RTMP_ALL;
        /// Longest audio collection time per PES.
        "mpegts_audio_delay" | "hls2_max_audio_delay" => Msec = "300ms", in RTMP_ALL;
        /// TS frame ring length per publisher.
        "mpegts_out_queue" => Size = "4096", in RTMP_ALL;
    }
    needless {
        /// Without effect in the original as well.
        "mpegts_low_latency" => Flag = "off", in RTMP_ALL;
        /// Without effect in the original as well.
        "mpegts_fix_timestamp" => Msec = "10s", in RTMP_ALL;
        /// Without effect in the original as well.
        "mpegts_zero_start" => Flag = "off", in RTMP_ALL;
    }
}
