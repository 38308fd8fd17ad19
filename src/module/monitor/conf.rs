//! Directives of the monitor module.

use crate::directive::RawPath;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::log::level::ErrorLogLine;

directives! {
    /// Detection of stalls.
    module "monitor";
    live as Current {
        /// Logs stalls of publishers and players to FILE, with level `error`: as in PingOS, each second takes as many
        /// video frames as the stream's frame rate from those that the session has received or was sent so far, and a
        /// second after which none is left is logged. A line says how many stalls the session has had and how many
        /// seconds this one lasts: `publisher, peer: ADDR, local: ADDR, stream: SERVERID/APP/NAME, buffered: N, time:
        /// Ns`. Streams without a known frame rate, and players of MPEG-TS and HLS, are not monitored.
        ///
        /// Example: `buffered_log logs/stalls.log;`
        "buffered_log" => buffered_log: Option<ErrorLogLine>, in RTMP_ALL;
    }
    needless {
        /// Directory for dumps, which are not made here.
        "dump" => RawPath, in RTMP_ALL;
    }
}
