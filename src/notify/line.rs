//! A callback line through reloads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conf::Current;
use super::hook::{Hook, carried_on};
use super::slot::Slot;

/// The callback line of an event. A reload may change it, and where an event has several lines also move or remove it;
/// what has begun by it goes on with the line that takes its place.
#[derive(Debug)]
pub struct CallbackLine(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Where it stands, or stood last.
    slot: Slot,
    /// What it says, or said last.
    hook: Arc<Hook>,
    /// All lines of the event when this was last looked at.
    lines: Vec<Arc<Hook>>,
    removed: bool,
}

impl CallbackLine {
    /// The line that stands there now, if there is one.
    pub fn new(slot: Slot, hooks: &Current) -> Option<CallbackLine> {
        let hook = slot.hook(hooks)?.clone();
        let lines = slot.list(hooks).map(<[_]>::to_vec).unwrap_or_default();
        Some(CallbackLine(Mutex::new(State { slot, hook, lines, removed: false })))
    }

    /// Where it stands in this configuration, which must not be older than the one of the call before. `None`: nowhere.
    pub fn slot(&self, hooks: &Current) -> Option<Slot> {
        let state = self.follow(hooks);
        (!state.removed).then_some(state.slot)
    }

    /// What it says in this configuration, as [`CallbackLine::slot`].
    pub fn hook(&self, hooks: &Current) -> Option<Arc<Hook>> {
        let state = self.follow(hooks);
        (!state.removed).then(|| state.hook.clone())
    }

    /// What it says in this configuration, or said before it was removed.
    pub fn last_hook(&self, hooks: &Current) -> Arc<Hook> {
        self.follow(hooks).hook.clone()
    }

    fn follow(&self, hooks: &Current) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.follow(hooks);
        state
    }
}

impl State {
    fn follow(&mut self, hooks: &Current) {
        let found = match (self.slot.list(hooks), self.slot.index()) {
            // The only line of its event may also come back.
            (None, _) | (_, None) => self.slot.hook(hooks).cloned().map(|hook| (self.slot, hook)),
            (Some(_), _) if self.removed => None,
            (Some(lines), Some(index)) => {
                let is_same = lines.len() == self.lines.len()
                    && lines.iter().zip(&self.lines).all(|(new, old)| Arc::ptr_eq(new, old));
                let place = if is_same {
                    Some(index)
                } else {
                    carried_on(&self.lines, lines).get(index).copied().flatten()
                };
                self.lines = lines.to_vec();
                place.and_then(|place| Some((self.slot.at(place), lines.get(place)?.clone())))
            }
        };
        self.removed = found.is_none();
        if let Some((slot, hook)) = found {
            (self.slot, self.hook) = (slot, hook);
        }
    }
}
