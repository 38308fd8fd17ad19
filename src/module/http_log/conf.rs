//! Directives of the http log module.

use super::access_log::HttpAccessLog;
use super::format::LogFormat;
use crate::directive::context::{HTTP, HTTP_ALL, LIMIT_EXCEPT, LOCATION_IF};
use crate::directive::table::directives;
use crate::directive::{Arity, Words};

directives! {
    /// Logs of HTTP requests.
    module "http log";
    later {
        /// NAME [escape=default|json|none] STRING...: the strings are concatenated.
        "log_format" => Vec<LogFormat>, in HTTP;
        /// PATH [FORMAT [buffer=SIZE [flush=TIME]] [gzip[=N]] [if=COND]] or off; syslog: is allowed.
        "access_log" => Vec<HttpAccessLog>, in HTTP_ALL | LOCATION_IF | LIMIT_EXCEPT;
    }
    needless {
        /// Cache of open files for log paths with variables.
        "open_log_file_cache" => Words = "off", in HTTP_ALL, args Arity::between(1, 4);
    }
}
