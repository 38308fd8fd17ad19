//! Directives of the GOP cache.

use super::shift;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec};
use crate::hub::gop::StartSettings;

directives! {
    /// GOP cache, from which new players start.
    module "gop";
    held as Conf {
        session {
            /// Keeps at least this much media in complete groups of pictures; 0 keeps none.
            ///
            /// Example: `cache_time 3s;`
            "cache_time" => cache_time: Msec = "0", in RTMP_ALL;
            /// Keeps this much more media, for players that request to start in the past with `?roll_back=MILLISECONDS`
            /// after the stream name. `out_queue` limits it. With `live_record` players of RTMP and `flv_live` can start as far in the
            /// past as the stream is recorded: they are sent what is recorded, with timestamps from 0, and then go on with
            /// what is kept, without a gap. 0 keeps nothing, and players start as usual.
            ///
            /// Not in PingOS today; a directive of its earlier releases.
            ///
            /// Example: `roll_back 30s;`
            "roll_back" => roll_back: Msec = "0", in RTMP_ALL;
            /// Moves a player to each new key frame and skips the media in between.
            ///
            /// Example: `low_latency on;`
            "low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// Moves a player that is more than this time behind, beyond `cache_time`, to the newest key frame; 0
            /// never does. A directive of earlier PingOS releases. A player is checked when its connection accepts no
            /// more data.
            ///
            /// Not in PingOS today; a directive of its earlier releases.
            ///
            /// Example: `latency_time 5s;`
            "latency_time" => latency_time: Msec = "0", in RTMP_ALL;
            /// Sends the whole cache to a new player at once instead of `cache_time` worth.
            ///
            /// Example: `send_all on;`
            "send_all" => send_all: Flag = "off", in RTMP_ALL;
            /// Flattens forward jumps of timestamps above this value; 0 leaves them. For players it requires
            /// `cache_time`: without a cache they get such jumps as sent. FLV recordings are always corrected.
            ///
            /// Example: `fix_timestamp 2s;`
            "fix_timestamp" => fix_timestamp: Msec = "10s", in RTMP_ALL;
            /// Makes a player's timestamps start at zero. Requires `fix_timestamp`.
            ///
            /// Example: `zero_start on;`
            "zero_start" => zero_start: Flag = "off", in RTMP_ALL;
        }
    }
}

impl Conf {
    /// Media kept for new players, in total.
    pub fn kept(&self) -> Msec {
        shift::kept(self.cache_time, self.roll_back)
    }

    /// How far a player with this query string begins before what is kept, in milliseconds of time.
    pub fn past(&self, pargs: &[u8]) -> Option<u64> {
        shift::beyond(self.kept(), self.roll_back, pargs)
    }

    /// Start position of a player with this query string.
    pub fn start(&self, pargs: &[u8]) -> StartSettings {
        let cache_time = u32::try_from(self.cache_time.0).unwrap_or(u32::MAX);
        let usual = StartSettings { cache_time, send_all: self.send_all, low_latency: self.low_latency };
        shift::start(usual, self.kept(), self.roll_back, pargs)
    }
}
