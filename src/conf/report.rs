//! Diagnostics as they are collected.

use super::diagnostic::{Diagnostic, Level, Problem};

/// Errors beyond this number are counted, not kept: the first ones explain the others.
pub const MAX_ERRORS: usize = 100;
/// Warnings and notices beyond this number are counted, not kept.
pub const MAX_WARNINGS: usize = 1_000;

/// Everything there is to say about a configuration.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    kept: Vec<(u32, Diagnostic)>,
    errors: usize,
    others: usize,
}

impl Reports {
    /// Adds a diagnostic about the statement of that number in reading order.
    pub fn add(&mut self, order: u32, problem: Problem) {
        let diagnostic = problem.into_diagnostic();
        let (count, limit) = match diagnostic.level {
            Level::Emerg => (&mut self.errors, MAX_ERRORS),
            Level::Warn | Level::Notice => (&mut self.others, MAX_WARNINGS),
        };
        *count += 1;
        if *count <= limit {
            self.kept.push((order, diagnostic));
        }
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors would not be kept.
    pub fn is_full(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    /// How many diagnostics were counted but not kept: errors, others.
    pub fn left_out(&self) -> (usize, usize) {
        (self.errors.saturating_sub(MAX_ERRORS), self.others.saturating_sub(MAX_WARNINGS))
    }

    /// The diagnostics in reading order.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.kept.sort_by_key(|(order, _)| *order);
        self.kept.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}
