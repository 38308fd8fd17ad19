//! Manual of all directives, generated from their rows.

use std::fmt::Write;

use super::context;
use super::registry::Registry;
use super::row::{DIFFERS, NOT_IN_PINGOS};
use super::table::{Module, ReloadClass, Row, StatementShape};

/// The whole manual as Markdown.
pub fn all(registry: &Registry) -> String {
    format!("# Directives\n{}", modules(registry))
}

/// The entries of all modules.
pub fn modules(registry: &Registry) -> String {
    let mut out = String::new();
    for module in registry.modules() {
        let _ = write!(out, "\n## {}\n\n{}\n", module.name, lines(module.about));
        for row in module.rows {
            describe(row, &mut out);
        }
    }
    out
}

/// The entries of one directive name.
pub fn one(registry: &Registry, name: &[u8]) -> Option<String> {
    let mut out = String::new();
    for entry in registry.find(name) {
        describe(entry.row, &mut out);
        let Module { name, .. } = entry.module;
        let _ = write!(out, "\nPart of {name}.\n");
    }
    (!out.is_empty()).then(|| out.trim_start().to_owned())
}

/// The entry of one row.
pub fn of(row: &Row) -> String {
    let mut out = String::new();
    describe(row, &mut out);
    out.trim_start().to_owned()
}

fn describe(row: &Row, out: &mut String) {
    let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
    let _ = write!(out, "\n### {}\n\n", names.join(", "));
    let syntax = (row.syntax)();
    let blank = if syntax.is_empty() { "" } else { " " };
    let end = match row.shape {
        StatementShape::Simple => ";",
        StatementShape::Free => "",
        StatementShape::Opens(_) => " { ... }",
    };
    let _ = writeln!(out, "    {}{blank}{syntax}{end}", row.name());
    if let Some(default) = row.default {
        let shown = if default.is_empty() { "\"\"" } else { default };
        let _ = writeln!(out, "    default: {} {shown};", row.name());
    }
    if let Some(example) = row.example() {
        let _ = writeln!(out, "    example: {example}");
    }
    let places: Vec<&str> = context::names(row.contexts).collect();
    let _ = writeln!(out, "    in: {}", places.join(", "));
    for (word, unit) in UNITS.iter().filter(|(word, _)| has_word(&syntax, word)) {
        let _ = writeln!(out, "    {word}: {unit}");
    }
    let _ = write!(out, "\n{}\n", lines(row.text()));
    let effect = match row.class {
        _ if row.inert && row.restricts.is_some() => &format!("The directive {}.", row.refusal()),
        _ if row.inert => "The directive has no effect yet.",
        ReloadClass::Block | ReloadClass::Later => "",
        ReloadClass::Needless => "The server checks the line and does not need it.",
        ReloadClass::Live => "A reload changes it at once, also for running sessions.",
        ReloadClass::Restart => "A change takes effect at the next start.",
        ReloadClass::Session => "A reload changes it for new sessions.",
    };
    if !effect.is_empty() {
        let _ = writeln!(out, "\n{effect}");
    }
    if let Some(difference) = row.difference() {
        let _ = write!(out, "\n{}\n", lines(difference));
    }
}

/// The page of differences from PingOS, by module.
pub fn differences(registry: &Registry) -> String {
    let mut out = String::from(DIFFERENCES_PAGE);
    for module in registry.modules() {
        let rows = || module.rows.iter().filter(|row| row.difference().is_some());
        if rows().next().is_none() {
            continue;
        }
        let _ = write!(out, "\n## {}\n\n", module.name);
        let (new, others): (Vec<&Row>, Vec<&Row>) = rows().partition(|row| is_new_alone(row));
        if !others.is_empty() {
            out.push_str("| directive | difference |\n| --- | --- |\n");
        }
        for row in &others {
            let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(
                out,
                "| {} | {} |",
                names.join(", "),
                cell(&row.difference_line().unwrap_or_default())
            );
        }
        if !new.is_empty() {
            let blank = if others.is_empty() { "" } else { "\n" };
            let names: Vec<String> = new.iter().map(|row| format!("`{}`", row.name())).collect();
            let _ = writeln!(out, "{blank}PingOS does not have {}.", names.join(", "));
        }
    }
    out
}

/// Whether nothing is to be said except that PingOS does not have the directive.
fn is_new_alone(row: &Row) -> bool {
    let text = row.difference_line().unwrap_or_default();
    let rest = text.strip_prefix(NOT_IN_PINGOS);
    rest.is_some_and(|rest| rest == "." || rest.starts_with("; as in nginx"))
}

/// A difference as a cell of a table that is about nothing else.
fn cell(text: &str) -> String {
    let sentence = match text.strip_prefix(DIFFERS) {
        Some(rest) => match (rest.strip_prefix(", which "), rest.strip_prefix(", where ")) {
            (Some(which), _) => format!("PingOS {which}"),
            (_, Some(place)) => format!("In PingOS {place}"),
            _ => rest.trim_start_matches([':', ' ']).to_owned(),
        },
        None => text.to_owned(),
    };
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect::<String>().replace('|', "\\|")
}

const DIFFERENCES_PAGE: &str = "\
# Differences from PingOS

Directives that work otherwise than in PingOS, in the order of [Directives](directives.md); the table is generated from the same
source. What is not listed works as in PingOS, or is accepted and not needed here. `pingosd directives NAME` shows the difference of one
directive.
";

/// Words of syntaxes whose values have units, and these units.
pub const UNITS: [(&str, &str); 2] =
    [("time", "with ms, s, m, h, d or w, without a unit in seconds"), ("size", "in bytes, or with k or m")];

/// Whether a syntax has this word.
fn has_word(syntax: &str, word: &str) -> bool {
    syntax.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word)
}

/// Joins the lines of a documentation comment.
fn lines(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}
