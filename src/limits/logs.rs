//! Bounds of logs.

use std::time::Duration;

/// Maximum length in bytes of an error log line, as in nginx. Names and arguments from a peer may be 64 KiB each.
pub const LOG_LINE: usize = 2048;

/// Interval in which an error that repeats gets one line.
pub const LOG_REPEAT: Duration = Duration::from_secs(10);

/// Maximum number of texts of the error log that are watched for repetition; further ones are written each time.
pub const LOG_REPEATED_TEXTS: usize = 256;

/// Maximum number of symbolic links followed to a log file, one by one; ends a loop of links.
pub const LOG_LINKS: usize = 8;

/// Maximum number of bytes queued for a log: seconds of a flood. Further lines are dropped and counted; lines of the error
/// log of level crit and above have a second queue of the same size.
pub const LOG_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Maximum number of bytes of several lines that are written to a log at once.
pub const LOG_WRITE: usize = 64 * 1024;

/// Time after a write to a log in which lines gather before they are written together.
pub const LOG_GATHER: Duration = Duration::from_millis(1);

/// Number of items that the queue of a log keeps room for while it is empty.
pub const LOG_KEPT_ROOM: usize = 256;

/// Stack of the thread that writes a log.
pub const LOG_STACK: usize = 256 * 1024;

/// Time between two reports in the error log about lines that another log has lost, as in nginx.
pub const LOG_LOSS_REPORT: Duration = Duration::from_secs(60);

/// Time for which a log on a full disk is not written: its lines are lost without a try. As in nginx.
pub const LOG_DISK_FULL: Duration = Duration::from_secs(1);

/// Maximum time that a syslog server may take to accept a message.
pub const SYSLOG_SEND: Duration = Duration::from_secs(1);

/// Maximum number of sessions whose periodic lines are made under one lock.
pub const RTMP_LOG_TURN: usize = 64;

/// Maximum time until a changed `trunc=` is noticed.
pub const RTMP_LOG_LOOK: Duration = Duration::from_secs(1);

/// Maximum length in bytes of a line of the RTMP access log. Names and arguments from a peer may be 64 KiB each.
pub const RTMP_LOG_LINE: usize = 16 * 1024;

/// Time after which `buffered_log` looks at sessions again; its lines count in seconds.
pub const MONITOR_PERIOD: Duration = Duration::from_secs(1);

/// Maximum number of sessions that `buffered_log` looks at under one lock.
pub const MONITOR_TURN: usize = 64;

/// Time that the process's end waits for a log to accept the last lines.
pub const LOG_FLUSH: Duration = Duration::from_secs(2);
