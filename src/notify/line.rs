//! A callback line through reloads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conf::Current;
use super::hook::{Hook, carried_on};
use super::line_index::LineIndex;

/// The callback line of an event. A reload may change it, and where an event has several lines also move or remove it;
/// what has begun by it goes on with the line that takes its place.
#[derive(Debug)]
pub struct CallbackLine(Mutex<LineState>);

#[derive(Debug)]
struct LineState {
    /// Where it stands, or stood last.
    index: LineIndex,
    /// What it says, or said last.
    hook: Arc<Hook>,
    /// All lines of the event when this was last looked at, where there may be several.
    lines: Vec<Arc<Hook>>,
    removed: bool,
}

impl CallbackLine {
    /// The line that stands there now, if there is one.
    pub fn new(index: LineIndex, conf: &Current) -> Option<CallbackLine> {
        let hook = index.hook(conf)?.clone();
        let lines = index.event.lines(conf).to_vec();
        Some(CallbackLine(Mutex::new(LineState { index, hook, lines, removed: false })))
    }

    /// Where it stands in this configuration, which must not be older than the one of the call before. `None`: nowhere.
    pub fn index(&self, conf: &Current) -> Option<LineIndex> {
        let state = self.follow(conf);
        (!state.removed).then_some(state.index)
    }

    /// What it says in this configuration, as [`CallbackLine::index`].
    pub fn hook(&self, conf: &Current) -> Option<Arc<Hook>> {
        let state = self.follow(conf);
        (!state.removed).then(|| state.hook.clone())
    }

    /// What it says in this configuration, or said before it was removed.
    pub fn last_hook(&self, conf: &Current) -> Arc<Hook> {
        self.follow(conf).hook.clone()
    }

    fn follow(&self, conf: &Current) -> MutexGuard<'_, LineState> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.follow(conf);
        state
    }
}

impl LineState {
    fn follow(&mut self, conf: &Current) {
        let LineIndex { event, index } = self.index;
        let lines = event.lines(conf);
        let found = if !event.row().is_list {
            // The only line of its event may also come back.
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
