//! Directives of HLS from memory.

use super::FragmentSettings;
use super::live::Hls2Live;
use crate::directive::context::{LOCATION, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Flag, Msec, MsecFrom, NotInherited, Num, Size, Text};
use crate::media::segments::{CutRule, Slicing};

/// Default of `hls2_max_fragment` as a multiple of `hls2_fragment`.
const LONGEST_FRAGMENT: u64 = 10;
/// Default length of a playlist as a multiple of `hls2_fragment`.
const PLAYLIST_FRAGMENTS: u64 = 3;
/// Default session timeout as a multiple of the playlist's length.
const TIMEOUT_PLAYLISTS: u64 = 3;

one_of! {
    /// `hls2_format`.
    pub enum FragmentType {
        /// MPEG-TS.
        "ts" => Ts,
        /// Fragmented MP4.
        "fmp4" => Fmp4,
    }
}

one_of! {
    /// `hls2_session_bind`.
    pub enum SessionBind {
        /// Not bound: an id issued by the server is valid from every address.
        "off" => Off,
        /// Bound to the address of the first request.
        "addr" => Addr,
        /// Bound to the arguments of the first request.
        "args" => Args,
        /// Both.
        "addr_args" => AddrArgs,
    }
}

impl SessionBind {
    /// Whether an id is bound to one address.
    pub fn to_addr(self) -> bool {
        matches!(self, SessionBind::Addr | SessionBind::AddrArgs)
    }

    /// Whether an id is bound to one query.
    pub fn to_args(self) -> bool {
        matches!(self, SessionBind::Args | SessionBind::AddrArgs)
    }
}

directives! {
    /// HLS from memory.
    module "hls2";
    held as Conf completed by Conf::derived_from {
        session {
            /// Keeps HLS fragments of published streams in memory, per stream up to twice `stream_backlog`.
            ///
            /// Differs from PingOS, which takes fragments from the cache of `mpegts_cache_time`, which must be
            /// at least `hls2_playlist_length`. Here the fragments are kept without that cache.
            ///
            /// Example: `hls2 on;`
            "hls2" | "hls2memory" => hls2: Flag = "off", in RTMP_ALL;
            /// Nominal length of a fragment; it ends at the first key frame after it.
            ///
            /// Differs from PingOS, which does not cut at this length, but at `hls2_max_fragment`, and not at
            /// all without that line.
            ///
            /// Example: `hls2_fragment 2s;`
            "hls2_fragment" => fragment: MsecFrom<1> = "5s", in RTMP_ALL;
            /// Length at which a fragment ends even without a key frame; the default is ten times the server's
            /// `hls2_fragment`.
            ///
            /// Example: `hls2_max_fragment 10s;`
            "hls2_max_fragment" => max_fragment: Option<Msec>, in RTMP_ALL;
            /// Length of a playlist; the default is three times the server's `hls2_fragment`.
            ///
            /// Differs from PingOS: a playlist always holds three fragments or more; PingOS keeps to the
            /// length.
            ///
            /// Example: `hls2_playlist_length 12s;`
            "hls2_playlist_length" => playlist_length: Option<Msec>, in RTMP_ALL;
            /// Number of fragments required before a first playlist is sent; at most as many as `hls2_playlist_length`
            /// holds.
            ///
            /// Differs from PingOS: the default of PingOS is 2, with which Chromium does not start to play.
            ///
            /// Example: `hls2_minfrags 2;`
            "hls2_minfrags" => minfrags: Num = "3", in RTMP_ALL;
            /// Cuts at the first key frame after `hls2_fragment`, or after each multiple of it.
            ///
            /// Example: `hls2_fragment_slicing aligned;`
            "hls2_fragment_slicing" => fragment_slicing: Slicing = "plain", in RTMP_ALL;
            /// Text before the path of each fragment in playlists, inserted unchanged: usually the address of this
            /// server for players that got the playlist through another one.
            ///
            /// Example: `hls2_base_url https://edge1.example.com;`
            "hls2_base_url" => base_url: Text = "", in RTMP_ALL;
            /// Format of fragments: MPEG-TS, or fragmented MP4, which carries H.264, HEVC, AV1, AAC, MP3, Opus, AC-3, E-AC-3
            /// and FLAC. With `fmp4` the media playlist names NAME-ID.m4s and initialisation segments NAME-ID.init.m4s.
            ///
            /// Not in PingOS.
            ///
            /// Example: `hls2_format fmp4;`
            "hls2_format" => format: FragmentType = "ts", in RTMP_ALL;
            /// Low-Latency HLS: the media playlist also names the parts of a fragment as they are made, and its requests may
            /// wait for a part (`_HLS_msn`, `_HLS_part`) and leave out old fragments (`_HLS_skip`). A request waits for at
            /// most three target durations and then gets status 503, as do more than 16 waiting requests of a session. It
            /// implies `hls2_format fmp4`, and a first playlist is sent with the first fragment.
            ///
            /// Not in PingOS.
            ///
            /// Example: `hls2_low_latency on;`
            "hls2_low_latency" => low_latency: Flag = "off", in RTMP_ALL;
            /// Longest part of a fragment with `hls2_low_latency`. Players stay three parts behind the publisher.
            ///
            /// Not in PingOS.
            ///
            /// Example: `hls2_part 500ms;`
            "hls2_part" => part: MsecFrom<50> = "200ms", in RTMP_ALL;
            /// Also serves the stream as `/LOCATION/NAME/index.m3u8`, with `NAME/NAME-ID.ts`. A directive of earlier PingOS
            /// releases, which with it served only those names.
            ///
            /// Not in PingOS today; a directive of its earlier releases, which with it served only those names.
            ///
            /// Example: `hls2_nested on;`
            "hls2_nested" => nested: Flag = "off", in RTMP_ALL;
            /// Ends a session without requests after this time; the default is three times the playlist's length.
            ///
            /// Differs from PingOS, which ignores the line.
            ///
            /// Example: `hls2_timeout 30s;`
            "hls2_timeout" => timeout: Option<Msec>, in RTMP_ALL;
            /// What a session id is bound to, besides its stream: with `addr`, to the address of its first request;
            /// with `args`, playlists require the same arguments; with `addr_args`, both; with `off`, nothing. A
            /// request from another address starts another session, for which callbacks are sent; other arguments get
            /// status 403. Ids that players chose themselves are always bound to their address. With `off` players may
            /// change their address.
            ///
            /// Not in PingOS.
            ///
            /// Example: `hls2_session_bind addr;`
            "hls2_session_bind" => session_bind: SessionBind = "off", in RTMP_ALL, restricts sessions;
        }
    }
    live as Current {
        /// Serves HLS of the streams of the rtmp server that listens on this address, as `/LOCATION/NAME.m3u8`: a
        /// master playlist with a session, whose media playlist and fragments follow. `app=` is the application of
        /// requests that name none, as with `flv_live`.
        ///
        /// Differs from PingOS: the media playlist is sent after the answer to `on_play`, where PingOS may send
        /// it before. The master playlist has the bandwidth, codecs and resolution of the stream.
        ///
        /// Example: `hls2_live 1935 app=live;`
        "hls2_live" => hls2_live: NotInherited<Hls2Live>, in LOCATION, selects handler;
    }
    needless {
        /// Has no effect in PingOS either; see `mpegts_audio_buffer_size`.
        "hls2_audio_buffer_size" => Size, in RTMP_ALL;
        /// Nothing needs to be cleaned up in memory.
        "hls2_cleanup" => Flag = "on", in RTMP_ALL;
    }
}

