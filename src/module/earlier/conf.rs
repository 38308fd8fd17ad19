//! Directives of earlier releases.

use super::auth::AuthUri;
use crate::directive::context::{HTTP_ALL, MAIN, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Text, Words};
use crate::media::segments::PlaylistKind;

directives! {
    /// Directives of earlier PingOS releases and of nginx-rtmp that occur in existing files.
    module "earlier";
    later {
        /// Moved a player that lagged by more than this time to the newest key frame; `low_latency` moves players at
        /// each key frame.
        "latency_time" => Msec, in RTMP_ALL;
        /// Wrote HLS from memory as NAME/index.m3u8.
        "hls2_nested" => Flag = "off", in RTMP_ALL;
        /// Whether old fragments left the playlist of HLS from memory.
        "hls2_type" => PlaylistKind = "live", in RTMP_ALL;
        /// Selected the virtual server of HTTP players by a name other than that of the request.
        "reset_vhost" => Words, in RTMP_ALL | HTTP_ALL;
    }
    needless {
        /// Amount of time-shifted media sent at once; here all of it is sent as fast as the player reads.
        "one_off_send" => Msec, in RTMP_ALL;
        /// Asked an HTTP server whether a client may publish or play. It is not asked here, and `-t` warns of that; use
        /// `on_publish` and `on_play`.
        "auth_uri" => AuthUri, in RTMP_ALL;
        /// Shared streams between worker processes; here all workers share them in any case.
        "rtmp_auto_push" => Flag = "off", in MAIN;
        /// Delay before streams were shared again; see `rtmp_auto_push`.
        "rtmp_auto_push_reconnect" => Msec = "100ms", in MAIN;
        /// Directory of the sockets through which streams were shared; see `rtmp_auto_push`.
        "rtmp_socket_dir" => Text = "/tmp", in MAIN;
    }
}
