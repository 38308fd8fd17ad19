//! Directives of control requests.

use crate::directive::context::{Contexts, HTTP_ALL, LOCATION};
use crate::directive::evaluate::Block;
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
        Chosen;
    }
}

/// Sections that a location serves itself; on outer levels `rtmp_control` only sets what nested locations serve.
#[derive(Debug)]
pub struct Chosen(pub Option<ControlParts>);

impl Slot for Chosen {
    const HOLDERS: Contexts = LOCATION;
    const INHERITED: bool = false;

    fn is_set_by(_: &Block) -> bool {
        true
    }

    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Chosen {
        let block = level.blocks[0];
        let own = block.context == LOCATION && block.uses("rtmp_control").is_some();
        Chosen(level.resolve::<Current>(evaluation).rtmp_control.0.filter(|_| own))
    }
}
