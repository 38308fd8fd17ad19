//! Directives of the hls module.

use crate::conf::context::RTMP_ALL;
use crate::conf::directive::directives;
use crate::conf::word::word_lists;
use crate::conf::{Flag, Msec, MsecFrom, Num, OneOf, RawPath, Size, Text, Words};

word_lists! {
    /// Words of `hls_fragment_naming`.
    pub HlsFragmentNaming: "sequential" | "timestamp" | "system";
    /// Words of `hls_fragment_slicing`.
    pub HlsFragmentSlicing: "plain" | "aligned";
    /// Words of `hls_type`.
    pub HlsType: "live" | "event";
}

directives! {
    /// HLS files.
    module "hls";
    later {
        /// Writes HLS files for published streams.
        "hls" => Flag = "off", in RTMP_ALL;
        /// Target segment length.
        "hls_fragment" => MsecFrom<1> = "5s", in RTMP_ALL;
        /// Forced cut length.
        "hls_max_fragment" => Msec, in RTMP_ALL;
        /// Directory for playlists and segments.
        "hls_path" => RawPath, in RTMP_ALL;
        /// Playlist window; number of entries = length / fragment (integer division).
        "hls_playlist_length" => Msec = "30s", in RTMP_ALL;
        /// Audio timestamps drifting more than this from the computed ones are re-synchronised.
        "hls_sync" => Msec = "2ms", in RTMP_ALL;
        /// Continues the numbering of an existing playlist when a stream is published again.
        "hls_continuous" => Flag = "on", in RTMP_ALL;
        /// PATH/NAME/index.m3u8 and PATH/NAME/N.ts instead of PATH/NAME.m3u8 and PATH/NAME-N.ts.
        "hls_nested" => Flag = "off", in RTMP_ALL;
        /// How segments are numbered.
        "hls_fragment_naming" => OneOf<HlsFragmentNaming> = "sequential", in RTMP_ALL;
        /// plain: cut at the first key frame after hls_fragment; aligned: cut on multiples of hls_fragment.
        "hls_fragment_slicing" => OneOf<HlsFragmentSlicing> = "plain", in RTMP_ALL;
        /// live or event playlist; event never drops segments and disables cleanup.
        "hls_type" => OneOf<HlsType> = "live", in RTMP_ALL;
        /// Longest time audio is collected into one PES packet.
        "hls_max_audio_delay" => Msec = "300ms", in RTMP_ALL;
        /// Audio collection buffer.
        "hls_audio_buffer_size" => Size = "1m", in RTMP_ALL;
        /// Removes old segments, playlists and keys (cache-manager process).
        "hls_cleanup" => Flag = "on", in RTMP_ALL;
        /// Stream-name suffix plus attributes for a master playlist.
        "hls_variant" => Vec<Words>, in RTMP_ALL;
        /// Prefix for segment URIs in the playlist.
        "hls_base_url" => Text, in RTMP_ALL;
        /// Rounds segment ids down to a multiple.
        "hls_fragment_naming_granularity" => Num = "0", in RTMP_ALL;
        /// AES-128 encrypts segments and writes .key files.
        "hls_keys" => Flag = "off", in RTMP_ALL;
        /// Directory of the .key files.
        "hls_key_path" => RawPath, in RTMP_ALL;
        /// Prefix for key URIs.
        "hls_key_url" => Text, in RTMP_ALL;
        /// Segments per key; 0 = one key for the session.
        "hls_fragments_per_key" => Num = "0", in RTMP_ALL;
    }
    needless {
        /// Without effect in the original as well.
        "hls_muxdelay" => Msec = "700ms", in RTMP_ALL;
    }
}
