//! Input and output of lints.

use crate::directive::BaseDirectories;
use crate::directive::outline::{Outline, OutlineStatement};
use crate::directive::registry::Registry;
use crate::syntax::tree::Tree;
use crate::syntax::{Problem, Sources, Span};

/// Input of lints.
pub struct LintContext<'t> {
    /// Blocks and statements.
    pub outline: Outline<'t>,
    /// Source texts.
    pub sources: &'t Sources,
    /// Directories of relative paths.
    pub bases: &'t BaseDirectories,
}

/// A warning.
pub struct Finding {
    /// Reading-order number of the statement.
    pub(super) order: u32,
    /// Block whose comments may silence it, in addition to the statement's own.
    pub(super) section: usize,
    pub(super) place: Span,
    /// Beginning of the statement.
    pub(super) start: Span,
    pub(super) problem: Problem,
}

impl<'t> LintContext<'t> {
    /// Prepares a parsed configuration for lints.
    pub fn new(
        tree: &'t Tree,
        sources: &'t Sources,
        bases: &'t BaseDirectories,
        registry: &Registry,
    ) -> LintContext<'t> {
        LintContext { outline: Outline::new(tree, registry), sources, bases }
    }
}

impl Finding {
    /// A finding about a statement.
    pub(super) fn new(statement: &OutlineStatement<'_>, problem: Problem) -> Finding {
        Finding {
            order: statement.node.order(),
            section: statement.opens.unwrap_or(statement.section),
            place: statement.node.terminator(),
            start: statement.name().span,
            problem: problem.at(statement.node.span()),
        }
    }

    /// Converts it to a problem tagged with a lint's name, with the number of its statement.
    pub(super) fn tagged(self, name: &str) -> (u32, Problem) {
        let help = format!("`# pingosd: allow {name}` on the line before silences this");
        (self.order, self.problem.place(self.place).help(help).tagged(name))
    }
}
