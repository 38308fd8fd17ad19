//! Directives of the dynamic module.

use super::file::DynamicConf;
use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::log::level::ErrorLogLine;

directives! {
    /// Settings that change without a reload.
    module "dynamic";
    live as Current {
        /// A file whose changes take effect without a reload; it is checked every TIME. It contains streams that are
        /// always pulled, and replaced values of `serverid`. Errors in the file are logged, and the last valid contents
        /// stay in force. Its directives are `rtmp`, `server`, `server_name`, `serverid`, `application` and
        /// `static_pull rtmp://host/app/name domain=HOST app=APP name=NAME ...`.
        ///
        /// Example: `dynamic_conf /etc/pingosd/dynamic.conf 10s;`
        "dynamic_conf" => dynamic_conf: Option<DynamicConf>, in MAIN;
        /// Destination and minimum level of messages about the file; the error log if not given.
        ///
        /// Example: `dynamic_log logs/dynamic.log info;`
        "dynamic_log" => dynamic_log: Vec<ErrorLogLine>, in MAIN;
    }
}
