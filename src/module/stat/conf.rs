//! Directives of statistics.

use crate::directive::context::{HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{Own, Present, Summed, Text};

any_of! {
    /// What the statistics show.
    pub struct StatParts {
        /// Everything.
        "all" => ALL = 0b1111,
        /// The server.
        "global" => GLOBAL = 0b0010,
        /// Live streams.
        "live" => LIVE = 0b0100,
        /// Sessions.
        "clients" => CLIENTS = 0b1000,
    }
}

directives! {
    /// Statistics.
    module "stat";
    live as Current {
        /// Answers with statistics as XML. In http and server it sets the parts for locations that have the
        /// handler.
        /// Attributes of the root tell the configuration in force (`generation`, `conf_hash`,
        /// `conf_since`), whether the files hold it (`conf_on_disk`: same, newer, rejected, or unknown if they could not
        /// be read in time) and when one was refused since (`conf_refused`).
        "rtmp_stat" => rtmp_stat: Summed<StatParts>, in HTTP_ALL;
        /// Names a stylesheet in the XML.
        "rtmp_stat_stylesheet" => stylesheet: Text = "", in HTTP_ALL;
        /// Answers with internal figures as JSON.
        "sys_stat" => sys_stat: Own<Present>, in LOCATION, no effect yet, restricts answers;
    }
}
