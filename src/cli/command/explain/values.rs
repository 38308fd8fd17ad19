//! Effective values of a block.

use std::fmt::Write;

use super::page::ExplanationPage;
use crate::cli::command::origin::{block, remark, value};
use crate::cli::command::sample::Sample;
use crate::directive::context::MAIN;
use crate::directive::outline::{Outline, OutlineStatement};
use crate::directive::{Inherit, Row, StatementShape};
use crate::modules::MODULES;

/// Column widths of names and values; longer ones shift the following columns.
const NAME_WIDTH: usize = 24;
const VALUE_WIDTH: usize = 24;

impl ExplanationPage<'_, '_> {
    /// All effective values of a block, by module, in the order of the manual.
    pub(super) fn values(&mut self, section: usize, sample: Option<&Sample>) {
        for module in MODULES {
            let mut lines = String::new();
            for row in module.rows.iter().filter(|row| !matches!(row.shape, StatementShape::Opens(_))) {
                self.row(row, section, sample, &mut lines);
            }
            if !lines.is_empty() {
                let _ = write!(self.out, "\n{}\n{lines}", module.name);
            }
        }
    }

    fn row(&self, row: &'static Row, section: usize, sample: Option<&Sample>, out: &mut String) {
        let levels = levels(self.outline, row, section);
        if levels.is_empty() {
            return;
        }
        let mut counted = counted(self.outline, row, &levels).peekable();
        if counted.peek().is_none() {
            let Some(default) = row.default else { return };
            let shown = if default.is_empty() { "\"\"" } else { default };
            let _ = writeln!(out, "    {:NAME_WIDTH$} {shown:VALUE_WIDTH$} default", row.name());
            return;
        }
        for statement in counted {
            let name = statement.name().text().to_string();
            let shown = value(statement);
            let from = self.origins.of(statement.node);
            let origin = if statement.section == section {
                from
            } else {
                format!("inherited from {} at {from}", block(self.outline, statement.section))
            };
            let _ =
                writeln!(out, "    {name:NAME_WIDTH$} {shown:VALUE_WIDTH$} {origin}{}", remark(statement));
            if let Some(request) = sample.and_then(|s| s.request(row.name(), statement.words())) {
                let _ = writeln!(out, "    {:NAME_WIDTH$} {request}", "");
            }
        }
        if let Some(hidden) = hidden(self.outline, row, &levels) {
            let (other, from) = (value(hidden), self.origins.of(hidden.node));
            let _ = writeln!(out, "    {:NAME_WIDTH$} (instead of {other} at {from})", "");
        }
    }
}

/// Blocks in which a row is allowed, innermost first, up to the main block.
pub(super) fn levels(outline: &Outline<'_>, row: &Row, section: usize) -> Vec<usize> {
    let inside = outline.around(section).filter(|at| outline.sections[*at].context != MAIN);
    inside.filter(|at| row.contexts & outline.sections[*at].context != 0).collect()
}

/// Statements that determine a row's value.
pub(super) fn counted<'o, 't>(
    outline: &'o Outline<'t>,
    row: &'static Row,
    levels: &[usize],
) -> impl Iterator<Item = &'o OutlineStatement<'t>> {
    let says = |at: &&usize| outline.own(**at, row.name()).next().is_some();
    let levels: Vec<usize> = match row.inherit {
        Inherit::Joined => levels.to_vec(),
        Inherit::Nearest => levels.iter().find(says).copied().into_iter().collect(),
        Inherit::Never => levels.first().copied().into_iter().collect(),
    };
    // The same name may belong to another row in another context.
    let same = move |statement: &&OutlineStatement<'_>| statement.row().is_some_and(|r| std::ptr::eq(r, row));
    levels.into_iter().flat_map(move |at| outline.own(at, row.name())).filter(same)
}

/// The value that would be in force without the innermost one.
pub(super) fn hidden<'o, 't>(
    outline: &'o Outline<'t>,
    row: &'static Row,
    levels: &[usize],
) -> Option<&'o OutlineStatement<'t>> {
    if row.inherit != Inherit::Nearest {
        return None;
    }
    let mut saying = levels.iter().filter(|at| outline.own(**at, row.name()).next().is_some());
    saying.nth(1).and_then(|at| outline.own(*at, row.name()).last())
}
