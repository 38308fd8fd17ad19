//! Directives of the dynamic module.

use super::file::DynamicConf;
use crate::directive::context::MAIN;
use crate::directive::table::directives;
use crate::log::level::ErrorLog;

directives! {
    /// Settings that are read again while running.
    module "dynamic";
    live as Current {
        /// A file that is read again whenever its contents have changed, looked at every TIME, without a reload: streams that are
        /// always pulled, and other values of `serverid`. A file that is wrong is told of in the log, and what it said before
        /// stays. It knows `rtmp`, `server`, `server_name`, `serverid`, `application` and
        /// `static_pull rtmp://host/app/name domain=HOST app=APP name=NAME ...`.
        "dynamic_conf" => dynamic_conf: Option<DynamicConf>, in MAIN;
        /// Where messages about that file go, and from which level on; to the error log if not given.
        "dynamic_log" => dynamic_log: Vec<ErrorLog>, in MAIN;
    }
}
