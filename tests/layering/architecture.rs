//! What docs/architecture.md names exists: files and folders, and items by their paths.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Library, library, rust_files};

/// The code spans of a page, without those of its code blocks.
fn spans(page: &str) -> Vec<&str> {
    let outside = page.split("```").step_by(2);
    outside.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// The files and folders that a page names and a project lacks. A name without a folder may stand in any folder of `src`.
fn absent_files<'p>(page: &'p str, project: &Path) -> Vec<&'p str> {
    let mut files = Vec::new();
    rust_files(&project.join("src"), &mut files);
    let is_path = |span: &&str| {
        let names_file = [".rs", ".md", ".txt"].iter().any(|end| span.ends_with(end)) || span.ends_with('/');
        names_file && !span.contains([' ', '*']) && !span.contains("NAME")
    };
    let exists = |span: &str| match span.trim_end_matches('/').contains('/') || span.ends_with('/') {
        true => ["", "src", "docs"].iter().any(|folder| project.join(folder).join(span).exists()),
        false => project.join(span).exists() || files.iter().any(|file: &PathBuf| file.ends_with(span)),
    };
    spans(page).into_iter().filter(is_path).filter(|span| !exists(span)).collect()
}

/// The items that a page names by their paths, and that neither the file of the path's module nor that of the type has.
fn absent_items<'p>(page: &'p str, library: &Library) -> Vec<&'p str> {
    let is_item = |span: &&str| {
        span.contains("::") && span.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':')
    };
    let exists = |span: &str| {
        let names: Vec<String> = span.split("::").map(str::to_owned).collect();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let has = |code: &str, name: &str| code.split(|c| !is_word(c)).any(|word| word == name);
        match (1..=names.len()).rev().find(|length| library.contains_key(&names[..*length])) {
            Some(known) => names.get(known).is_none_or(|item| has(&library[&names[..known]].code, item)),
            // A type without the path of its module.
            None => library.values().any(|file| {
                file.code.contains(&format!("struct {}", names[0]))
                    && names.iter().all(|name| has(&file.code, name))
            }),
        }
    };
    // Names of the tests' support, which are no part of the library.
    spans(page).into_iter().filter(is_item).filter(|span| *span != "http::get" && !exists(span)).collect()
}

#[test]
fn what_the_architecture_page_names_exists() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(project.join("docs/architecture.md")).unwrap();
    assert!(spans(&page).len() > 300, "names were looked for in the wrong place");
    assert_eq!(absent_files(&page, project), [] as [&str; 0], "no such files");
    assert_eq!(absent_items(&page, &library()), [] as [&str; 0], "no such items");
}

#[test]
fn absent_names_are_reported() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = "`hub/registry.rs`, `registry.rs`, `limits/`, `CHANGELOG.md`, `src/lib.rs`, `module/NAME/`, `hub::stream::Stream`, \
                `notify::SessionEvent::begin`\n```rust\n`none.rs`\n```\n`hub/none.rs`, `none.rs`, `hub::stream::Missing`, `Session::close`, `Session::missing`";
    assert_eq!(absent_files(page, project), ["hub/none.rs", "none.rs"]);
    assert_eq!(absent_items(page, &library()), ["hub::stream::Missing", "Session::missing"]);
}
