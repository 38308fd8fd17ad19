//! Directives of the rtmp log module.

use super::access_log::AccessLog;
use super::format::LogFormat;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;

directives! {
    /// Logs of RTMP sessions.
    module "rtmp log";
    later {
        /// RTMP session log: one line at disconnect, and one per trunc= period while playing/publishing.
        "access_log" => Vec<AccessLog>, in RTMP_ALL;
        /// Names a log line template over the RTMP log variables.
        "log_format" => Vec<LogFormat>, in RTMP_ALL;
    }
}
