//! Directives of the http log module.

use super::access_log::{HttpAccessLog, HttpLogs};
use super::format::LogFormat;
use super::open_file_cache::OpenLogFileCache;
use crate::directive::context::{HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION_IF};
use crate::directive::table::directives;

directives! {
    /// Logs of HTTP requests.
    module "http log";
    live as Current {
        /// NAME [escape=default|json|none] STRING...: a template of log lines; the strings are concatenated. `combined` is
        /// built in.
        "log_format" => log_format: Vec<LogFormat>, in HTTP;
        /// PATH [FORMAT [buffer=SIZE [flush=TIME]] [gzip[=N]] [if=COND]] or off. A path with variables leads to a file for
        /// each value, which is opened with the rights of the server's user. `syslog:server=ADDRESS[,facility=NAME]
        /// [,severity=NAME][,tag=NAME][,nohostname]` sends lines to a syslog server. The default is `logs/access.log`
        /// with the format `combined`. Each log has a thread that writes it; lines that it does not accept in time are
        /// dropped and counted in the error log. A buffer is one for the process, and is written at the end and when logs
        /// are reopened.
        "access_log" => access_log: Vec<HttpAccessLog>, in HTTP_ALL | LOCATION_IF | LIMIT_EXCEPT;
        /// Cache of open files of logs with variables in their paths.
        "open_log_file_cache" => open_log_file_cache: OpenLogFileCache = "off", in HTTP_ALL;
    }
    made {
        HttpLogs;
    }
}
