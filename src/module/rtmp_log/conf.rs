//! Directives of the rtmp log module.

use super::access_log::{RtmpAccessLog, RtmpLog, RtmpLogs};
use super::format::LogFormat;
use crate::directive::context::{APPLICATION, Contexts, RTMP_ALL};
use crate::directive::evaluate::Block;
use crate::directive::table::directives;
use crate::directive::{BlockLevel, Evaluation, Slot};

directives! {
    /// Logs of RTMP sessions.
    module "rtmp log";
    live as Current {
        /// Log of RTMP sessions: one line at disconnect, and with `trunc=` one at each multiple of that time of the clock
        /// while playing or publishing. Players over HTTP are logged too, relays are not. May be repeated; a level with
        /// its own lines does not inherit those of outer levels, and `off` among them disables all. The default is
        /// `logs/access.log` with the format `combined`. Lines are written by a separate thread for each file; lines that
        /// the disk does not accept in time are dropped and counted in the error log.
        ///
        /// Differs from PingOS: a line may have 16 KiB, and longer ones are cut. PingOS closes a session whose
        /// line might exceed 4,096 bytes.
        ///
        /// Example: `access_log logs/rtmp.log combined trunc=1m;`
        "access_log" => access_log: Vec<RtmpAccessLog>, in RTMP_ALL;
        /// Defines a template of log lines with the RTMP log variables. In values, every byte that is not printable
        /// ASCII, and `"` and `\`, is written as `\xHH`. `combined` is built in: `$remote_addr [$time_local] $command
        /// "$app" "$name" "$args" - $bytes_received $bytes_sent "$pageurl" "$flashver" ($session_readable_time)`.
        ///
        /// Differs from PingOS, which writes values unchanged.
        ///
        /// Example: `log_format short '$remote_addr $command "$app/$name" $bytes_sent';`
        "log_format" => log_format: Vec<LogFormat>, in RTMP_ALL;
    }
    made {
        RtmpLogs;
    }
}

impl Slot for RtmpLogs {
    const HOLDERS: Contexts = APPLICATION;
    const INHERITED: bool = true;

    fn is_set_by(block: &Block) -> bool {
        block.scope::<Scope>().is_some()
    }

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> RtmpLogs {
        let lines = level.resolve::<Current>(evaluation).access_log;
        if lines.is_empty() {
            return RtmpLogs(vec![RtmpLog::default_log(evaluation)]);
        }
        let files = lines.into_iter().map(|line| match line {
            RtmpAccessLog::Off => None,
            RtmpAccessLog::File(log) => Some(log),
        });
        // One `off` disables all logs of its block.
        RtmpLogs(files.collect::<Option<_>>().unwrap_or_default())
    }
}
