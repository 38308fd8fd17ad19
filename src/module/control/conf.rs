//! Directives of control requests.

use crate::directive::context::{Contexts, HTTP_ALL, LOCATION};
use crate::directive::table::directives;
use crate::directive::word::any_of;
use crate::directive::{BlockLevel, Evaluation, Slot, Summed};

any_of! {
    /// Sections of control requests.
    pub struct ControlParts {
        /// All.
        "all" => ALL = 0b11_1111,
        /// Starting and stopping recorders.
        "record" => RECORD = 0b00_0010,
        /// Closing sessions.
        "drop" => DROP = 0b00_0100,
        /// Moving sessions.
        "redirect" => REDIRECT = 0b00_1000,
        /// Pausing sessions.
        "pause" => PAUSE = 0b01_0000,
        /// Resuming sessions.
        "resume" => RESUME = 0b10_0000,
    }
}

directives! {
    /// Control requests.
    module "control";
    live as Current {
        /// Accepts control requests of these sections: `/LOCATION/SECTION/METHOD?srv=&app=&name=&clientid=&addr=`. `srv`, the
        /// `serverid`, is needed; arguments that are missing select all. `drop`, `pause`, `resume` and `redirect` have the
        /// methods `publisher`, `subscriber` and `client` and answer with the number of sessions; `record` has `start` and
        /// `stop`, with `rec=` for the name of a recorder. Media of a paused publisher is dropped, and after `resume`
        /// its stream goes on with a key frame; players are counted, but not paused. `redirect` moves sessions to the stream
        /// `newname=` of their application, and answers when they have arrived, after 3s at the latest. A request that
        /// cannot be carried out gets status 500 and the reason.
        ///
        /// Differs from PingOS: `redirect` moves sessions to the other stream; in PingOS they leave theirs and
        /// never arrive. The body of a status 500 is the reason.
        ///
        /// Example: `rtmp_control record drop;`
        "rtmp_control" => rtmp_control: Summed<ControlParts>, in HTTP_ALL, selects handler;
    }
    made {
        ServedSections;
    }
}

/// Sections that a location serves, if `rtmp_control` selects its handler.
#[derive(Debug)]
pub struct ServedSections(pub Option<ControlParts>);

impl Slot for ServedSections {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> ServedSections {
        ServedSections(level.resolve::<Current>(evaluation).rtmp_control.0)
    }
}
