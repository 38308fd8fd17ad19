//! Slots: how values of modules are built from blocks without knowledge of any module.
//!
//! A module registers the types of its values. Each kind of block that holds them gets one value of each type: built
//! from what the block and its enclosing blocks set, or shared with the enclosing block where the block itself sets
//! nothing.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::context::{
    APPLICATION, Contexts, EVENTS, HTTP, HTTP_SERVER, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MAIN, RECORDER,
    RTMP, RTMP_SERVER, SERVER_IF,
};
use super::evaluate::{Block, resolve};
use super::evaluation::Evaluation;
use super::field::{Field, Inherit};
use super::registry::Registry;
use super::table::Resolve;
use super::values::{SlotKey, SlotValue, Values};
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
}

/// Registration of a [`Slot`] in a module's table.
#[derive(Clone, Copy)]
pub struct SlotEntry {
    pub(super) holders: Contexts,
    pub(super) key: SlotKey,
    inherited: bool,
    is_set_by: fn(&Block) -> bool,
    make: fn(&BlockLevel<'_>, &mut Evaluation<'_>) -> Arc<dyn SlotValue>,
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

/// Slots of one kind of block, sorted by type.
#[derive(Default)]
pub(super) struct Slots {
    keys: Arc<[SlotKey]>,
    entries: Vec<SlotEntry>,
}

/// A block whose values are being built.
pub struct BlockLevel<'a> {
    /// The block and its enclosing blocks, innermost first.
    pub blocks: &'a [&'a Block],
    /// All blocks that are merged with it, itself included, in file order.
    pub together: &'a [&'a Block],
    outer: Option<&'a dyn ValueLookup>,
    registry: &'a Registry,
}

/// Values of a block that nested blocks inherit.
pub struct Layer<const HOLDER: Contexts> {
    values: Values<HOLDER>,
    /// Values for nested blocks that set nothing, where those differ from the block's own; built once and shared.
    inherited_values: RefCell<Vec<Option<Arc<dyn SlotValue>>>>,
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
        let mut entries: Vec<SlotEntry> = all.filter(|entry| entry.holders & holder != 0).collect();
        entries.sort_by_key(|entry| entry.key.id);
        Slots { keys: entries.iter().map(|entry| entry.key).collect(), entries }
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

    /// Whether the block is a location that sets a directive itself. On outer levels a directive that makes locations
    /// answer only sets what nested locations answer with.
    pub fn location_sets(&self, directive: &str) -> bool {
        let block = self.blocks[0];
        block.context == LOCATION && block.uses(directive).is_some()
    }

    /// Resolves a module's values.
    pub fn resolve<C: Resolve>(&self, evaluation: &mut Evaluation<'_>) -> C {
        resolve(self.blocks, evaluation)
    }

    /// Values that a block of another kind has at this level.
    pub fn values<const HOLDER: Contexts>(
        &self,
        blocks: &[&Block],
        evaluation: &mut Evaluation<'_>,
    ) -> Values<HOLDER> {
        self.registry.values(blocks, &[], evaluation)
    }
}

impl<const HOLDER: Contexts> Layer<HOLDER> {
    /// Layer of a block's values.
    pub fn new(values: Values<HOLDER>) -> Self {
        Layer { values, inherited_values: RefCell::default() }
    }

    /// The values.
    pub fn values(&self) -> &Values<HOLDER> {
        &self.values
    }

    /// Values at an index of the list of slots for a nested block that sets nothing.
    fn inherited_values(
        &self,
        place: usize,
        make: impl FnOnce() -> Arc<dyn SlotValue>,
    ) -> Arc<dyn SlotValue> {
        let mut inherited_values = self.inherited_values.borrow_mut();
        if inherited_values.len() <= place {
            inherited_values.resize(place + 1, None);
        }
        inherited_values[place].get_or_insert_with(make).clone()
    }
}

impl<const HOLDER: Contexts> ValueLookup for Values<HOLDER> {
    fn lookup(&self, id: TypeId) -> Option<&dyn Any> {
        self.find(id)
    }
}

impl dyn ValueLookup + '_ {
    /// The values of that type, if the block holds any.
    pub fn find<T: Slot>(&self) -> Option<&T> {
        self.lookup(TypeId::of::<T>())?.downcast_ref()
    }
}

impl Registry {
    /// Values of a block. `blocks` is the block and its enclosing blocks, innermost first; `together` are the blocks
    /// that are merged with it.
    pub fn values<const HOLDER: Contexts>(
        &self,
        blocks: &[&Block],
        together: &[&Block],
        evaluation: &mut Evaluation<'_>,
    ) -> Values<HOLDER> {
        let slots = self.slots(HOLDER);
        let level = BlockLevel { blocks, together, outer: None, registry: self };
        let stored = slots.entries.iter().map(|entry| (entry.make)(&level, evaluation));
        Values::new(slots.keys.clone(), stored.collect())
    }

