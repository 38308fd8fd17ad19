//! The variables of each dialect, against the original's: `variables.tsv` names them with their dialects.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pingosd::cli::command::variables;

use crate::support::{self, Prefix};

/// The four dialects: the name in the list, the title in the manual, and a configuration that uses `$X`.
const DIALECTS: [(&str, &str, &str); 4] = [
    (
        "notify",
        "## Notifications",
        "rtmp { server { application a { on_play http://127.0.0.1/ args=v=$X&w; } } }",
    ),
    ("log", "## `log_format` of rtmp", "rtmp { log_format f \"<$X> ${X}y\"; }"),
    ("exec", "## Commands", "rtmp { server { application a { exec_publish command \"x ${X}\"; } } }"),
    (
        "http",
        "## `http { }`",
        "http { log_format f \"<$X> ${X}y\"; server { location / { add_header a \"$X\"; } } }",
    ),
];

/// The names with their dialects; a name may mean something else in another dialect.
fn names() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(support::data().join("variables.tsv")).unwrap();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let (name, dialects) = line.split_once('\t').expect("a name and its dialects");
        let dialects = dialects.split(',').filter(|d| !d.is_empty()).map(str::to_owned);
        names.entry(name.to_owned()).or_default().extend(dialects);
    }
    names
}

/// Whether a configuration that uses the name is accepted, and the output of the test.
fn taken(conf: &str, name: &str) -> (bool, String) {
    Prefix::new(format!("events {{ }}\n{}\n", conf.replace('X', name)), &[]).test("")
}

#[test]
fn every_variable_is_known_in_its_dialects() {
    let names = names();
    assert!(names.len() > 140, "{}", names.len());
    for (dialect, _, conf) in DIALECTS {
        let own = names.iter().filter(|(_, dialects)| dialects.iter().any(|d| d == dialect));
        let mut count = 0;
        for (name, _) in own {
            // Captures need no braces; a digit after them belongs to the name otherwise.
            let (ok, out) = taken(conf, name);
            assert!(ok, "${name} is refused in {dialect}:\n{out}");
            count += 1;
        }
        assert!(count >= 14, "{count} variables of {dialect}");
    }
}

#[test]
fn names_of_other_dialects_are_unknown() {
    let mut wrong = Vec::new();
    for (name, dialects) in names() {
        // What a command does not know expands to nothing.
        let foreign = DIALECTS.iter().filter(|(d, ..)| *d != "exec" && !dialects.iter().any(|own| own == d));
        for (dialect, _, conf) in foreign {
            let prefixed =
                ["parg_", "metadata", "arg_", "http_"].iter().any(|prefix| name.starts_with(prefix));
            let (ok, out) = taken(conf, &name);
            if ok && !prefixed {
                wrong.push(format!("${name} is taken in {dialect}"));
            }
            assert!(ok || out.contains("unknown"), "{out}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unknown_names_are_handled_as_in_the_original() {
    for (dialect, _, conf) in DIALECTS {
        let (ok, out) = taken(conf, "nobody_knows_this");
        match dialect {
            "exec" => assert!(ok, "{out}"),
            "log" => assert!(out.contains("unknown variable \"nobody_knows_this\" in "), "{out}"),
            _ => assert!(out.contains("unknown \"nobody_knows_this\" variable in "), "{out}"),
        }
        assert_eq!(ok, dialect == "exec", "{dialect}");
    }
    // In any letter case, except in logs and commands.
    assert!(taken(DIALECTS[0].2, "NAME").0);
    assert!(taken(DIALECTS[3].2, "URI").0);
    assert!(!taken(DIALECTS[1].2, "NAME").0);
}

#[test]
fn the_manual_states_every_variable() {
    let manual = variables::manual();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/variables.md");
    if support::blessing() {
        fs::write(&path, &manual).unwrap();
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == manual, "conf/variables.md is out of date; PINGOSD_BLESS=1 writes it");
    for (dialect, title, _) in DIALECTS {
        let section = manual.split_once(title).expect("each dialect has a section").1;
        let section = section.split("\n## ").next().unwrap();
        for (name, _) in names().iter().filter(|(_, dialects)| dialects.iter().any(|d| d == dialect)) {
            let shown = match name.strip_suffix("_x").or(name.strip_suffix("_width")) {
                Some(prefix) => format!("{prefix}_NAME"),
                None => name.clone(),
            };
            assert!(section.contains(&format!("`{shown}`")) || shown == "1", "{shown} of {dialect}");
        }
    }
}
