//! The rooms of `src` and their arrows: a room imports from rooms below it only.

#[path = "layering/architecture.rs"]
mod architecture;
#[path = "layering/broken.rs"]
mod broken;
#[path = "layering/circles.rs"]
mod circles;
#[path = "layering/code_rules.rs"]
mod code_rules;
#[path = "layering/pure.rs"]
mod pure;
#[path = "layering/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::source::{Library, library, paths, room};

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
fn arrows(library: &Library) -> Vec<(String, String, PathBuf, String)> {
    let mut arrows = BTreeSet::new();
    for (module, file) in library {
        if module.is_empty() {
            continue;
        }
        for path in paths(&file.code, module) {
            let known = (0..=path.len()).rev().find(|length| library.contains_key(&path[..*length]));
            let target = &path[..known.unwrap_or(0)];
            if target.is_empty() || room(target) == room(module) {
                continue;
            }
            arrows.insert((room(module), room(target), file.path.clone(), path.join("::")));
        }
    }
    arrows.into_iter().collect()
}

/// The imports from rooms that are not below, a line each.
fn upward(library: &Library) -> Vec<String> {
    let arrows = arrows(library).into_iter();
    let upward = arrows.filter(|(from, to, ..)| floor(from) >= floor(to));
    upward
        .map(|(from, to, file, path)| format!("{from} -> {to}: {} imports {path}", file.display()))
        .collect()
}

#[test]
fn arrows_point_downwards() {
    let library = library();
    assert!(arrows(&library).len() > 500, "imports were looked for in the wrong place");
    let upward = upward(&library);
    assert!(upward.is_empty(), "imports from rooms that are not below: {upward:#?}");
}
