//! Directives of the MPEG-TS cache for HTTP players and HLS.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Count, Flag, Msec, Size};
use crate::hub::gop::StartSettings;
use crate::media::gop::shift;
use crate::wire::mpegts::PackagerSettings;

directives! {
    /// MPEG-TS packaging, and the cache for HTTP players and HLS.
    module "mpegts";
    held as Conf {
        session {
            /// Keeps at least this much MPEG-TS for new players, in complete groups of pictures; 0 keeps none.
            ///
            /// Differs from PingOS: with 0, `ts_live` sends nothing in PingOS; here new players begin with the
            /// next key frame.
            ///
            /// Example: `mpegts_cache_time 3s;`
            "mpegts_cache_time" => cache_time: Msec = "0", in RTMP_ALL;
            /// Amount of the cache that a new player gets at once, as time of its media; the rest of the cache
            /// follows at the speed of playing.
            ///
            /// Example: `mpegts_one_off_send 1s;`
            "mpegts_one_off_send" => one_off_send: Msec = "3s", in RTMP_ALL;
            /// As `roll_back`, for players of `ts_live`. They are sent what `live_record` has recorded as it is, with the
            /// timestamps of the stream; where recordings do not join, packets with `discontinuity_indicator` say so.
            ///
            /// Example: `mpegts_roll_back 30s;`
            "mpegts_roll_back" => roll_back: Msec = "0", in RTMP_ALL;
            /// Sends the whole cache to a new player at once.
            ///
            /// Example: `mpegts_send_all on;`
            "mpegts_send_all" => send_all: Flag = "off", in RTMP_ALL;
            /// Moves a player to each new key frame and skips the media in between.
            ///
            /// Differs from PingOS: the line has no effect in PingOS.
            ///
            /// Example: `mpegts_low_latency on;`
            "mpegts_low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// Maximum number of audio bytes collected into one packet.
            ///
            /// Example: `mpegts_audio_buffer_size 512k;`
            "mpegts_audio_buffer_size" => audio_buffer_size: Size = "1m", in RTMP_ALL;
            /// Smooths rounding errors of audio timestamps up to this value.
            ///
            /// Example: `mpegts_sync 5ms;`
            "mpegts_sync" => sync: Msec = "2ms", in RTMP_ALL;
            /// Maximum time for which audio is collected into one packet.
            ///
            /// Example: `mpegts_audio_delay 100ms;`
            "mpegts_audio_delay" => audio_delay: Msec = "300ms", in RTMP_ALL;
            /// Maximum number of frames queued for one player, and of frames in the cache.
            ///
            /// Example: `mpegts_out_queue 2048;`
            "mpegts_out_queue" => out_queue: Count = "4096", in RTMP_ALL;
        }
    }
    needless {
        /// Has no effect in PingOS either.
        "mpegts_fix_timestamp" => Msec = "10s", in RTMP_ALL;
        /// Has no effect in PingOS either.
        "mpegts_zero_start" => Flag = "off", in RTMP_ALL;
    }
}

impl Conf {
    /// MPEG-TS kept for new players, in total.
    pub fn kept(&self) -> Msec {
        shift::kept(self.cache_time, self.roll_back)
    }

    /// How far a player with this query string begins before what is kept, in milliseconds of time.
    pub fn past(&self, pargs: &[u8]) -> Option<u64> {
        shift::beyond(self.kept(), self.roll_back, pargs)
    }

    /// Start position of a player with this query string.
    pub fn start(&self, pargs: &[u8]) -> StartSettings {
        let once = if self.send_all { self.cache_time } else { self.one_off_send.min(self.cache_time) };
        let cache_time = u32::try_from(once.0).unwrap_or(u32::MAX);
        let usual = StartSettings { cache_time, send_all: self.send_all, low_latency: self.low_latency };
        shift::start(usual, self.kept(), self.roll_back, pargs)
    }

    /// Settings of the packager. `hevc_codec_id` is the HEVC codec id in classic FLV video tags.
    pub fn packager(&self, hevc_codec_id: u8) -> PackagerSettings {
        PackagerSettings {
            hevc_codec_id,
            audio_delay_ms: self.audio_delay.0,
            audio_sync_ms: self.sync.0,
            audio_buffer_size: usize::try_from(self.audio_buffer_size.0).unwrap_or(usize::MAX),
        }
    }
}
