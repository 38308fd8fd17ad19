//! Directives of HLS from memory.

use super::FragmentSettings;
use super::live::Hls2Live;
use crate::directive::context::{LOCATION, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::word::one_of;
use crate::directive::{Flag, Msec, MsecFrom, Num, Own, Size, Text};
use crate::media::segments::{CutRule, Slicing};

/// Where fragments end without a key frame, as a multiple of the wanted length.
const LONGEST_FRAGMENT: u64 = 10;
/// Length of a playlist, as a multiple of the wanted length of a fragment.
const PLAYLIST_FRAGMENTS: u64 = 3;
/// How long a session lasts without requests, as a multiple of the playlist's length.
const TIMEOUT_PLAYLISTS: u64 = 3;

one_of! {
    /// `hls2_session_bind`.
    pub enum Bind {
        /// Nothing: an id that the server issued counts wherever it comes from.
        "off" => Off,
        /// The address of its first request.
        "addr" => Addr,
        /// The arguments of its first request.
        "args" => Args,
        /// Both.
        "addr_args" => AddrArgs,
    }
}

impl Bind {
    /// Whether an id counts for one address only.
    pub fn to_addr(self) -> bool {
        matches!(self, Bind::Addr | Bind::AddrArgs)
    }

    /// Whether an id counts for one query only.
    pub fn to_args(self) -> bool {
        matches!(self, Bind::Args | Bind::AddrArgs)
    }
}

directives! {
    /// HLS from memory.
    module "hls2";
    held as Conf completed by Conf::derived_from {
        session {
            /// Keeps HLS fragments of published streams in memory, of each stream twice as much as `stream_backlog` says.
            "hls2" | "hls2memory" => hls2: Flag = "off", in RTMP_ALL;
            /// Wanted length of a fragment.
            "hls2_fragment" => fragment: MsecFrom<1> = "5s", in RTMP_ALL;
            /// Length at which a fragment ends without a key frame; ten times the server's `hls2_fragment` if not given.
            "hls2_max_fragment" => max_fragment: Option<Msec>, in RTMP_ALL;
            /// Length of a playlist; three times the server's `hls2_fragment` if not given.
            "hls2_playlist_length" => playlist_length: Option<Msec>, in RTMP_ALL;
            /// Fragments there must be before a playlist is given out; at most those that `hls2_playlist_length` holds.
            "hls2_minfrags" => minfrags: Num = "3", in RTMP_ALL;
            /// Cuts at the first key frame after `hls2_fragment`, or behind each multiple of it.
            "hls2_fragment_slicing" => fragment_slicing: Slicing = "plain", in RTMP_ALL;
            /// Put in front of fragment URIs as it is.
            "hls2_base_url" => base_url: Text = "", in RTMP_ALL;
            /// Ends a session without requests; three times the playlist's length if not given.
            "hls2_timeout" => timeout: Option<Msec>, in RTMP_ALL;
            /// What a session's id counts for, besides its stream: with `addr` only requests from the address of the first
            /// one, with `args` only playlists with the same arguments, with `addr_args` both, with `off` all. Another
            /// address is another session, which callbacks are asked about; other arguments get 403. Ids that players
            /// chose themselves always count for their address only. With `off` players may change their address.
            "hls2_session_bind" => session_bind: Bind = "off", in RTMP_ALL, restricts sessions;
        }
    }
    live as Current {
        /// Serves HLS of the streams of the rtmp server that listens on that address, as `/LOCATION/NAME.m3u8`: a master playlist
        /// that names a session, whose media playlist and fragments follow. `app=` is the application of requests that name
        /// none, as with `flv_live`.
        "hls2_live" => hls2_live: Own<Hls2Live>, in LOCATION;
    }
    needless {
        /// Without effect in the original as well; `mpegts_audio_buffer_size` counts.
        "hls2_audio_buffer_size" => Size, in RTMP_ALL;
        /// There is nothing to clean up in memory.
        "hls2_cleanup" => Flag = "on", in RTMP_ALL;
    }
}

impl Conf {
    /// Takes derived defaults from the values of the surrounding server, as the original does: an application that
    /// sets `hls2_fragment` alone keeps the server's lengths. Unlike there, a playlist holds at least three of its
    /// own fragments.
    pub fn derived_from(mut self, server: &Conf) -> Conf {
        let longest = server.longest_ms().max(self.fragment.0);
        let playlist = server.playlist_length_ms().max(self.playlist_length_ms());
        self.max_fragment.get_or_insert(Msec(longest));
        self.playlist_length.get_or_insert(Msec(playlist));
        self
    }

    /// The length at which a fragment ends without a key frame, in milliseconds.
    fn longest_ms(&self) -> u64 {
        self.max_fragment.map_or(self.fragment.0.saturating_mul(LONGEST_FRAGMENT), |length| length.0)
    }

    /// How fragments are made and kept.
    pub fn settings(&self) -> FragmentSettings {
        FragmentSettings {
            cut: CutRule {
                fragment_ms: self.fragment.0,
                max_fragment_ms: self.longest_ms(),
                slicing: self.fragment_slicing,
            },
            playlist_length_ms: self.playlist_length_ms(),
            min_fragments: usize::try_from(self.minfrags).unwrap_or(usize::MAX),
        }
    }

    /// How long a session lasts after its last request, in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        self.timeout.map_or(self.playlist_length_ms().saturating_mul(TIMEOUT_PLAYLISTS), |timeout| timeout.0)
    }

    fn playlist_length_ms(&self) -> u64 {
        self.playlist_length.map_or(self.fragment.0.saturating_mul(PLAYLIST_FRAGMENTS), |length| length.0)
    }
}
