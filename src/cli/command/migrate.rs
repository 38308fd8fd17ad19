//! `pingosd migrate-check`: reports which directives of a configuration are supported.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bstr::ByteSlice;
use serde::Serialize;

use super::json::to_text;
use super::task::{CommandError, CommandText, Streams, Task};
use crate::config::load;
use crate::config::load::read;
use crate::directive::outline::{Outline, OutlineStatement};
use crate::directive::{Row, UseOutcome};
use crate::modules::REGISTRY;
use crate::syntax::{Diagnostic, Severity, Span};

/// Support of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum MigrationStatus {
    Honoured,
    NoEffectYet,
    /// Not supported; what it guards is refused.
    Refused,
    Needless,
    Unsupported,
}

/// Report on one statement.
#[derive(Debug, Serialize)]
struct MigratedDirective {
    file: String,
    line: u32,
    directive: String,
    status: MigrationStatus,
    /// Observable difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
    /// What differs from PingOS in a directive that is honoured, whether or not it shows with these arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pingos: Option<String>,
}

/// Numbers of statements by support.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct MigrationSummary {
    honoured: usize,
    no_effect_yet: usize,
    refused: usize,
    needless: usize,
    unsupported: usize,
}

#[derive(Debug, Serialize)]
struct MigrationAnswer {
    file: String,
    summary: MigrationSummary,
    directives: Vec<MigratedDirective>,
}

