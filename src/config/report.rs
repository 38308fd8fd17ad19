//! Errors of a configuration that cannot be loaded, as text.

use crate::syntax::render::{Style, render};
use crate::syntax::report::MAX_ERRORS;
use crate::syntax::{Diagnostic, Severity, Sources};

/// Errors of a configuration that cannot be loaded.
#[derive(Clone, Debug)]
pub struct Report {
    /// Errors and other diagnostics, in reading order.
    pub diagnostics: Vec<Diagnostic>,
    /// The source texts.
    pub sources: Sources,
    /// Number of errors that were counted but not kept.
    pub more_errors: usize,
}

impl Report {
    /// The report as text, including warnings.
    pub fn render(&self, style: Style) -> Vec<u8> {
        let mut out = render_all(&self.diagnostics, &self.sources, style, Severity::Warn);
        if self.diagnostics.iter().filter(|d| d.level == Severity::Emerg).count() >= MAX_ERRORS {
            out.extend_from_slice(b"nginx: too many errors: the rest was not checked\n");
        }
        if self.more_errors > 0 {
            out.extend_from_slice(format!("nginx: {} more errors\n", self.more_errors).as_bytes());
        }
        out
    }
}

/// Renders diagnostics down to a level.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources, style: Style, least: Severity) -> Vec<u8> {
    let mut out = Vec::new();
    for diagnostic in diagnostics.iter().filter(|d| d.level <= least) {
        render(diagnostic, sources, style, &mut out);
    }
    out
}
