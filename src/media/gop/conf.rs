//! Directives of the GOP cache.

use super::shift;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec};
use crate::hub::gop::StartSettings;

directives! {
    /// The cache from which new players start.
    module "gop";
    held as Conf {
        session {
            /// Keeps at least this much media, in whole groups of pictures; 0 keeps none.
            "cache_time" => cache_time: Msec = "0", in RTMP_ALL;
            /// Keeps this much more, for players that ask to start in the past: `?roll_back=MILLISECONDS` behind the
            /// stream's name. `out_queue` bounds it.
            "roll_back" => roll_back: Msec = "0", in RTMP_ALL;
            /// Moves a player to each new key frame, dropping what it still had to get.
            "low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// A new player gets the whole cache at once instead of `cache_time` worth.
            "send_all" => send_all: Flag = "off", in RTMP_ALL;
            /// Jumps of timestamps forward by more than this are flattened; 0 leaves them. For players it needs `cache_time`, as
            /// in the original: without a cache they get such jumps as sent. FLV recordings are corrected all the same.
            "fix_timestamp" => fix_timestamp: Msec = "10s", in RTMP_ALL;
            /// Timestamps of a player start at zero. Needs `fix_timestamp`.
            "zero_start" => zero_start: Flag = "off", in RTMP_ALL;
        }
    }
}

impl Conf {
    /// How much media is kept for new players.
    pub fn kept(&self) -> Msec {
        shift::kept(self.cache_time, self.roll_back)
    }

    /// Where a player with this query string starts.
    pub fn start(&self, pargs: &[u8]) -> StartSettings {
        let cache_time = u32::try_from(self.cache_time.0).unwrap_or(u32::MAX);
        let usual = StartSettings { cache_time, send_all: self.send_all, low_latency: self.low_latency };
        shift::start(usual, self.kept(), self.roll_back, pargs)
    }
}