    /// Values of a block that inherits from an enclosing one of the same kind.
    pub fn inner_values<const HOLDER: Contexts>(
        &self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
        evaluation: &mut Evaluation<'_>,
    ) -> Values<HOLDER> {
        let slots = self.slots(HOLDER);
        let level = BlockLevel { blocks, together: &[], outer: Some(&outer.values), registry: self };
        let stored = slots.entries.iter().enumerate().map(|(place, entry)| {
            let said = blocks.first().is_some_and(|block| (entry.is_set_by)(block));
            match (said, entry.inherited) {
                (true, _) => (entry.make)(&level, evaluation),
                (false, true) => outer.values.at(place).clone(),
                (false, false) => outer.inherited_values(place, || (entry.make)(&level, evaluation)),
            }
        });
        Values::new(slots.keys.clone(), stored.collect())
    }

    /// Problems that the modules' checks find in a block's values.
    pub fn complaints<const HOLDER: Contexts>(&self, values: &Values<HOLDER>) -> Vec<Problem> {
        let checks = self.checks().iter().filter(|check| check.holder == HOLDER);
        checks.filter_map(|check| (check.check)(values)).collect()
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
        contexts & HTTP
    };
    match rtmp | http {
        0 => contexts & (MAIN | EVENTS),
        inner => inner,
    }
}

/// Whether a nested block that sets nothing inherits a value of that type unchanged.
pub const fn is_inherited<F: Field>() -> bool {
    !matches!(F::INHERIT, Inherit::Never)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::evaluation::DetachedEvaluation;
    use crate::directive::{BaseDirectories, Module};
    use crate::syntax::{Sources, Span};

    /// The order of the block that it was built for, behind that of the enclosing block's value.
    #[derive(Debug)]
    struct Kept(u32);

    #[derive(Debug)]
    struct Single(u32);

    impl Slot for Kept {
        const HOLDERS: Contexts = APPLICATION | LOCATION;
        const INHERITED: bool = true;
        const RESTART: bool = true;

        fn is_set_by(block: &Block) -> bool {
            block.order > 0
        }

        fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Kept {
            Kept(level.outer::<Kept>().map_or(0, |outer| 10 * outer.0) + level.blocks[0].order)
        }
    }

    impl Slot for Single {
        const HOLDERS: Contexts = APPLICATION;
        const INHERITED: bool = false;

        fn is_set_by(block: &Block) -> bool {
            block.order > 0
        }

        fn make(level: &BlockLevel<'_>, _: &mut Evaluation<'_>) -> Single {
            Single(level.blocks[0].order)
        }
    }

    static MODULES: &[&Module] = &[&Module {
        name: "test",
        about: &[],
        rows: &[],
        scope: || Box::new(()),
        scope_type: TypeId::of::<()>,
        slots: &[SlotEntry::of::<Kept>(), SlotEntry::of::<Single>()],
        checks: &[],
        conclusions: &[],
    }];

    fn block(order: u32) -> Block {
        let mut block = Block::new(APPLICATION, Span::default(), Span::default());
        block.order = order;
        block
    }

    fn numbers(values: &Values<APPLICATION>) -> (u32, u32) {
        (values.get::<Kept>().0, values.get::<Single>().0)
    }

    #[test]
    fn a_nested_block_that_sets_nothing_shares_what_is_inherited_and_what_is_built_for_such_blocks() {
        let registry = Registry::new(MODULES, &[]);
        let (mut detached, sources, bases) =
            (DetachedEvaluation::default(), Sources::default(), BaseDirectories::default());
        let mut evaluation = detached.evaluation(&sources, &bases);
        let outer = block(3);
        let layer = Layer::<APPLICATION>::new(registry.values(&[&outer], &[], &mut evaluation));
        assert_eq!(numbers(layer.values()), (3, 3));
        let mut inner = |order| registry.inner_values(&layer, &[&block(order), &outer], &mut evaluation);
        let (first, second, said) = (inner(0), inner(0), inner(4));
        assert_eq!((numbers(&first), numbers(&said)), ((3, 0), (34, 4)));
        assert!(Arc::ptr_eq(&first.share::<Kept>(), &layer.values().share::<Kept>()));
        assert!(Arc::ptr_eq(&first.share::<Single>(), &second.share::<Single>()));
    }

    #[test]
    fn values_for_the_next_start_stay_and_others_change() {
        let registry = Registry::new(MODULES, &[]);
        let (mut detached, sources, bases) =
            (DetachedEvaluation::default(), Sources::default(), BaseDirectories::default());
        let mut evaluation = detached.evaluation(&sources, &bases);
        let mut values = |order| registry.values::<APPLICATION>(&[&block(order)], &[], &mut evaluation);
        let (old, new) = (values(1), values(2));
        assert_eq!(numbers(&new.keeping_restart_values(&old)), (1, 2));
    }

    #[test]
    fn a_kind_of_block_holds_its_types_only() {
        let registry = Registry::new(MODULES, &[]);
        let (mut detached, sources, bases) =
            (DetachedEvaluation::default(), Sources::default(), BaseDirectories::default());
        let mut evaluation = detached.evaluation(&sources, &bases);
        let values = registry.values::<LOCATION>(&[&block(5)], &[], &mut evaluation);
        assert_eq!(values.get::<Kept>().0, 5);
        let values: &dyn ValueLookup = &values;
        assert_eq!(values.find::<Kept>().map(|kept| kept.0), Some(5));
        assert!(values.find::<Single>().is_none());
    }
}
