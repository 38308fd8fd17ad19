//! `open.txt`: the entries that are known not to pass yet, each with a reason.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/against_nginx/open.txt")
}

const HEAD: &str = "\
# Entries of tests/against_nginx that do not pass yet: name, and the first difference.
# An entry that is listed and passes fails the test, as one that differs and is not listed.
# PINGOSD_BLESS=1 cargo test --test against_nginx writes this file anew.
";

/// Names and reasons.
pub fn read() -> Vec<(String, String)> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) = line.split_once(' ').unwrap_or((line, ""));
            (name.to_owned(), reason.trim().to_owned())
        })
        .collect()
}

/// Puts what was found about these entries in the place of what was known; others stay.
pub fn rewrite(found: &[(String, Option<String>)]) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    let mut all: Vec<(String, String)> = read();
    all.retain(|(name, _)| found.iter().all(|(other, _)| other != name));
    for (name, difference) in found {
        if let Some(difference) = difference {
            all.push((name.clone(), difference.trim().to_owned()));
        }
    }
    all.sort();
    let lines: String = all.iter().map(|(name, reason)| format!("{name} {reason}\n")).collect();
    fs::write(path(), format!("{HEAD}{lines}")).unwrap();
}
