//! Positions of statements, with the includes that led to them.

use std::fmt::Write;

use bstr::ByteSlice;

pub(super) use crate::directive::outline::spelled;
use crate::directive::outline::{Outline, OutlineStatement};
use crate::directive::{UseOutcome, context};
use crate::syntax::Span;
use crate::syntax::reading::Reading;
use crate::syntax::tree::Node;

/// Positions in a parsed configuration.
pub(super) struct SourcePositions<'r> {
    pub(super) reading: &'r Reading,
}

impl SourcePositions<'_> {
    /// File and line of a statement and of each include that led to it.
    pub(super) fn of(&self, node: Node<'_>) -> String {
        let mut out = self.pos(node.words().first().map_or(node.terminator(), |w| w.span));
        // Inner includes were recorded before the outer ones.
        for include in self.reading.includes.iter().filter(|i| i.statements.contains(&node.order())) {
            let _ = write!(out, ", included at {}", self.pos(include.span));
        }
        out
    }

    /// File and line.
    pub(super) fn pos(&self, span: Span) -> String {
        self.reading.sources.pos(span).to_string()
    }
}

/// Value of a directive.
pub(super) fn value(statement: &OutlineStatement<'_>) -> String {
    match (statement.words(), statement.node.opens_block()) {
        ([], true) => "{ ... }".into(),
        (words, true) => format!("{} {{ ... }}", spelled(words)),
        (words, false) => spelled(words),
    }
}

/// Name of a block: its context and arguments.
pub(super) fn block(outline: &Outline<'_>, section: usize) -> String {
    let section = &outline.sections[section];
    let kind = context::names(section.context).next().unwrap_or("block");
    match section.words() {
        [] => kind.to_owned(),
        words => format!("{kind} {}", spelled(words)),
    }
}

/// Remark on a directive that has no effect or is not supported.
pub(super) fn remark(statement: &OutlineStatement<'_>) -> &'static str {
    let Some(row) = statement.row() else { return "" };
    match row.outcome(statement.joined().as_bstr()) {
        UseOutcome::Honoured => "",
        UseOutcome::NoEffect => " [no effect yet]",
        UseOutcome::Needless => " [not needed here]",
        UseOutcome::Refused => " [refused]",
    }
}
