//! Slots: how values of modules are built from blocks without knowledge of any module.
//!
//! A module registers the types of its values. Each kind of block that holds them gets one value of each type: built
//! from what the block and its enclosing blocks set, or shared with the enclosing block where the block itself sets
//! nothing.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::FxHashMap;

use super::block::{Block, resolve};
use super::context::{
    ACME_ISSUER, APPLICATION, CLUSTER, Contexts, EVENTS, HTTP, HTTP_SERVER, LIMIT_EXCEPT, LOCATION,
    LOCATION_IF, MAIN, RECORDER, RTMP, RTMP_SERVER, SERVER_IF, UPSTREAM,
};
use super::evaluation::Evaluation;
use super::field::{Field, Inherit};
pub use super::layers::Layer;
use super::row::Resolve;
use crate::syntax::diagnostic::Problem;

/// A type of values that a module holds in each block of some kinds.
pub trait Slot: Any + fmt::Debug + Send + Sync + Sized {
    /// Kinds of blocks that hold the values.
    const HOLDERS: Contexts;
    /// Whether a block that sets nothing shares the enclosing block's values.
    const INHERITED: bool = false;
    /// Whether some of the values take effect only at the next start.
    const RESTART: bool = false;

    /// Whether the block sets anything that goes into the values. Otherwise blocks that set nothing share their values.
    fn is_set_by(_: &Block) -> bool {
        true
    }

    /// Builds the values from a block and its enclosing blocks.
    fn make(level: &BlockLevel<'_>, evaluation: &mut Evaluation<'_>) -> Self;

    /// Where the values were found last; `None` of types that are not looked up often.
    fn last_places() -> Option<&'static LastPlaces> {
        None
    }
}

/// Where the values of a type were found last, by kind of block: they are looked for there first, which is faster than to
/// search. All configurations of a program have them in the same places.
#[derive(Debug)]
pub struct LastPlaces([AtomicUsize; Contexts::BITS as usize]);

impl LastPlaces {
    /// Of a type that was not looked up yet.
    pub const fn new() -> LastPlaces {
        LastPlaces([const { AtomicUsize::new(0) }; Contexts::BITS as usize])
    }

    /// The last place in blocks of a kind.
    pub(super) fn of(&self, holder: Contexts) -> usize {
        self.0[holder.trailing_zeros() as usize].load(Ordering::Relaxed)
    }

    /// Records a place in blocks of a kind.
    pub(super) fn keep(&self, holder: Contexts, place: usize) {
        self.0[holder.trailing_zeros() as usize].store(place, Ordering::Relaxed);
    }
}

impl Default for LastPlaces {
    fn default() -> Self {
        LastPlaces::new()
    }
}

/// Implements [`Slot::last_places`] of a type.
macro_rules! keeps_last_places {
    () => {
        fn last_places() -> Option<&'static $crate::directive::slot::LastPlaces> {
            static PLACES: $crate::directive::slot::LastPlaces = $crate::directive::slot::LastPlaces::new();
            Some(&PLACES)
        }
    };
}

pub(crate) use keeps_last_places;

/// Registration of a [`Slot`] in a module's table.
#[derive(Clone, Copy)]
pub struct SlotEntry {
    pub(super) holders: Contexts,
    pub(super) key: SlotKey,
    pub(super) inherited: bool,
    pub(super) is_set_by: fn(&Block) -> bool,
    pub(super) make: fn(&BlockLevel<'_>, &mut Evaluation<'_>) -> Arc<dyn SlotValue>,
}

/// A module's check of its values in a block.
pub struct SlotCheck {
    /// The kind of block.
    pub holder: Contexts,
    /// Returns the problem with the block's values, if any.
    pub check: fn(&dyn ValueLookup) -> Option<Problem>,
}

/// Lookup of values by type, for code that does not know the kind of block.
pub trait ValueLookup {
    /// The values of that type, if the block holds any.
    fn lookup(&self, id: TypeId) -> Option<&dyn Any>;
}

