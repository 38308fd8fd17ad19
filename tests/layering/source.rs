//! The source files: which module each is, and which paths its code names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A path that a file names, from the root of the crate.
pub type Names = Vec<String>;

/// A source file of the library.
pub struct SourceFile {
    pub path: PathBuf,
    /// Its text without comments and without the modules of its tests.
    pub code: String,
}

/// The files of a library by the path of their module.
pub type Library = BTreeMap<Names, SourceFile>;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

pub fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The files of `src`, without those that hold tests alone.
pub fn library() -> Library {
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
    let is_code = |file: &PathBuf| !own.contains(file) && !file.ends_with("tests.rs");
    let source_file = |path: PathBuf| SourceFile { code: code(&fs::read_to_string(&path).unwrap()), path };
    files.into_iter().filter(is_code).map(|file| (module(&file), source_file(file))).collect()
}

/// A library of made-up files, each given by its path below `src` without `.rs` and by its text.
pub fn made_up<const N: usize>(files: [(&str, &str); N]) -> Library {
    let file = |(path, text): (&str, &str)| {
        let module = path.split('/').map(str::to_owned).collect();
        (module, SourceFile { path: format!("{path}.rs").into(), code: code(text) })
    };
    files.map(file).into()
}

/// The room of a module: its first name, in `module` the first two.
pub fn room(module: &[String]) -> String {
    match module {
        [] => "lib".into(),
        [first, second, ..] if first == "module" => format!("module/{second}"),
        [first, ..] => first.clone(),
    }
}

/// A file's code without comments and the modules of its tests.
pub fn code(text: &str) -> String {
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
pub fn paths(code: &str, module: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            // `pub(in crate::room)` says where an item is visible, and uses nothing.
            let is_visibility = code[..at].ends_with("(in ");
            if is_visibility || before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
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

/// The paths that code begins with, from a module on: `a::{b, c::d}` is two.
pub fn leaves(mut rest: &str, base: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    branches(&mut rest, base, &mut found);
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

/// The `use` statements of a file, and whether each hands on what it names.
pub fn statements(code: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let is_public = line.starts_with("pub use ") || (line.starts_with("pub(") && line.contains(") use "));
        if is_public || line.starts_with("use ") {
            let end = code[at..].find(';').unwrap_or(code.len() - at);
            found.push((&code[at..at + end], is_public));
        }
        at += line.len();
    }
    found
}
