//! The rooms of `src` and their arrows: a room imports from rooms below it only.

#[path = "layering/circles.rs"]
mod circles;
#[path = "layering/code_rules.rs"]
mod code_rules;
#[path = "layering/pure.rs"]
mod pure;
#[path = "layering/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::source::{code, library, paths, room};

/// The rooms, from the top floor down. Each folder of `module` is a room of its own, and none knows another.
const ROOMS: [&str; 16] = [
    "cli",
    "modules",
    "server",
    "module",
    "http",
    "media",
    "notify",
    "net",
    "config",
    "log",
    "task",
    "hub",
    "directive",
    "syntax",
    "wire",
    "limits",
];

/// How far below the top a room is.
fn floor(room: &str) -> usize {
    let name = room.split('/').next().unwrap();
    ROOMS.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{room} is in no list of rooms"))
}

/// Each import from one room to another: both rooms, the file and the path.
fn arrows() -> Vec<(String, String, PathBuf, String)> {
    let library = library();
    let mut arrows = BTreeSet::new();
    for (module, file) in &library {
        if module.is_empty() {
            continue;
        }
        for path in paths(&code(&fs::read_to_string(file).unwrap()), module) {
            let known = (0..=path.len()).rev().find(|length| library.contains_key(&path[..*length]));
            let target = &path[..known.unwrap_or(0)];
            if target.is_empty() || room(target) == room(module) {
                continue;
            }
            arrows.insert((room(module), room(target), file.clone(), path.join("::")));
        }
    }
    arrows.into_iter().collect()
}

#[test]
fn arrows_point_downwards() {
    let arrows = arrows();
    assert!(arrows.len() > 500, "imports were looked for in the wrong place");
    let mut wrong = String::new();
    for (from, to, file, path) in arrows {
        if floor(&from) >= floor(&to) {
            wrong.push_str(&format!("    {from} -> {to}: {} imports {path}\n", file.display()));
        }
    }
    assert!(wrong.is_empty(), "imports from rooms that are not below:\n{wrong}");
}
