//! Directives of control requests.

use crate::directive::Summed;
use crate::directive::context::HTTP_ALL;
use crate::directive::table::directives;
use crate::directive::word::any_of;

any_of! {
    /// Which control requests are served.
    pub struct ControlParts {
        /// All.
        "all" => ALL = 0b11_1111,
        /// Starting and stopping of recorders.
        "record" => RECORD = 0b00_0010,
        /// Closing of sessions.
        "drop" => DROP = 0b00_0100,
        /// Moving of sessions.
        "redirect" => REDIRECT = 0b00_1000,
        /// Pausing of sessions.
        "pause" => PAUSE = 0b01_0000,
        /// Resuming of sessions.
        "resume" => RESUME = 0b10_0000,
    }
}

directives! {
    /// Control requests.
    module "control";
    live as Current {
        /// Serves control requests of these sections.
        "rtmp_control" => rtmp_control: Summed<ControlParts>, in HTTP_ALL;
    }
}
