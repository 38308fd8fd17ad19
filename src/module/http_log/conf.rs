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
        /// NAME [escape=default|json|none] STRING...: the strings are concatenated.
        "log_format" => log_format: Vec<LogFormat>, in HTTP, no effect yet;
        /// PATH [FORMAT [buffer=SIZE [flush=TIME]] [gzip[=N]] [if=COND]] or off; syslog: is allowed.
        "access_log" => access_log: Vec<HttpAccessLog>, in HTTP_ALL | LOCATION_IF | LIMIT_EXCEPT, no effect yet;
        /// Cache of open files for log paths with variables.
        "open_log_file_cache" => open_log_file_cache: OpenLogFileCache = "off", in HTTP_ALL,
            no effect yet;
    }
    made {
        HttpLogs;
    }
}
