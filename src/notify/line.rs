//! A callback line across reloads.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::conf::Current;
use super::hook::{Hook, carried_on};
use super::line_index::LineIndex;

/// The callback line of an event. A reload may change it, and also move or remove it if the event allows several lines.
/// An event that it started continues with the line that replaces it.
#[derive(Debug)]
pub struct CallbackLine(Mutex<LineState>);

#[derive(Debug)]
struct LineState {
    /// Current or last index.
    index: LineIndex,
    /// Current or last contents.
    hook: Arc<Hook>,
    /// All lines of the event at the last check, if several are allowed.
    lines: Vec<Arc<Hook>>,
    removed: bool,
}

impl CallbackLine {
    /// The line at this index in the configuration, if any.
    pub fn new(index: LineIndex, conf: &Current) -> Option<CallbackLine> {
        let hook = index.hook(conf)?.clone();
        let lines = index.event.lines(conf).to_vec();
        Some(CallbackLine(Mutex::new(LineState { index, hook, lines, removed: false })))
    }

    /// Index in this configuration, which must not be older than that of the preceding call. `None` if the line was
    /// removed.
    pub fn index(&self, conf: &Current) -> Option<LineIndex> {
        let state = self.follow(conf);
        (!state.removed).then_some(state.index)
    }

    /// Contents in this configuration; see [`CallbackLine::index`].
    pub fn hook(&self, conf: &Current) -> Option<Arc<Hook>> {
        let state = self.follow(conf);
        (!state.removed).then(|| state.hook.clone())
    }

    /// Contents in this configuration, or the last ones before the line was removed.
    pub fn last_hook(&self, conf: &Current) -> Arc<Hook> {
        self.follow(conf).hook.clone()
    }

    fn follow(&self, conf: &Current) -> MutexGuard<'_, LineState> {
        let mut state = self.0.lock();
        state.follow(conf);
        state
    }
}

impl LineState {
    fn follow(&mut self, conf: &Current) {
        let LineIndex { event, index } = self.index;
        let lines = event.lines(conf);
        let found = if !event.row().is_list {
            // The only line of an event may also be added again.
            self.index.hook(conf).map(|hook| (index, hook.clone()))
        } else if self.removed {
            None
        } else {
            let is_same = lines.len() == self.lines.len()
                && lines.iter().zip(&self.lines).all(|(new, old)| Arc::ptr_eq(new, old));
            let found = if is_same {
                Some(index)
            } else {
                carried_on(&self.lines, lines).get(index).copied().flatten()
            };
            self.lines = lines.to_vec();
            found.and_then(|index| Some((index, lines.get(index)?.clone())))
        };
        self.removed = found.is_none();
        if let Some((index, hook)) = found {
            (self.index.index, self.hook) = (index, hook);
        }
    }
}
