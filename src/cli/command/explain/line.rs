//! Explanation of a line of a file.

use std::fmt::Write;
use std::path::Path;

use bstr::BString;

use super::page::SAMPLE_NAME;
use super::values::{hidden, levels};
use crate::cli::command::origin::{SourcePositions, block, remark, spelled, value};
use crate::cli::command::sample::Sample;
use crate::cli::command::task::{CommandError, Task};
use crate::config::load::read;
use crate::directive::context::APPLICATION;
use crate::directive::outline::{Outline, OutlineStatement};
use crate::directive::{Inherit, Row, manual};
use crate::media::listen::DEFAULT_PORT;
use crate::modules::REGISTRY;
use crate::syntax::tree::StatementEnd;

pub(super) fn explain_line(task: &Task, file: &Path, line: u32) -> Result<String, CommandError> {
    let (reading, _) = read(&task.load);
    let outline = Outline::new(&reading.tree, &REGISTRY);
    let origins = SourcePositions { reading: &reading };
    let whole = std::fs::canonicalize(file).ok();
    let named = |name: &Path| {
        name == file || name.ends_with(file) || whole.is_some() && std::fs::canonicalize(name).ok() == whole
    };
    let is_file = |id| reading.sources.file(id).is_some_and(|f| named(&f.name));
    if !reading.sources.files().iter().any(|f| named(&f.name)) {
        let text = format!("\"{}\" is no file of {}", file.display(), task.load.conf_name().display());
        return Err(CommandError::Text(text.into()));
    }
    let here: Vec<&OutlineStatement<'_>> =
        outline.statements.iter().filter(|s| is_file(s.name().span.file)).collect();
    let begins: Vec<&OutlineStatement<'_>> =
        here.iter().filter(|s| s.name().span.line == line).copied().collect();
    let chosen = if begins.is_empty() {
        // The innermost statement that extends over the line.
        here.into_iter()
            .rev()
            .find(|s| (s.name().span.line..=last_line(s)).contains(&line))
            .into_iter()
            .collect()
    } else {
        begins
    };
    if chosen.is_empty() {
        return Err(CommandError::Text(format!("nothing is said at {}:{line}", file.display()).into()));
    }
    let mut out = String::new();
    for statement in chosen {
        if !out.is_empty() {
            out.push('\n');
        }
        explain_statement(&outline, &origins, statement, &mut out);
    }
    Ok(out)
}

/// Last line of a statement including its body.
fn last_line(statement: &OutlineStatement<'_>) -> u32 {
    match statement.node.end() {
        StatementEnd::Block { close: Some(close) } => close.line,
        _ => statement.node.terminator().line,
    }
}

fn explain_statement(
    outline: &Outline<'_>,
    origins: &SourcePositions<'_>,
    statement: &OutlineStatement<'_>,
    out: &mut String,
) {
    let words = spelled(statement.node.words());
    let end = if statement.node.opens_block() { " { ... }" } else { ";" };
    let _ = writeln!(out, "{words}{end}{}\n    at {}", remark(statement), origins.of(statement.node));
    for at in outline.around(statement.section) {
        if let Some(head) = outline.sections[at].head {
            let _ = writeln!(out, "    in {} at {}", block(outline, at), origins.of(head));
        }
    }
    let Some(row) = statement.row() else {
        let name = &statement.name().bytes;
        let context = outline.sections[statement.section].context;
        let known =
            if REGISTRY.find(name).is_empty() { "not a directive of pingosd" } else { "not allowed here" };
        let _ = writeln!(out, "    {known}");
        if let Some(advice) = REGISTRY.advice(name, context) {
            let _ = writeln!(out, "    {advice}");
        }
        return;
    };
    if statement.opens.is_none() {
        let levels = levels(outline, row, statement.section);
        match hidden(outline, row, &levels) {
            Some(hidden) => {
                let (other, from) = (value(hidden), origins.of(hidden.node));
                let _ =
                    writeln!(out, "    instead of {other} from {} at {from}", block(outline, hidden.section));
            }
            None => {
                let default = row.default.filter(|_| row.inherit != Inherit::Joined);
                let _ = default.map(|d| {
                    writeln!(out, "    instead of the default {}", if d.is_empty() { "\"\"" } else { d })
                });
            }
        }
        for inner in overriding(outline, row, statement) {
            let (other, from) = (value(inner), origins.of(inner.node));
            let _ = writeln!(out, "    but {other} in {} at {from}", block(outline, inner.section));
        }
        let sample = Sample {
            domain: b"example.com".into(),
            app: application(outline, statement),
            name: SAMPLE_NAME.into(),
            serverid: b"default".into(),
            port: DEFAULT_PORT,
        };
        if let Some(request) = sample.request(row.name(), statement.words()) {
            let _ = writeln!(out, "    sends, for example: {request}");
        }
    }
    let _ = write!(out, "\n{}", manual::of(row));
}

/// Nested blocks that override the directive.
fn overriding<'o, 't>(
    outline: &'o Outline<'t>,
    row: &'static Row,
    statement: &'o OutlineStatement<'t>,
) -> impl Iterator<Item = &'o OutlineStatement<'t>> {
    let nearest = row.inherit == Inherit::Nearest;
    outline.statements.iter().filter(move |other| {
        let same = other.row().is_some_and(|r| std::ptr::eq(r, row));
        nearest && same && outline.around(other.section).skip(1).any(|at| at == statement.section)
    })
}

/// Name of the application that contains a statement.
fn application(outline: &Outline<'_>, statement: &OutlineStatement<'_>) -> BString {
    let section = outline.up_to(statement.section, APPLICATION);
    let name = section.and_then(|at| outline.sections[at].words().first());
    name.map_or_else(|| b"live".into(), |name| name.text().to_owned())
}