impl Conf {
    /// Takes derived defaults from the server's values, as PingOS does: an application that sets only `hls2_fragment`
    /// keeps the server's lengths. Unlike in PingOS, a playlist holds at least three fragments.
    pub fn derived_from(mut self, server: &Conf) -> Conf {
        let longest = server.longest_ms().max(self.fragment.0);
        let playlist = server.playlist_length_ms().max(self.playlist_length_ms());
        self.max_fragment.get_or_insert(Msec(longest));
        self.playlist_length.get_or_insert(Msec(playlist));
        self
    }

    /// Length in milliseconds at which a fragment ends even without a key frame.
    fn longest_ms(&self) -> u64 {
        self.max_fragment.map_or(self.fragment.0.saturating_mul(LONGEST_FRAGMENT), |length| length.0)
    }

    /// Settings of the window of fragments.
    pub fn settings(&self) -> FragmentSettings {
        FragmentSettings {
            cut: CutRule {
                fragment_ms: self.fragment.0,
                max_fragment_ms: self.longest_ms(),
                slicing: self.fragment_slicing,
            },
            playlist_length_ms: self.playlist_length_ms(),
            min_fragments: usize::try_from(self.minfrags).unwrap_or(usize::MAX),
            part_ms: self.low_latency.then_some(self.part.0),
        }
    }

    /// Whether fragments are fragmented MP4.
    pub fn is_fmp4(&self) -> bool {
        self.low_latency || self.format == FragmentType::Fmp4
    }

    /// Time in milliseconds that a session lasts after its last request.
    pub fn timeout_ms(&self) -> u64 {
        self.timeout.map_or(self.playlist_length_ms().saturating_mul(TIMEOUT_PLAYLISTS), |timeout| timeout.0)
    }

    fn playlist_length_ms(&self) -> u64 {
        self.playlist_length.map_or(self.fragment.0.saturating_mul(PLAYLIST_FRAGMENTS), |length| length.0)
    }
}
