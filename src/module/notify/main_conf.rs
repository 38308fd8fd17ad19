//! Directives of notifications about the process.

use super::hook::Hook;
use crate::conf::context::RTMP;
use crate::conf::directive::directives;

directives! {
    /// HTTP notifications about the process.
    module "notify main";
    live as MainCurrent {
        /// Told once at the start, and then periodically when `stage` has `update`.
        "on_master" => on_master: Option<Hook>, in RTMP;
        /// Told at the start, once per worker.
        "on_proc" | "oclp_proc" => on_proc: Option<Hook>, in RTMP;
    }
}
