//! The rooms of `src` and their arrows: a room imports from rooms below it only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the top floor down. Each folder of `module` is a room of its own, and none knows another.
const ROOMS: [&str; 16] = [
    "cli",
    "server",
    "modules",
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

/// Arrows that point up or to a neighbour, and how many imports they are. The list only shrinks.
const EXCEPTIONS: &[(&str, &str, usize)] = &[
    ("config", "http", 14),
    ("config", "media", 2),
    ("config", "module/control", 2),
    ("config", "module/dynamic", 1),
    ("config", "module/flv", 2),
    ("config", "module/headers", 1),
    ("config", "module/hls2", 2),
    ("config", "module/limit", 1),
    ("config", "module/lint", 1),
    ("config", "module/map", 1),
    ("config", "module/referer", 4),
    ("config", "module/relay", 1),
    ("config", "module/rewrite", 4),
    ("config", "module/stat", 2),
    ("config", "module/ts", 2),
    ("config", "modules", 4),
    ("config", "net", 4),
    ("config", "server", 6),
    ("http", "module/control", 2),
    ("http", "module/flv", 1),
    ("http", "module/headers", 1),
    ("http", "module/hls2", 11),
    ("http", "module/record", 2),
    ("http", "module/rewrite", 1),
    ("http", "module/stat", 1),
    ("http", "module/ts", 1),
    ("module/dynamic", "module/relay", 3),
    ("module/earlier", "module/hls", 1),
    ("module/lint", "modules", 1),
    ("module/live_record", "module/record", 1),
    ("modules", "server", 3),
];

/// Crates and paths that whole rooms do without: what is pure neither waits nor looks at a clock.
const PURE: [(&str, &[&str]); 5] = [
    ("wire", &["tokio", "hyper", "reqwest", "std::time::SystemTime"]),
    ("syntax", &["tokio", "hyper", "reqwest"]),
    ("directive", &["tokio", "hyper", "reqwest"]),
    ("hub", &["hyper", "reqwest", "tokio::net", "tokio::spawn", "tokio::time"]),
    ("config", &["tokio::net", "tokio::spawn", "hyper", "reqwest"]),
];

/// A path that a file names, from the root of the crate.
type Names = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The files of the library by the path of their module.
fn library() -> BTreeMap<Names, PathBuf> {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    let own = ["main.rs", "allocator.rs"].map(|name| root().join(name));
    let module = |file: &PathBuf| {
        let path = file.strip_prefix(root()).unwrap().with_extension("");
        let mut names: Names = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if names.last().is_some_and(|last| last == "mod" || last == "lib") {
            names.pop();
        }
        names
    };
    files.into_iter().filter(|file| !own.contains(file)).map(|file| (module(&file), file)).collect()
}

/// The room of a module: its first name, in `module` the first two.
fn room(module: &[String]) -> String {
    match module {
        [] => "lib".into(),
        [first, second, ..] if first == "module" => format!("module/{second}"),
        [first, ..] => first.clone(),
    }
}

/// How far below the top a room is.
fn floor(room: &str) -> usize {
    let name = room.split('/').next().unwrap();
    ROOMS.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{room} is in no list of rooms"))
}

/// A file's code without comments, literals and the modules of its tests.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut inside_tests = false;
    for line in text.lines() {
        if line == "mod tests {" {
            inside_tests = true;
        }
        if !inside_tests {
            out.push_str(line.split("//").next().unwrap());
            out.push('\n');
        }
        if line == "}" {
            inside_tests = false;
        }
    }
    out
}

/// The paths below `crate`, `super` and `self` that code names.
fn paths(code: &str, module: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let (mut base, mut rest) = (module.to_vec(), &code[at..]);
            if let Some(after) = rest.strip_prefix("crate::") {
                (base, rest) = (Vec::new(), after);
            } else if let Some(after) = rest.strip_prefix("self::") {
                rest = after;
            }
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            branches(&mut rest, &base, &mut found);
        }
    }
    found
}

