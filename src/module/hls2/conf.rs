//! Directives of the hls2 module.

use super::live::Hls2Live;
use crate::conf::context::{LOCATION, RTMP_ALL};
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{Flag, Msec, MsecFrom, Num, OneOf, Own, Size, Text};

word_lists! {
    /// Words of `hls2_fragment_slicing`.
    pub Hls2FragmentSlicing: "plain" | "aligned";
}

directives! {
    /// HLS from memory.
    module "hls2";
    live as Current {
        /// Serves HLS of the streams of the rtmp server that listens on that address.
        "hls2_live" => hls2_live: Own<Hls2Live>, in LOCATION, no effect yet;
    }
    later {
        /// Enables in-memory HLS (per-session playlists cut from the TS cache).
        "hls2" | "hls2memory" => Flag = "off", in RTMP_ALL;
        /// Target segment length.
        "hls2_fragment" => MsecFrom<1> = "5s", in RTMP_ALL;
        /// Forced cut length.
        "hls2_max_fragment" => Msec, in RTMP_ALL;
        /// Playlist window.
        "hls2_playlist_length" => Msec, in RTMP_ALL;
        /// Playlist is withheld until this many segments exist.
        "hls2_minfrags" => Num = "2", in RTMP_ALL;
        /// As hls_fragment_slicing.
        "hls2_fragment_slicing" => OneOf<Hls2FragmentSlicing> = "plain", in RTMP_ALL;
        /// Audio buffer size.
        "hls2_audio_buffer_size" => Size, in RTMP_ALL;
        /// Prefix for segment URIs.
        "hls2_base_url" => Text, in RTMP_ALL;
        /// Idle time after which a player session is dropped.
        "hls2_timeout" => Msec, in RTMP_ALL;
    }
    needless {
        /// There is nothing to clean up in memory.
        "hls2_cleanup" => Flag = "on", in RTMP_ALL;
    }
}
