//! Values of modules by type, so that the holder needs no knowledge of modules.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use super::context::Contexts;
use super::slot::{Slot, SlotKeys, SlotValue, ValueLookup};

/// Values of all modules for a block of one kind. Blocks that set nothing for a module share its values.
///
/// That a kind of block holds values of a type is checked at compile time.
pub struct Values<const HOLDER: Contexts> {
    keys: Arc<SlotKeys>,
    stored: Arc<[Arc<dyn SlotValue>]>,
}

impl<const HOLDER: Contexts> Values<HOLDER> {
    /// Values in the order of `keys`.
    pub(super) fn new(keys: Arc<SlotKeys>, stored: Arc<[Arc<dyn SlotValue>]>) -> Self {
        debug_assert_eq!(keys.len(), stored.len());
        Values { keys, stored }
    }

    /// The values of a type.
    pub fn get<T: Slot>(&self) -> &T {
        let Some(last) = T::last_places() else { return self.get_at(self.place_of::<T>()) };
        let known = self.stored.get(last.of(HOLDER)).and_then(|value| {
            let any: &dyn Any = value.as_ref();
            any.downcast_ref()
        });
        known.unwrap_or_else(|| {
            let place = self.place_of::<T>();
            last.keep(HOLDER, place);
            self.get_at(place)
        })
    }

    /// Where the values of a type are, for [`Values::get_at`]: the same in all blocks of a kind.
    fn place_of<T: Slot>(&self) -> usize {
        const { assert!(T::HOLDERS & HOLDER != 0, "blocks of this kind have no such values") };
        self.keys.place(TypeId::of::<T>()).expect(LISTED)
    }

    /// As [`Values::get`], without a search.
    fn get_at<T: Slot>(&self, place: usize) -> &T {
        let any: &dyn Any = self.stored[place].as_ref();
        any.downcast_ref().expect(UNDER_OWN_TYPE)
    }

    /// The values of a type, shared.
    pub fn share<T: Slot>(&self) -> Arc<T> {
        self.stored::<T>().clone().into_any().downcast().expect(UNDER_OWN_TYPE)
    }

    fn stored<T: Slot>(&self) -> &Arc<dyn SlotValue> {
        &self.stored[self.place_of::<T>()]
    }

    /// The values of a type, or `None` where the kind of block does not hold it.
    pub(super) fn find(&self, id: TypeId) -> Option<&dyn Any> {
        Some(self.stored[self.keys.place(id)?].as_ref())
    }

    /// The values at an index of the list of slots.
    pub(super) fn at(&self, place: usize) -> &Arc<dyn SlotValue> {
        &self.stored[place]
    }

    /// These values, except that values of the reload class `restart` are taken from `in_force`.
    pub fn keeping_restart_values(&self, in_force: &Self) -> Self {
        let pairs = self.keys.iter().zip(self.stored.iter().zip(in_force.stored.iter()));
        let stored = pairs.map(|(key, (new, old))| if key.restart { old.clone() } else { new.clone() });
        Values { keys: self.keys.clone(), stored: stored.collect() }
    }
}

const LISTED: &str = "every module of the program is in its list of modules";
const UNDER_OWN_TYPE: &str = "values are stored under their own type";

impl<const HOLDER: Contexts> Clone for Values<HOLDER> {
    fn clone(&self) -> Self {
        Values { keys: self.keys.clone(), stored: self.stored.clone() }
    }
}

impl<const HOLDER: Contexts> fmt::Debug for Values<HOLDER> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stored.iter()).finish()
    }
}

impl<const HOLDER: Contexts> ValueLookup for Values<HOLDER> {
    fn lookup(&self, id: TypeId) -> Option<&dyn Any> {
        self.find(id)
    }
}
