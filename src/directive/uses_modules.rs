//! Blocks before which `load_module` must stand.

use super::{Args, Arity, Scene, Value};
use crate::syntax::Problem;

/// The head of a block that makes use of modules: those named later come too late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsesModules;

/// Whether such a block was seen.
#[derive(Default)]
struct Used(bool);

impl Value for UsesModules {
    const ARITY: Arity = Arity::NONE;

    fn syntax() -> String {
        String::new()
    }

    fn parse(_: &Args<'_>, scene: &mut Scene<'_>) -> Result<UsesModules, Problem> {
        scene.notes.of::<Used>().0 = true;
        Ok(UsesModules)
    }
}

impl UsesModules {
    /// Whether such a block stands before what is read now.
    pub fn seen(scene: &mut Scene<'_>) -> bool {
        scene.notes.of::<Used>().0
    }
}
