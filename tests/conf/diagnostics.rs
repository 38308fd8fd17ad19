//! What people see when a configuration is wrong.
//!
//! Each `tests/conf/NAME.conf.txt` holds a configuration, a ruler, and the output of `-t`. Further files
//! begin with a line `==> NAME <==`. `PINGOSD_BLESS=1` writes the outputs.

use std::fs;

use crate::support::{self, Prefix};

const RULER: &str = "----------\n";

#[test]
fn errors_explain_themselves() {
    let mut failures = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(support::data()).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".conf.txt") {
            continue;
        }
        cases += 1;
        let text = fs::read_to_string(&path).unwrap();
        let (input, want) = text.split_once(RULER).expect("a case has a ruler");
        let (_, have) = prefix(input).test("");
        if support::blessing() {
            fs::write(&path, format!("{input}{RULER}{have}")).unwrap();
        } else if have != want {
            failures.push(format!("{}\n{have}", path.display()));
        }
    }
    assert!(cases > 0);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Lays out the files of a case.
fn prefix(input: &str) -> Prefix {
    let mut parts = input.split("==> ");
    let main = parts.next().unwrap();
    let files: Vec<(&str, &str)> =
        parts.map(|part| part.split_once(" <==\n").expect("a file has a name")).collect();
    Prefix::new(main, &files)
}
