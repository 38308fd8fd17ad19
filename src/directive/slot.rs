//! How the values of modules are made from blocks, without knowing a module.
//!
//! A module registers the types of its values. Each kind of block that holds them gets one value of each type: made from
//! what the block and those around it say, or shared with the block around it where the block itself says nothing.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::context::{
    APPLICATION, Contexts, EVENTS, HTTP, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MAIN, RECORDER,
    RTMP, RTMP_SERVER, SERVER_IF,
};
use super::evaluate::{Block, resolve};
use super::field::{Field, Inherit};
use super::registry::Registry;
use super::scene::Scene;
use super::table::Resolve;
use super::values::{Key, Stored, Values};
use crate::syntax::diagnostic::Problem;

/// Values that a module holds for each block of some kinds.
pub trait Slot: Any + fmt::Debug + Send + Sync + Sized {
    /// The kinds of blocks that hold them.
    const HOLDERS: Contexts;
    /// Whether a block that says nothing has the same as the block around it.
    const INHERITED: bool;
    /// Whether some of them count only from the next start.
    const RESTART: bool = false;

    /// Whether the block says anything from which they are made.
    fn said_by(block: &Block) -> bool;

    /// Makes them from a block and those around it.
    fn make(level: &Level<'_>, scene: &mut Scene<'_>) -> Self;
}

/// A [`Slot`] among those of a module.
#[derive(Clone, Copy)]
pub struct SlotEntry {
    pub(super) holders: Contexts,
    pub(super) key: Key,
    inherited: bool,
    said_by: fn(&Block) -> bool,
    make: fn(&Level<'_>, &mut Scene<'_>) -> Arc<dyn Stored>,
}

/// What a module finds wrong with its values in a block.
pub struct Check {
    /// The kind of block.
    pub holder: Contexts,
    /// Looks at the values of the block.
    pub check: fn(&dyn Lookup) -> Option<Problem>,
}

/// Looks values up by type where the kind of block is not known.
pub trait Lookup {
    /// The values of that type, if the block has such.
    fn lookup(&self, id: TypeId) -> Option<&dyn Any>;
}

/// The slots of one kind of block, sorted by type.
#[derive(Default)]
pub(super) struct Slots {
    keys: Arc<[Key]>,
    entries: Vec<SlotEntry>,
}

/// A block for which values are made.
pub struct Level<'a> {
    /// The block and those around it, the innermost first.
    pub blocks: &'a [&'a Block],
    /// The blocks that count as one with it, itself among them, in the order of the file.
    pub together: &'a [&'a Block],
    outer: Option<&'a dyn Lookup>,
    registry: &'a Registry,
}

/// The values of a block, from which the blocks inside inherit.
pub struct Layer<const HOLDER: Contexts> {
    values: Values<HOLDER>,
    /// Values of blocks inside that say nothing, where they are not simply the same.
    unsaid: RefCell<Vec<Option<Arc<dyn Stored>>>>,
}

impl SlotEntry {
    /// The entry of a type.
    pub const fn of<T: Slot>() -> SlotEntry {
        SlotEntry {
            holders: T::HOLDERS,
            key: Key { id: TypeId::of::<T>(), restart: T::RESTART },
            inherited: T::INHERITED,
            said_by: T::said_by,
            make: |level, scene| Arc::new(T::make(level, scene)),
        }
    }
}

impl Slots {
    /// Those of a kind of block.
    pub(super) fn new(all: impl Iterator<Item = SlotEntry>, holder: Contexts) -> Slots {
        let mut entries: Vec<SlotEntry> = all.filter(|entry| entry.holders & holder != 0).collect();
        entries.sort_by_key(|entry| entry.key.id);
        Slots { keys: entries.iter().map(|entry| entry.key).collect(), entries }
    }
}

impl<'a> Level<'a> {
    /// The values of that type that the block around has.
    pub fn outer<T: Slot>(&self) -> Option<&'a T> {
        self.outer?.lookup(TypeId::of::<T>())?.downcast_ref()
    }

    /// What the block and those around it say about a module.
    pub fn scopes<S: 'static>(&self) -> Vec<Option<&'a S>> {
        self.blocks.iter().map(|block| block.scope()).collect()
    }

    /// Resolves a module's values.
    pub fn resolve<C: Resolve>(&self, scene: &mut Scene<'_>) -> C {
        resolve(self.blocks, scene)
    }

    /// The values that a block of another kind has here.
    pub fn values<const HOLDER: Contexts>(&self, blocks: &[&Block], scene: &mut Scene<'_>) -> Values<HOLDER> {
        self.registry.values(blocks, &[], scene)
    }
}

