//! The table of directives, tested as data.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pingosd::cli::{self, man};
use pingosd::directive::evaluation::DetachedEvaluation;
use pingosd::directive::table::{Row, StatementShape};
use pingosd::directive::{BaseDirectories, Contexts, context, manual};
use pingosd::module::elsewhere;
use pingosd::modules::{MODULES, REGISTRY};
use pingosd::notify::contract;
use pingosd::syntax::Sources;

use crate::support;

fn rows() -> impl Iterator<Item = &'static Row> {
    MODULES.iter().flat_map(|module| module.rows)
}

#[test]
fn a_name_has_one_meaning_in_a_context() {
    let mut seen: BTreeSet<(&str, Contexts)> = BTreeSet::new();
    for row in rows() {
        for name in row.names {
            for bit in (0..Contexts::BITS).map(|bit| 1 << bit).filter(|bit| row.contexts & bit != 0) {
                assert!(seen.insert((name, bit)), "{name} twice in {:?}", context::names(bit).next());
            }
        }
    }
}

#[test]
fn every_row_is_described() {
    for row in rows() {
        assert!(!row.text().is_empty(), "{}", row.name());
        let text = row.text().join(" ");
        assert!(text.ends_with('.') || text.ends_with(')'), "{}: {text}", row.name());
        assert!(context::names(row.contexts).next().is_some(), "{} stands nowhere", row.name());
        assert!(row.arity.min <= row.arity.max, "{}", row.name());
    }
}

#[test]
fn every_default_passes_its_own_parser() {
    let (sources, bases) = (Sources::default(), BaseDirectories::default());
    for row in rows() {
        let Some(default) = row.default else { continue };
        let mut detached = DetachedEvaluation::default();
        let result = (row.check_default)(default, &mut detached.evaluation(&sources, &bases));
        assert!(
            result.is_ok(),
            "{} {default}: {:?}",
            row.name(),
            result.unwrap_err().into_diagnostic().sentence
        );
    }
}

#[test]
fn names_of_other_servers_are_not_ours() {
    for (name, advice) in elsewhere::NAMES {
        assert!(REGISTRY.find(name.as_bytes()).is_empty(), "{name}");
        for named in advice.split('`').skip(1).step_by(2).filter_map(|n| n.split(' ').next()) {
            let ours =
                named.ends_with('=') || named.contains('=') || !REGISTRY.find(named.as_bytes()).is_empty();
            assert!(ours, "the advice about {name} names {named}");
        }
    }
}

/// The list of directives without effect only shrinks: a new feature removes its lines.
#[test]
fn directives_without_effect_are_listed() {
    let mut missing: Vec<String> = rows()
        .filter(|row| row.inert)
        .map(|row| format!("{} ({})", row.name(), context::names(row.contexts).next().unwrap()))
        .collect();
    missing.sort();
    compare(&support::data().join("later.txt"), &(missing.join("\n") + "\n"));
}

#[test]
fn the_manual_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/directives.md");
    compare(&path, &cli::manual());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/differences.md");
    compare(&path, &cli::differences());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/man/pingosd.conf.5");
    compare(&page, &man::directives(&REGISTRY));
}

/// The tables of the page about callbacks, between their marks, and the names in them.
#[test]
fn the_page_about_callbacks_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/callbacks.md");
    let mut page = fs::read_to_string(&path).unwrap();
    for (mark, table) in contract::tables() {
        let (begin, end) = (format!("<!-- generated: {mark} -->\n\n"), "\n<!-- end -->");
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no table of {mark}"));
        let (_, after) = rest.split_once(end).unwrap();
        page = format!("{before}{begin}{table}{end}{after}");
    }
    compare(&path, &page);
    let is_callback = |row: &&'static Row| (row.syntax)().starts_with("url [args=");
    let callbacks: BTreeSet<_> = rows().filter(is_callback).map(|row| row.name()).collect();
    let words: BTreeSet<_> = contract::all_events().map(|event| event.names[0]).collect();
    assert_eq!(callbacks, words);
    for event in contract::all_events() {
        let row = rows().find(|row| row.name() == event.names[0]).unwrap();
        assert_eq!(row.names, event.names);
        assert_eq!(row.contexts, event.contexts, "{}", event.word());
    }
}

#[test]
fn the_manual_has_an_entry_for_every_name() {
    for row in rows() {
        for name in row.names {
            let entry = manual::one(&REGISTRY, name.as_bytes()).unwrap();
            assert!(entry.contains(&format!("`{name}`")), "{name}");
        }
        let syntax = (row.syntax)();
        assert!(
            row.arity.max == 0 || row.shape != StatementShape::Simple || !syntax.is_empty(),
            "{}",
            row.name()
        );
    }
}

/// Compares a file with what it should say, or writes it.
/// Compares a file with what it should contain, or writes it.
pub fn compare(path: &Path, want: &str) {
    if support::blessing() {
        fs::write(path, want).unwrap();
    }
    let have = fs::read_to_string(path).unwrap_or_default();
    assert!(have == want, "{} is out of date; PINGOSD_BLESS=1 writes it", path.display());
}
