//! Inside a room, too, files know each other in one direction only.
//!
//! An arrow goes from a file to the file that declares what it names, through whatever `use` hands it on. A declaration (`mod x;`)
//! and a re-export (`pub use`) are no arrows: only code that stands in a parent and calls a child makes one.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Library, Names, leaves, library, paths, room, statements};

/// A path is followed through at most so many re-exports.
const FOLLOWED: usize = 8;

/// What a file's `use` statements bring in, by the last name.
type Imports = BTreeMap<Names, BTreeMap<String, Names>>;

/// The file that declares what a path names.
fn declared_in(mut path: Names, library: &Library, imports: &Imports) -> Names {
    let mut found = Vec::new();
    for _ in 0..FOLLOWED {
        let known = (0..=path.len()).rev().find(|length| library.contains_key(&path[..*length])).unwrap();
        found = path[..known].to_vec();
        let handed_on = path.get(known).and_then(|name| imports.get(&found)?.get(name));
        let Some(target) = handed_on.filter(|target| **target != path) else { break };
        path = [target, &path[known + 1..]].concat();
    }
    found
}

/// The modules that a file declares.
fn children(code: &str) -> Vec<&str> {
    let declared = code.lines().filter_map(|line| {
        let line = line.strip_suffix(';')?;
        line.split_once("mod ").filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
    });
    declared.map(|(_, name)| name).collect()
}

/// The paths of a piece of code, those that begin with a child's name too.
fn all_paths(code: &str, module: &[String], children: &[&str]) -> Vec<Names> {
    let mut found = paths(code, module);
    for child in children {
        let start = format!("{child}::");
        for (at, _) in code.match_indices(&start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.') {
                found.extend(leaves(&code[at..], module));
            }
        }
    }
    found
}

/// For each file those of its room that it imports from.
pub fn arrows(library: &Library) -> BTreeMap<Names, BTreeSet<Names>> {
    let mut imports = Imports::new();
    for (module, file) in library {
        let children = children(&file.code);
        let brought = imports.entry(module.clone()).or_default();
        for (statement, _) in statements(&file.code) {
            for path in all_paths(statement, module, &children) {
                brought.extend(path.last().cloned().map(|name| (name, path)));
            }
        }
    }

    let mut arrows = BTreeMap::new();
    for (module, file) in library.iter().filter(|(module, _)| !module.is_empty()) {
        let mut own = file.code.clone();
        for (statement, is_public) in statements(&file.code) {
            if is_public {
                own = own.replace(statement, "");
            }
        }
        let named = all_paths(&own, module, &children(&file.code)).into_iter();
        let targets = named.map(|path| declared_in(path, library, &imports));
        let targets = targets.filter(|target| !target.is_empty() && target != module);
        arrows.insert(module.clone(), targets.filter(|target| room(target) == room(module)).collect());
    }
    arrows
}

/// What is reached from a file along arrows.
fn reached<'a>(from: &'a Names, arrows: &'a BTreeMap<Names, BTreeSet<Names>>) -> BTreeSet<&'a Names> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        open.extend(arrows[next].iter().filter(|target| reached.insert(*target)));
    }
    reached
}

/// The files that stand in circles, each with the files of its circles that it imports from.
pub fn circles(arrows: &BTreeMap<Names, BTreeSet<Names>>) -> Vec<String> {
    let reached: BTreeMap<&Names, BTreeSet<&Names>> =
        arrows.keys().map(|module| (module, reached(module, arrows))).collect();
    let in_circles = arrows.keys().filter(|module| reached[module].contains(module));
    let line = |module: &Names| {
        let further = arrows[module].iter().filter(|target| reached[target].contains(module));
        let further: Vec<String> = further.map(|target| target.join("::")).collect();
        format!("{} -> {}", module.join("::"), further.join(", "))
    };
    in_circles.map(line).collect()
}

#[test]
fn files_of_a_room_stand_in_no_circle() {
    let arrows = arrows(&library());
    let count: usize = arrows.values().map(BTreeSet::len).sum();
    assert!(count > 500, "imports were looked for in the wrong place");
    let circles = circles(&arrows);
    assert!(circles.is_empty(), "files that stand in circles: {circles:#?}");
}
