//! Directives of playback.

use crate::directive::NotInherited;
use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::http::relation::RtmpApp;

directives! {
    /// Playback of recordings over HTTP.
    module "vod";
    live as Current {
        /// Serves what `live_record` has recorded of the streams of the rtmp server that listens on this address:
        /// `/LOCATION/NAME.m3u8?from=TIME&to=TIME` as HLS, and `/LOCATION/NAME.flv?from=TIME&to=TIME` as FLV, which is
        /// sent as fast as the client reads. A time is a number of seconds since 1970, or as in RFC 3339, such as
        /// 2026-01-31T20:15:00Z. Without `to=`, playback follows the recording while the stream is published.
        /// `roll_back=MILLISECONDS` instead of `from=` begins that long ago. `app=` is the application of requests that
        /// name none, as with `flv_live`. Each request is a player for the `allow`, `deny`, `on_play` and `on_stream`
        /// lines of the application; segments of a playlist are requested with the playlist's other arguments.
        ///
        /// Not in PingOS.
        ///
        /// Example: `vod_live 1935 app=live;`
        "vod_live" => vod_live: NotInherited<RtmpApp>, in LOCATION, selects handler;
    }
}
