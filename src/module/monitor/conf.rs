//! Directives of the monitor module.

use crate::directive::RawPath;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;
use crate::log::level::ErrorLog;

directives! {
    /// Watching for stalls.
    module "monitor";
    later {
        /// Logs stalls (no video for a second at the known frame rate) per session to FILE [LEVEL].
        "buffered_log" => ErrorLog, in RTMP_ALL;
    }
    needless {
        /// A directory for dumps, of which there are none.
        "dump" => RawPath, in RTMP_ALL;
    }
}
