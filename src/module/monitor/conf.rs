//! Directives of the monitor module.

use crate::directive::RawPath;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::log::level::ErrorLogLine;

directives! {
    /// Detection of stalls.
    module "monitor";
    later {
        /// Logs stalls (no video for a second at the known frame rate) per session to FILE [LEVEL].
        "buffered_log" => ErrorLogLine, in RTMP_ALL;
    }
    needless {
        /// Directory for dumps, which are not made here.
        "dump" => RawPath, in RTMP_ALL;
    }
}
