//! Collection of diagnostics.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Label, Problem, Severity};
use super::source::{FileId, Span};

/// Maximum number of errors kept; further ones are only counted.
pub const MAX_ERRORS: usize = 100;
/// Maximum number of warnings and notes kept; further ones are only counted.
pub const MAX_WARNINGS: usize = 1_000;
/// Maximum number of includes shown under a diagnostic, innermost first.
pub(crate) const MAX_INCLUDES: usize = 3;

/// All diagnostics about a configuration.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    kept: Vec<(u32, Diagnostic)>,
    errors: usize,
    others: usize,
    entered: Vec<IncludeUse>,
}

/// One use of an included file.
#[derive(Clone, Debug)]
pub(crate) struct IncludeUse {
    /// The file.
    pub file: FileId,
    /// Reading-order numbers of its statements.
    pub statements: Range<u32>,
    /// Position of the include statement's argument.
    pub from: Span,
}

impl Reports {
    /// Adds a diagnostic about the statement with this reading-order number.
    pub fn add(&mut self, order: u32, problem: Problem) {
        let diagnostic = problem.into_diagnostic();
        let (count, limit) = match diagnostic.level {
            Severity::Emerg => (&mut self.errors, MAX_ERRORS),
            Severity::Warn | Severity::Notice => (&mut self.others, MAX_WARNINGS),
        };
        *count += 1;
        if *count <= limit {
            self.kept.push((order, diagnostic));
        }
    }

    /// Records an included file, so that diagnostics about it can show the include.
    pub(crate) fn entered(&mut self, entered: IncludeUse) {
        self.entered.push(entered);
    }

    /// Whether there are errors.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors would only be counted.
    pub fn is_full(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    /// Numbers of diagnostics that were counted but not kept: errors, others.
    pub fn left_out(&self) -> (usize, usize) {
        (self.errors.saturating_sub(MAX_ERRORS), self.others.saturating_sub(MAX_WARNINGS))
    }

    /// All diagnostics in reading order.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.kept.sort_by_key(|(order, _)| *order);
        let entered = self.entered;
        self.kept
            .into_iter()
            .map(|(order, mut diagnostic)| {
                diagnostic.labels.extend(included(&entered, order, &diagnostic));
                diagnostic
            })
            .collect()
    }
}

/// The includes that led to a diagnostic's position, innermost first.
fn included(entered: &[IncludeUse], order: u32, diagnostic: &Diagnostic) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut file = diagnostic.span.map(|span| span.file);
    while let Some(inner) = file.filter(|_| labels.len() < MAX_INCLUDES) {
        let readings = || entered.iter().filter(|e| e.file == inner);
        // A diagnostic at the end of a file has the number of the next statement; one about the configuration as a
        // whole has no number of its own.
        let reading = readings()
            .find(|e| e.statements.contains(&order))
            .or_else(|| readings().rfind(|e| e.statements.end == order))
            .or_else(|| readings().next());
        labels.extend(reading.map(|e| Label { span: e.from, text: "included from here".into() }));
        file = reading.map(|e| e.from.file);
    }
    labels
}
