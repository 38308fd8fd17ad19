//! Directives of the rtmp log module.

use super::access_log::{RtmpAccessLog, RtmpLogs};
use super::format::LogFormat;
use crate::directive::context::RTMP_ALL;
use crate::directive::table::directives;

directives! {
    /// Logs of RTMP sessions.
    module "rtmp log";
    live as Current {
        /// Log of RTMP sessions: one line at disconnect, and with `trunc=` one at each multiple of that time of the clock
        /// while playing or publishing. Players over HTTP are logged too, relays are not. May be repeated; a level with
        /// its own lines does not inherit those of outer levels, and `off` among them disables all. The default is
        /// `logs/access.log` with the format `combined`. Lines are written by a separate thread for each file; lines that
        /// the disk does not accept in time are dropped and counted in the error log.
        "access_log" => access_log: Vec<RtmpAccessLog>, in RTMP_ALL;
        /// Defines a template of log lines with the RTMP log variables. In values, every byte that is not printable ASCII,
        /// and `"` and `\`, is written as `\xHH`; the original writes them unchanged. `combined` is built in:
        /// `$remote_addr [$time_local] $command "$app" "$name" "$args" - $bytes_received $bytes_sent "$pageurl"
        /// "$flashver" ($session_readable_time)`.
        "log_format" => log_format: Vec<LogFormat>, in RTMP_ALL;
    }
    made {
        RtmpLogs;
    }
}
