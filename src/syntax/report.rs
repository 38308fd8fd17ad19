//! Diagnostics as they are collected.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Label, Level, Problem};
use super::source::{FileId, Span};

/// Errors beyond this number are counted, not kept: the first ones explain the others.
pub const MAX_ERRORS: usize = 100;
/// Warnings and notices beyond this number are counted, not kept.
pub const MAX_WARNINGS: usize = 1_000;
/// Includes shown under a diagnostic, from the file it is about outwards.
pub(crate) const MAX_INCLUDES: usize = 3;

/// Everything there is to say about a configuration.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    kept: Vec<(u32, Diagnostic)>,
    errors: usize,
    others: usize,
    entered: Vec<Entered>,
}

/// One reading of an included file.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    /// The file.
    pub file: FileId,
    /// Its statements' numbers in reading order.
    pub statements: Range<u32>,
    /// The include statement's argument.
    pub from: Span,
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

    /// Notes an included file, so that diagnostics about it tell from where it was included.
    pub(crate) fn entered(&mut self, entered: Entered) {
        self.entered.push(entered);
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

/// The includes that led to the place of a diagnostic, the nearest first.
fn included(entered: &[Entered], order: u32, diagnostic: &Diagnostic) -> Vec<Label> {
    let mut labels = Vec::new();
    let mut file = diagnostic.span.map(|span| span.file);
    while let Some(inner) = file.filter(|_| labels.len() < MAX_INCLUDES) {
        let readings = || entered.iter().filter(|e| e.file == inner);
        // What is said at the end of a file bears the number of the statement that follows it; what is said of the
        // configuration as a whole bears none of its own.
        let reading = readings()
            .find(|e| e.statements.contains(&order))
            .or_else(|| readings().rfind(|e| e.statements.end == order))
            .or_else(|| readings().next());
        labels.extend(reading.map(|e| Label { span: e.from, text: "included from here".into() }));
        file = reading.map(|e| e.from.file);
    }
    labels
}
