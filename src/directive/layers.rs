//! Values of blocks, built from what they and their enclosing blocks set.

use std::cell::RefCell;
use std::sync::Arc;

use super::block::Block;
use super::context::Contexts;
use super::evaluation::Evaluation;
use super::registry::Registry;
use super::slot::{BlockLevel, SlotSource, SlotValue};
use super::values::Values;
use crate::syntax::diagnostic::Problem;

/// Values of a block that nested blocks inherit.
pub struct Layer<const HOLDER: Contexts> {
    values: Values<HOLDER>,
    /// Values for nested blocks that set nothing, where those differ from the block's own; built once and shared.
    inherited_values: RefCell<Vec<Option<Arc<dyn SlotValue>>>>,
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

impl BlockLevel<'_> {
    /// Values that a block of another kind has at this level.
    pub fn values<const HOLDER: Contexts>(
        &self,
        blocks: &[&Block],
        evaluation: &mut Evaluation<'_>,
    ) -> Values<HOLDER> {
        values(self.source, blocks, &[], evaluation)
    }

    /// Problems that the modules' checks find in such values.
    pub fn complaints<const HOLDER: Contexts>(&self, values: &Values<HOLDER>) -> Vec<Problem> {
        complaints(self.source, values)
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
        values(self, blocks, together, evaluation)
    }

    /// Values of a block that inherits from an enclosing one of the same kind.
    pub fn inner_values<const HOLDER: Contexts>(
        &self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
        evaluation: &mut Evaluation<'_>,
    ) -> Values<HOLDER> {
        let slots = self.slots(HOLDER);
        let level = BlockLevel { blocks, together: &[], outer: Some(&outer.values), source: self };
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
        complaints(self, values)
    }
}

fn complaints<const HOLDER: Contexts>(source: &dyn SlotSource, values: &Values<HOLDER>) -> Vec<Problem> {
    let checks = source.checks().iter().filter(|check| check.holder == HOLDER);
    checks.filter_map(|check| (check.check)(values)).collect()
}

/// Values of a block. `blocks` is the block and its enclosing blocks, innermost first; `together` are the blocks that are
/// merged with it.
fn values<const HOLDER: Contexts>(
    source: &dyn SlotSource,
    blocks: &[&Block],
    together: &[&Block],
    evaluation: &mut Evaluation<'_>,
) -> Values<HOLDER> {
    let slots = source.slots(HOLDER);
    let level = BlockLevel { blocks, together, outer: None, source };
    let stored = slots.entries.iter().map(|entry| (entry.make)(&level, evaluation));
    Values::new(slots.keys.clone(), stored.collect())
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use super::*;
    use crate::directive::context::APPLICATION;
    use crate::directive::context::LOCATION;
    use crate::directive::evaluation::DetachedEvaluation;
    use crate::directive::slot::{Slot, SlotEntry, ValueLookup};
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
