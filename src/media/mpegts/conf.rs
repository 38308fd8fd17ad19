//! Directives of the MPEG-TS cache for HTTP players and HLS.

use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Size};
use crate::hub::gop::StartSettings;
use crate::media::gop::shift;
use crate::wire::mpegts::Settings;

directives! {
    /// The MPEG-TS cache for HTTP players and HLS.
    module "mpegts";
    held as Conf {
        session {
            /// Keeps at least this much MPEG-TS for new players, in whole groups of pictures; 0 keeps none.
            "mpegts_cache_time" => cache_time: Msec = "0", in RTMP_ALL;
            /// How much of the cache a new player gets at once.
            "mpegts_one_off_send" => one_off_send: Msec = "3s", in RTMP_ALL;
            /// As `roll_back`, for MPEG-TS over HTTP.
            "mpegts_roll_back" => roll_back: Msec = "0", in RTMP_ALL;
            /// A new player gets the whole cache at once.
            "mpegts_send_all" => send_all: Flag = "off", in RTMP_ALL;
            /// Moves a player to each new key frame, dropping what it still had to get.
            "mpegts_low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// Most bytes of audio that are collected into one packet.
            "mpegts_audio_buffer_size" => audio_buffer_size: Size = "1m", in RTMP_ALL;
            /// Roundings of audio timestamps up to this are smoothed away.
            "mpegts_sync" => sync: Msec = "2ms", in RTMP_ALL;
            /// Longest time audio is collected into one packet.
            "mpegts_audio_delay" => audio_delay: Msec = "300ms", in RTMP_ALL;
            /// Frames that may wait for one player, and frames the cache may hold.
            "mpegts_out_queue" => out_queue: Size = "4096", in RTMP_ALL;
        }
    }
    needless {
        /// Without effect in the original as well.
        "mpegts_fix_timestamp" => Msec = "10s", in RTMP_ALL;
        /// Without effect in the original as well.
        "mpegts_zero_start" => Flag = "off", in RTMP_ALL;
    }
}

impl Conf {
    /// How much MPEG-TS is kept for new players.
    pub fn kept(&self) -> Msec {
        shift::kept(self.cache_time, self.roll_back)
    }

    /// Where a player with this query string starts.
    pub fn start(&self, pargs: &[u8]) -> StartSettings {
        let once = if self.send_all { self.cache_time } else { self.one_off_send.min(self.cache_time) };
        let cache_time = u32::try_from(once.0).unwrap_or(u32::MAX);
        let usual = StartSettings { cache_time, send_all: self.send_all, low_latency: self.low_latency };
        shift::start(usual, self.kept(), self.roll_back, pargs)
    }

    /// How a stream is packaged. `hevc_codec_id` is that of classic FLV video tags.
    pub fn packager(&self, hevc_codec_id: u8) -> Settings {
        Settings {
            hevc_codec_id,
            audio_delay_ms: self.audio_delay.0,
            audio_sync_ms: self.sync.0,
            audio_buffer_size: usize::try_from(self.audio_buffer_size.0).unwrap_or(usize::MAX),
        }
    }
}
