//! Directives of earlier releases.

use super::auth::AuthUri;
use super::unused::{HlsType, ResetVhost};
use crate::directive::context::{HTTP_ALL, MAIN, RTMP_ALL};
use crate::directive::table::directives;
use crate::directive::{Flag, Msec, Text};

directives! {
    /// Directives of earlier PingOS releases and of nginx-rtmp that occur in existing files.
    module "earlier";
    needless {
        /// Whether old fragments left the playlist of HLS from memory (`live`) or stayed in it (`event`). Here they always
        /// leave it, since memory holds the latest fragments only; `-t` warns of `event`. `hls_type event` keeps all of them
        /// in files.
        "hls2_type" => HlsType = "live", in RTMP_ALL;
        /// Selected the virtual server of HTTP players by a name other than that of the request. Here it is the name of the
        /// request's host, and `-t` warns of the line; a `server_name` that lists both names does the same.
        "reset_vhost" => ResetVhost, in RTMP_ALL | HTTP_ALL;
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
