//! Stages of events.

use strum::VariantArray;

/// Stage of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum Stage {
    /// The event begins; the answer decides.
    Start,
    /// The event is in progress.
    Update,
    /// The event has ended.
    Done,
}

impl Stage {
    /// Value of `act=`.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Start => "start",
            Stage::Update => "update",
            Stage::Done => "done",
        }
    }
}
