//! What the builders of the parts of a model share.

use crate::directive::context::Contexts;
use crate::directive::evaluate::Block;
use crate::directive::evaluation::DetachedEvaluation;
use crate::directive::registry::Registry;
use crate::directive::slot::Layer;
use crate::directive::{BaseDirectories, Values};
use crate::syntax::report::Reports;
use crate::syntax::{Pos, Sources, Span};

/// Data shared by the builders of the parts.
pub(super) struct Builder<'a> {
    pub(super) registry: &'a Registry,
    pub(super) sources: &'a Sources,
    pub(super) bases: &'a BaseDirectories,
    pub(super) detached: DetachedEvaluation,
}

impl Builder<'_> {
    /// Errors and warnings found so far.
    pub(super) fn reports(&mut self) -> &mut Reports {
        &mut self.detached.reports
    }

    /// Values of a block; `blocks` are given innermost first, `together` are the blocks that are merged with it.
    pub(super) fn values<const HOLDER: Contexts>(
        &mut self,
        blocks: &[&Block],
        together: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        let values = self.registry.values(blocks, together, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// Values of a nested block.
    pub(super) fn inner_values<const HOLDER: Contexts>(
        &mut self,
        outer: &Layer<HOLDER>,
        blocks: &[&Block],
    ) -> Values<HOLDER> {
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        let values = self.registry.inner_values(outer, blocks, &mut evaluation);
        self.check(blocks, &values);
        values
    }

    /// Reports the problems that modules find in the values of a block.
    fn check<const HOLDER: Contexts>(&mut self, blocks: &[&Block], values: &Values<HOLDER>) {
        let Some(block) = blocks.first().filter(|block| block.context == HOLDER) else { return };
        let mut evaluation = self.detached.evaluation(self.sources, self.bases);
        for problem in self.registry.complaints(values) {
            evaluation.report_in(block, problem);
        }
    }

    /// The file and line of a span.
    pub(super) fn pos(&self, span: Span) -> Pos {
        self.sources.pos(span)
    }
}
