//! Directives of the dynamic module.

use super::file::DynamicConf;
use crate::conf::context::MAIN;
use crate::conf::directive::directives;
use crate::module::core::log::ErrorLog;

directives! {
    /// Settings that are read again while running.
    module "dynamic";
    later {
        /// FILE TIME: reloads FILE in each worker whenever its MD5 changes, checked every TIME.
        "dynamic_conf" => DynamicConf, in MAIN;
        /// Log (FILE LEVEL) for dynamic conf messages.
        "dynamic_log" => Vec<ErrorLog>, in MAIN;
    }
}
