//! Evaluated blocks.

use std::any::TypeId;

use super::context::{Contexts, HTTP, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use super::evaluation::{AnyValue, Evaluation};
use super::field::Inherit;
use super::row::{Resolve, Restricts, Row};
use crate::syntax::diagnostic::Problem;
use crate::syntax::source::Span;

/// An evaluated block with the values that its statements set.
pub struct Block {
    /// Context of the block's statements.
    pub context: Contexts,
    /// Position of the block's name, arguments and brace; empty for the main block.
    pub span: Span,
    /// Position of its `{`, whose line nginx's diagnostics name.
    pub place: Span,
    /// Reading-order number of the block's last statement; 0 if it is empty.
    pub order: u32,
    /// Reading-order number of the statement that the block is.
    pub opens: u32,
    /// Nested blocks, in order.
    pub children: Vec<Block>,
    pub(super) head: Option<AnyValue>,
    pub(super) scopes: Vec<(TypeId, AnyValue)>,
    pub(super) seen: Vec<DirectiveUse>,
}

/// Use of a directive in a block.
pub(super) struct DirectiveUse {
    pub(super) row: &'static Row,
    pub(super) first: Span,
    /// Reading-order number of the latest use.
    pub(super) latest: u32,
    pub(super) count: usize,
    /// Whether at least one use refuses traffic because the feature that would guard it is missing.
    pub(super) refuses: bool,
}

impl Block {
    /// An empty block.
    pub(super) fn new(context: Contexts, span: Span, place: Span) -> Block {
        Block {
            context,
            span,
            place,
            order: 0,
            opens: 0,
            children: Vec::new(),
            head: None,
            scopes: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Values that the block sets for a module's directives, if any.
    pub fn scope<S: 'static>(&self) -> Option<&S> {
        let id = TypeId::of::<S>();
        self.scopes.iter().find(|(known, _)| *known == id).and_then(|(_, scope)| scope.downcast_ref())
    }

    /// Value of the block's own arguments.
    pub fn head<T: 'static>(&self) -> Option<&T> {
        self.head.as_ref().and_then(|head| head.downcast_ref())
    }

    /// Position of the first use of a directive in the block, by its canonical name.
    pub fn uses(&self, name: &str) -> Option<Span> {
        self.seen.iter().find(|s| s.row.name() == name).map(|s| s.first)
    }

    /// The directives that select a handler of the block's requests, with their positions; the one that was used last answers, as
    /// in nginx. Outside of locations, one that these inherit only says what they answer with.
    pub fn handlers(&self) -> Vec<(&'static str, Span)> {
        let is_location = self.context & (LOCATION | LOCATION_IF | LIMIT_EXCEPT) != 0;
        let selects = |row: &Row| row.selects_handler && (is_location || row.contexts & HTTP == 0);
        let mut handlers: Vec<&DirectiveUse> = self.seen.iter().filter(|seen| selects(seen.row)).collect();
        handlers.sort_by_key(|seen| seen.latest);
        handlers.iter().map(|seen| (seen.row.name(), seen.first)).collect()
    }

    /// The directive that selects the handler.
    pub fn handler(&self) -> Option<&'static str> {
        self.handlers().last().map(|(name, _)| *name)
    }

    /// Name of the first effective directive that restricts one of `kinds` while its feature is missing. `chain` is a
    /// block and its enclosing blocks, innermost first.
    pub fn refusing(chain: &[&Block], kinds: &[Restricts]) -> Option<&'static str> {
        let decides = |row: &Row| row.inert && row.restricts.is_some_and(|r| kinds.contains(&r.what));
        let mut known: Vec<&'static Row> = Vec::new();
        for (level, block) in chain.iter().enumerate() {
            for seen in block.seen.iter().filter(|seen| decides(seen.row)) {
                let inherited = level > 0;
                if known.iter().any(|row| std::ptr::eq(*row, seen.row))
                    || (inherited && seen.row.inherit == Inherit::Never)
                {
                    continue;
                }
                if seen.refuses {
                    return Some(seen.row.name());
                }
                known.push(seen.row);
            }
        }
        None
    }

    /// Nested blocks of a context.
    pub fn inner(&self, context: Contexts) -> impl Iterator<Item = &Block> {
        self.children.iter().filter(move |b| b.context == context)
    }
}

impl Evaluation<'_> {
    /// Reports a problem in a block.
    pub fn report_in(&mut self, block: &Block, problem: Problem) {
        self.reports.add(block.order, problem.at(block.span).place(block.place));
    }
}

/// Resolves a module's values from blocks, innermost first.
pub fn resolve<C: Resolve>(blocks: &[&Block], evaluation: &mut Evaluation<'_>) -> C {
    let scopes: Vec<Option<&C::Scope>> = blocks.iter().map(|b| b.scope()).collect();
    C::resolve(&scopes, evaluation)
}