pub(super) fn run(task: &Task, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
    let ([json, all], files) = task.switches(["--json", "--all"])?;
    let mut options = task.load.clone();
    match files[..] {
        [] => {}
        [file] => options.conf_file = Some(PathBuf::from(file)),
        _ => return Err(CommandError::Usage),
    }
    // A file that cannot be read has no directives to judge.
    if let Some(file) = &options.conf_file {
        CommandText::open(file)?;
    }
    let (reading, _) = read(&options);
    let outline = Outline::new(&reading.tree, &REGISTRY);
    let diagnostics = match load(&options) {
        Ok(config) => config.warnings,
        Err(report) => report.diagnostics,
    };
    let mut used = vec![false; diagnostics.len()];
    let position = |span: Span| {
        let pos = reading.sources.pos(span);
        (to_text(pos.file.as_os_str().as_encoded_bytes()), pos.line)
    };
    let mut directives = Vec::new();
    for statement in &outline.statements {
        // Statements in an unknown block are reported together with the block.
        if outline.sections[statement.section].context == 0 {
            continue;
        }
        let mut about = Vec::new();
        for (diagnostic, used) in diagnostics.iter().zip(&mut used) {
            if speaks_of(diagnostic, statement) && !*used {
                *used = true;
                about.push(diagnostic);
            }
        }
        let (status, difference) = judge(statement, outline.sections[statement.section].context, &about);
        let (file, line) = position(statement.name().span);
        let row = statement.row().filter(|_| status == MigrationStatus::Honoured);
        directives.push(MigratedDirective {
            file,
            line,
            directive: to_text(&statement.name().bytes),
            status,
            difference,
            pingos: row.and_then(Row::difference_line),
        });
    }
    for (diagnostic, _) in
        diagnostics.iter().zip(&used).filter(|(d, used)| !**used && d.level == Severity::Emerg)
    {
        let (file, line) = diagnostic.place.map_or((name(options.conf_name()), 0), position);
        let (directive, difference) = (String::new(), Some(sentence(diagnostic)));
        directives.push(MigratedDirective {
            file,
            line,
            directive,
            status: MigrationStatus::Unsupported,
            difference,
            pingos: None,
        });
    }
    let mut summary = MigrationSummary::default();
    for entry in &directives {
        *match entry.status {
            MigrationStatus::Honoured => &mut summary.honoured,
            MigrationStatus::NoEffectYet => &mut summary.no_effect_yet,
            MigrationStatus::Refused => &mut summary.refused,
            MigrationStatus::Needless => &mut summary.needless,
            MigrationStatus::Unsupported => &mut summary.unsupported,
        } += 1;
    }
    let failed = summary.unsupported > 0 || summary.no_effect_yet > 0 || summary.refused > 0;
    let answer = MigrationAnswer { file: name(options.conf_name()), summary, directives };
    if json {
        serde_json::to_writer_pretty(&mut *streams.out, &answer).map_err(std::io::Error::from)?;
        writeln!(streams.out)?;
    } else {
        print(&answer, all, streams)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Support of a statement, and the observable difference.
fn judge(
    statement: &OutlineStatement<'_>,
    context: u32,
    about: &[&Diagnostic],
) -> (MigrationStatus, Option<String>) {
    let texts = about
        .iter()
        .find(|d| d.level == Severity::Emerg)
        .or(about.iter().find(|d| d.level == Severity::Warn));
    let Some(row) = statement.row() else {
        let name = &statement.name().bytes;
        let help = texts.and_then(|d| d.help.first().cloned()).or_else(|| REGISTRY.advice(name, context));
        let what = if REGISTRY.find(name).is_empty() { "unknown directive" } else { "not allowed here" };
        return (
            MigrationStatus::Unsupported,
            Some(help.map_or(what.into(), |help| format!("{what}: {help}"))),
        );
    };
    let wrong = about.iter().find(|d| d.level == Severity::Emerg);
    if let Some(wrong) = wrong {
        return (MigrationStatus::Unsupported, Some(sentence(wrong)));
    }
    let outcome = row.outcome(statement.joined().as_bstr());
    let repeats = |d: &&&Diagnostic| {
        row.inert
            && [&b"has no effect yet"[..], row.refusal().as_bytes()].iter().any(|e| d.sentence.ends_with(e))
    };
    let difference = texts.filter(|d| !repeats(d)).map(|d| sentence(d));
    let missing = || format!("missing so far: {}", doc(row));
    match outcome {
        UseOutcome::Honoured => (MigrationStatus::Honoured, difference),
        UseOutcome::Needless => (MigrationStatus::Needless, Some(difference.unwrap_or_else(|| doc(row)))),
        UseOutcome::NoEffect => (MigrationStatus::NoEffectYet, Some(difference.unwrap_or_else(missing))),
        UseOutcome::Refused => (MigrationStatus::Refused, Some(difference.unwrap_or_else(missing))),
    }
}

/// Whether a diagnostic is about the statement itself rather than its body.
fn speaks_of(diagnostic: &Diagnostic, statement: &OutlineStatement<'_>) -> bool {
    let Some(place) = diagnostic.span.or(diagnostic.place) else { return false };
    let (start, end) = (statement.name().span, statement.node.terminator());
    let last = statement.words().last().map_or(start, |w| w.span);
    let inside =
        place.file == start.file && start.start <= place.start && place.start <= end.start.max(last.end);
    inside && start.file == end.file
}

fn sentence(diagnostic: &Diagnostic) -> String {
    let mut text = to_text(&diagnostic.sentence);
    if !diagnostic.caption.is_empty() {
        text.push_str("; ");
        text.push_str(&diagnostic.caption);
    }
    text
}

/// A row's documentation on one line.
fn doc(row: &Row) -> String {
    row.text().iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn name(path: &Path) -> String {
    to_text(path.as_os_str().as_encoded_bytes())
}

fn print(answer: &MigrationAnswer, all: bool, streams: &mut Streams<'_>) -> std::io::Result<()> {
    let shown = answer
        .directives
        .iter()
        .filter(|e| all || e.status != MigrationStatus::Honoured || e.difference.is_some());
    for MigratedDirective { file, line, directive, status, difference, pingos } in shown {
        let status = match status {
            MigrationStatus::Honoured => "honoured",
            MigrationStatus::NoEffectYet => "no effect yet",
            MigrationStatus::Refused => "refused",
            MigrationStatus::Needless => "needless",
            MigrationStatus::Unsupported => "unsupported",
        };
        write!(streams.out, "{file}:{line}: {status}")?;
        if !directive.is_empty() {
            write!(streams.out, ": {directive}")?;
        }
        match difference.as_ref().or(pingos.as_ref().filter(|_| all)) {
            Some(difference) => writeln!(streams.out, ": {difference}")?,
            None => writeln!(streams.out)?,
        }
    }
    let MigrationSummary { honoured, no_effect_yet, refused, needless, unsupported } = answer.summary;
    writeln!(
        streams.out,
        "{honoured} honoured, {no_effect_yet} without effect yet, {refused} refused, {needless} needless, {unsupported} unsupported"
    )
}
