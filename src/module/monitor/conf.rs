//! Directives of the monitor module.

use crate::directive::RawPath;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::log::level::ErrorLogLine;

directives! {
    /// Detection of stalls.
    module "monitor";
    live as Current {
        /// Logs stalls of publishers and players to FILE, with level `error`: each second in which the session has no video
        /// frame left after as many as the stream's frame rate were used up. A line says how many stalls the session has
        /// had and how many seconds this one lasts: `publisher, peer: ADDR, local: ADDR, stream: SERVERID/APP/NAME,
        /// buffered: N, time: Ns`. Streams without a known frame rate, and players of MPEG-TS and HLS, are not looked at.
        ///
        /// Example: `buffered_log logs/stalls.log;`
        "buffered_log" => buffered_log: Option<ErrorLogLine>, in RTMP_ALL;
    }
    needless {
        /// Directory for dumps, which are not made here.
        "dump" => RawPath, in RTMP_ALL;
    }
}
