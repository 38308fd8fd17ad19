//! Directives of live MPEG-TS over HTTP.

use crate::directive::NotInherited;
use crate::directive::context::LOCATION;
use crate::directive::table::directives;
use crate::http::relation::RtmpApp;

directives! {
    /// Live MPEG-TS over HTTP.
    module "ts";
    live as Current {
        /// Serves live MPEG-TS of the streams of the rtmp server that listens on this address, as `/LOCATION/NAME.ts`
        /// or `/LOCATION/NAME`; other suffixes are part of the name. `app=` is the application of requests that name
        /// none, as with `flv_live`. A request for a stream that does not exist yet waits for it.
        ///
        /// Differs from PingOS, which sends no `Content-Type`, and no streams without video.
        ///
        /// Example: `ts_live 1935 app=live;`
        "ts_live" => ts_live: NotInherited<RtmpApp>, in LOCATION, selects handler;
    }
}