impl<const HOLDER: Contexts> Layer<HOLDER> {
    /// Of a block's values.
    pub fn new(values: Values<HOLDER>) -> Self {
        Layer { values, unsaid: RefCell::default() }
    }

    /// The values.
    pub fn values(&self) -> &Values<HOLDER> {
        &self.values
    }

    /// The values in a place for a block inside that says nothing.
    fn unsaid(&self, place: usize, make: impl FnOnce() -> Arc<dyn Stored>) -> Arc<dyn Stored> {
        let mut unsaid = self.unsaid.borrow_mut();
        if unsaid.len() <= place {
            unsaid.resize(place + 1, None);
        }
        unsaid[place].get_or_insert_with(make).clone()
    }
}

impl<const HOLDER: Contexts> Lookup for Values<HOLDER> {
    fn lookup(&self, id: TypeId) -> Option<&dyn Any> {
        self.find(id)
    }
}

impl dyn Lookup + '_ {
    /// The values of that type, if the block has such.
    pub fn find<T: Slot>(&self) -> Option<&T> {
        self.lookup(TypeId::of::<T>())?.downcast_ref()
    }
}

impl Registry {
    /// The values of a block; `blocks` is the block and those around it, the innermost first. `together` are the blocks that
    /// count as one with it.
    pub fn values<const HOLDER: Contexts>(
        &self,
        blocks: &[&Block],
        together: &[&Block],
        scene: &mut Scene<'_>,
    ) -> Values<HOLDER> {
        let slots = self.slots(HOLDER);
        let level = Level { blocks, together, outer: None, registry: self };
        let stored = slots.entries.iter().map(|entry| (entry.make)(&level, scene));
        Values::new(slots.keys.clone(), stored.collect())
    }

    /// The values of a block that inherits from another one.
    pub fn inner_values<const HOLDER: Contexts>(
        &self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
        scene: &mut Scene<'_>,
    ) -> Values<HOLDER> {
        let slots = self.slots(HOLDER);
        let level = Level { blocks, together: &[], outer: Some(&outer.values), registry: self };
        let stored = slots.entries.iter().enumerate().map(|(place, entry)| {
            let said = blocks.first().is_some_and(|block| (entry.said_by)(block));
            match (said, entry.inherited) {
                (true, _) => (entry.make)(&level, scene),
                (false, true) => outer.values.at(place).clone(),
                (false, false) => outer.unsaid(place, || (entry.make)(&level, scene)),
            }
        });
        Values::new(slots.keys.clone(), stored.collect())
    }

    /// What the modules find wrong with a block's values.
    pub fn complaints<const HOLDER: Contexts>(&self, values: &Values<HOLDER>) -> Vec<Problem> {
        let checks = self.checks().iter().filter(|check| check.holder == HOLDER);
        checks.filter_map(|check| (check.check)(values)).collect()
    }
}

/// The kinds of blocks that hold values whose rows may stand in these contexts: the innermost ones.
pub const fn holders(contexts: Contexts) -> Contexts {
    let rtmp = if contexts & (APPLICATION | RECORDER) != 0 {
        APPLICATION | contexts & RECORDER
    } else if contexts & RTMP_SERVER != 0 {
        RTMP_SERVER
    } else {
        contexts & RTMP
    };
    let http = if contexts & (LOCATION | LOCATION_IF | SERVER_IF | LIMIT_EXCEPT) != 0 {
        LOCATION
    } else if contexts & HTTP_SERVER != 0 {
        HTTP_SERVER
    } else {
        contexts & HTTP
    };
    match rtmp | http {
        0 => contexts & (MAIN | EVENTS),
        inner => inner,
    }
}

/// Whether a block that says nothing has the same value of that type as the block around it.
pub const fn is_inherited<F: Field>() -> bool {
    !matches!(F::INHERIT, Inherit::Never)
}
