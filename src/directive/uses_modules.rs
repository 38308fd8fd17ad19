//! Blocks before which `load_module` must appear.

use super::{Args, Arity, Evaluation, Value};
use crate::syntax::Problem;

/// Value of a block that uses modules: a later `load_module` comes too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsesModules;

/// Whether such a block was parsed.
#[derive(Default)]
struct Used(bool);

impl Value for UsesModules {
    const ARITY: Arity = Arity::NONE;

    fn syntax() -> String {
        String::new()
    }

    fn parse(_: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<UsesModules, Problem> {
        evaluation.notes.of::<Used>().0 = true;
        Ok(UsesModules)
    }
}

impl UsesModules {
    /// Whether such a block precedes the statement being parsed.
    pub fn seen(evaluation: &mut Evaluation<'_>) -> bool {
        evaluation.notes.of::<Used>().0
    }
}
