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
        /// Accepts control requests of these sections.
        "rtmp_control" => rtmp_control: Summed<ControlParts>, in HTTP_ALL;
    }
    made {
        ServedSections;
    }
}

/// Sections that a location serves itself.
#[derive(Debug)]
pub struct ServedSections(pub Option<ControlParts>);

impl Slot for ServedSections {
    const HOLDERS: Contexts = LOCATION;

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> ServedSections {
        let sections = level.resolve::<Current>(evaluation).rtmp_control.0;
        ServedSections(sections.filter(|_| level.location_sets("rtmp_control")))
    }
}
