//! Which callback line of an application.

use std::sync::Arc;

use super::conf::{Current, EventKind};
use super::hook::Hook;

/// A callback line of an application, by its event and its number. It is looked up anew at each use, so that a reload takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineIndex {
    /// The event.
    pub event: EventKind,
    /// Which of the event's lines, from 0; 0 where there can be only one.
    pub index: usize,
}

impl LineIndex {
    /// All lines of an event that are there now.
    pub fn all(event: EventKind, conf: &Current) -> impl Iterator<Item = LineIndex> + use<> {
        (0..event.lines(conf).len()).map(move |index| LineIndex { event, index })
    }

    /// The line in force.
    pub fn hook(self, conf: &Current) -> Option<&Arc<Hook>> {
        self.event.lines(conf).get(self.index)
    }
}

impl From<EventKind> for LineIndex {
    /// The first, or only, line.
    fn from(event: EventKind) -> Self {
        LineIndex { event, index: 0 }
    }
}