/// A value in a slot.
pub(super) trait SlotValue: Any + fmt::Debug + Send + Sync {
    /// Converts to `Any`, for sharing under the value's own type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Any + fmt::Debug + Send + Sync> SlotValue for T {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Identity of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotKey {
    /// The type of the values.
    pub(super) id: TypeId,
    /// Whether some of the values take effect only at the next start.
    pub(super) restart: bool,
}

/// The slots that values are stored under, and where.
#[derive(Debug, Default)]
pub(super) struct SlotKeys {
    keys: Vec<SlotKey>,
    places: FxHashMap<TypeId, usize>,
}

impl SlotKeys {
    /// Slots in the order of their values.
    pub(super) fn new(keys: Vec<SlotKey>) -> SlotKeys {
        let places = keys.iter().enumerate().map(|(place, key)| (key.id, place)).collect();
        SlotKeys { keys, places }
    }

    /// Index of the values of a type.
    pub(super) fn place(&self, id: TypeId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// The slots in the order of their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SlotKey> {
        self.keys.iter()
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Slots of one kind of block.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) keys: Arc<SlotKeys>,
    pub(super) entries: Vec<SlotEntry>,
}

/// The slots of all kinds of blocks, and the checks of their values.
pub(super) trait SlotSource {
    /// Slots that a kind of block holds.
    fn slots(&self, holder: Contexts) -> &Slots;

    /// Checks that modules run on the values of blocks.
    fn checks(&self) -> &[&'static SlotCheck];
}

/// A block whose values are being built.
pub struct BlockLevel<'a> {
    /// The block and its enclosing blocks, innermost first.
    pub blocks: &'a [&'a Block],
    /// All blocks that are merged with it, itself included, in file order.
    pub together: &'a [&'a Block],
    pub(super) outer: Option<&'a dyn ValueLookup>,
    pub(super) source: &'a dyn SlotSource,
}

impl SlotEntry {
    /// Entry of a type.
    pub const fn of<T: Slot>() -> SlotEntry {
        SlotEntry {
            holders: T::HOLDERS,
            key: SlotKey { id: TypeId::of::<T>(), restart: T::RESTART },
            inherited: T::INHERITED,
            is_set_by: T::is_set_by,
            make: |level, evaluation| Arc::new(T::make(level, evaluation)),
        }
    }
}

impl Slots {
    /// The slots that blocks of the kind `holder` hold.
    pub(super) fn new(all: impl Iterator<Item = SlotEntry>, holder: Contexts) -> Slots {
        let entries: Vec<SlotEntry> = all.filter(|entry| entry.holders & holder != 0).collect();
        let keys = SlotKeys::new(entries.iter().map(|entry| entry.key).collect());
        Slots { keys: Arc::new(keys), entries }
    }
}

impl<'a> BlockLevel<'a> {
    /// The enclosing block's values of that type.
    pub fn outer<T: Slot>(&self) -> Option<&'a T> {
        self.outer?.lookup(TypeId::of::<T>())?.downcast_ref()
    }

    /// What the block and its enclosing blocks set for a module.
    pub fn scopes<S: 'static>(&self) -> Vec<Option<&'a S>> {
        self.blocks.iter().map(|block| block.scope()).collect()
    }

    /// Resolves a module's values.
    pub fn resolve<C: Resolve>(&self, evaluation: &mut Evaluation<'_>) -> C {
        resolve(self.blocks, evaluation)
    }
}

impl dyn ValueLookup + '_ {
    /// The values of that type, if the block holds any.
    pub fn find<T: Slot>(&self) -> Option<&T> {
        self.lookup(TypeId::of::<T>())?.downcast_ref()
    }
}

/// Kinds of blocks that hold the values of rows allowed in these contexts: the innermost ones.
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
        contexts & (HTTP | UPSTREAM | ACME_ISSUER)
    };
    match rtmp | http {
        0 => contexts & (MAIN | EVENTS | CLUSTER),
        inner => inner,
    }
}

/// Whether a nested block that sets nothing inherits a value of that type unchanged.
pub const fn is_inherited<F: Field>() -> bool {
    !matches!(F::INHERIT, Inherit::Never)
}
