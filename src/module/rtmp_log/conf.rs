//! Directives of the rtmp log module.

use super::access_log::RtmpAccessLog;
use super::format::LogFormat;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;

directives! {
    /// Logs of RTMP sessions.
    module "rtmp log";
    later {
        /// Log of RTMP sessions: one line at disconnect, and with trunc= one per interval while playing or publishing.
        "access_log" => Vec<RtmpAccessLog>, in RTMP_ALL;
        /// Defines a template of log lines with the RTMP log variables.
        "log_format" => Vec<LogFormat>, in RTMP_ALL;
    }
}
