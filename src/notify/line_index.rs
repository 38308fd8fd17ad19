//! Index of a callback line in an application.

use std::sync::Arc;

use super::conf::{Current, EventKind};
use super::hook::Hook;

/// Identifies a callback line of an application by event and number. It is resolved at each use, so that a reload takes
/// effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineIndex {
    /// The event.
    pub event: EventKind,
    /// Index among the event's lines, from 0.
    pub index: usize,
}

impl LineIndex {
    /// All current lines of an event.
    pub fn all(event: EventKind, conf: &Current) -> impl Iterator<Item = LineIndex> + use<> {
        (0..event.lines(conf).len()).map(move |index| LineIndex { event, index })
    }

    /// The line in force.
    pub fn hook(self, conf: &Current) -> Option<&Arc<Hook>> {
        self.event.lines(conf).get(self.index)
    }
}

impl From<EventKind> for LineIndex {
    /// The first or only line.
    fn from(event: EventKind) -> Self {
        LineIndex { event, index: 0 }
    }
}