/// Reads `a::{b, c::d}` and adds its leaves.
fn branches(rest: &mut &str, base: &[String], found: &mut Vec<Names>) {
    let mut path = base.to_vec();
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('{') {
            *rest = after;
            loop {
                *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                if let Some(after) = rest.strip_prefix('}') {
                    *rest = after;
                    return;
                }
                let length = rest.len();
                branches(rest, &path, found);
                let renamed = rest.trim_start().strip_prefix("as ");
                if let Some(after) = renamed {
                    *rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                }
                assert!(rest.len() < length, "{path:?} {rest:.40}");
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            *rest = after.strip_prefix('*').unwrap_or(after);
            found.push(path);
            return;
        }
        path.push(name.to_owned());
        *rest = after;
        match after.strip_prefix("::") {
            Some(after) => *rest = after,
            None => {
                found.push(path);
                return;
            }
        }
    }
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
    let mut wrong: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let arrows = arrows();
    assert!(arrows.len() > 500, "imports were looked for in the wrong place");
    for (from, to, file, path) in arrows {
        if floor(&from) >= floor(&to) {
            wrong.entry((from, to)).or_default().push(format!("{}: {path}", file.display()));
        }
    }
    let found = wrong.iter().map(|((from, to), imports)| (from.as_str(), to.as_str(), imports.len()));
    let found: BTreeSet<(&str, &str, usize)> = found.collect();
    let listed: BTreeSet<(&str, &str, usize)> = EXCEPTIONS.iter().copied().collect();
    let mut said = String::new();
    for (from, to, count) in found.difference(&listed) {
        let imports = wrong[&((*from).to_owned(), (*to).to_owned())].join("\n    ");
        said.push_str(&format!("(\"{from}\", \"{to}\", {count}),\n    {imports}\n"));
    }
    assert!(said.is_empty(), "imports from rooms that are not below, and not listed so:\n{said}");
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "listed and not so any more: {gone:?}");
}

#[test]
fn pure_rooms_do_not_wait() {
    for (module, file) in library() {
        let Some((_, without)) =
            PURE.iter().find(|(room, _)| module.first().is_some_and(|first| first == room))
        else {
            continue;
        };
        let code = code(&fs::read_to_string(&file).unwrap());
        let named = without.iter().find(|name| mentions(&code, name));
        assert_eq!(named, None, "{}", file.display());
    }
}

/// What is logged stands in a room's `log.rs`, and takes no way on which bytes that are not UTF-8 are lost.
#[test]
fn log_lines_stand_in_one_file_of_a_room() {
    let mut seen = 0;
    for (module, file) in library() {
        let code = code(&fs::read_to_string(&file).unwrap());
        let is_log = module.last().is_some_and(|last| last == "log");
        if !is_log {
            let logs =
                ["error", "warn", "info", "debug"].iter().find(|name| code.contains(&format!("{name}!(")));
            assert_eq!(logs, None, "{} logs", file.display());
            continue;
        }
        if module.len() > 1 {
            seen += 1;
            let lossy = ["BStr::", ".display()", "lossy("].iter().find(|name| code.contains(**name));
            assert_eq!(lossy, None, "{}", file.display());
        }
    }
    assert!(seen > 10, "{seen} files named log.rs");
}

/// Whether code names a crate or a path, as a whole word.
fn mentions(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !word(before) && !word(after) && (name.contains("::") || after == Some(':'))
    })
}

#[test]
fn unsafe_code_stands_in_two_modules_with_its_reasons() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"deny\""));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        rust_files(&root.join(dir), &mut files);
    }
    let allowing = files.iter().filter(|file| {
        let text = fs::read_to_string(file).unwrap();
        // In two parts, or this file would be one of them.
        text.contains(concat!("allow(", "unsafe_code")) || text.contains(concat!("expect(", "unsafe_code"))
    });
    let mut allowing: Vec<_> = allowing.collect();
    allowing.sort();
    // The allocator's has one attribute and no block.
    assert_eq!(allowing, [&root.join("src/allocator.rs"), &root.join("src/media/delivery/uring.rs")]);
    assert!(!include_str!("../src/allocator.rs").contains("unsafe {"));

    let text = include_str!("../src/media/delivery/uring.rs");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")) {
        let comment: Vec<&&str> =
            lines[..number].iter().rev().take_while(|line| line.starts_with("//")).collect();
        assert!(comment.iter().any(|line| line.starts_with("// SAFETY: ")), "line {}: {line}", number + 1);
    }
}
