//! The configuration language, passed to the code that reads texts.

use std::fmt;
use std::sync::LazyLock;

use super::evaluation::BaseDirectories;
use super::registry::Registry;
use crate::syntax::Problem;
use crate::syntax::reading::Reading;

/// Runs all lints on a parsed configuration. Returns the warnings, each with the number of its statement.
pub type Linter = fn(&Reading, &BaseDirectories, &Registry) -> Vec<(u32, Problem)>;

/// The directives and the lints of a configuration. Two languages are equal if they are the same value.
pub struct Language {
    registry: &'static LazyLock<Registry>,
    linter: Linter,
}

impl Language {
    /// A language with these directives and lints.
    pub const fn new(registry: &'static LazyLock<Registry>, linter: Linter) -> Language {
        Language { registry, linter }
    }

    /// The directives by name.
    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// See [`Linter`].
    pub fn lint(&self, reading: &Reading, bases: &BaseDirectories) -> Vec<(u32, Problem)> {
        (self.linter)(reading, bases, self.registry)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Language) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Language").finish_non_exhaustive()
    }
}
