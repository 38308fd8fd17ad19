//! The layers and their one-way arrows: `server -> config -> module -> conf`, `module -> hub -> wire`.

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer must not name: crates it may not wait with, and layers above it.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    (
        "src/wire",
        &[
            "tokio",
            "hyper",
            "reqwest",
            "crate::hub",
            "crate::conf",
            "crate::module",
            "crate::config",
            "crate::server",
        ],
    ),
    (
        "src/conf",
        &[
            "tokio",
            "hyper",
            "reqwest",
            "crate::wire",
            "crate::hub",
            "crate::module",
            "crate::config",
            "crate::server",
        ],
    ),
    (
        "src/hub",
        &[
            "hyper",
            "reqwest",
            "tokio::net",
            "tokio::spawn",
            "tokio::time",
            "crate::conf",
            "crate::module",
            "crate::config",
            "crate::server",
        ],
    ),
    ("src/module", &["tokio", "hyper", "reqwest", "crate::config", "crate::server"]),
    ("src/config", &["tokio::net", "tokio::spawn", "hyper", "reqwest", "crate::server", "crate::hub"]),
];

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

#[test]
fn arrows_point_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (layer, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        rust_files(&root.join(layer), &mut files);
        seen += files.len();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for name in forbidden.iter().filter(|name| mentions(code, name)) {
                    wrong.push(format!("{}:{}: {name}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(seen > 50, "the layers were looked for in the wrong place");
    assert!(wrong.is_empty(), "layers that look up:\n{}", wrong.join("\n"));
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
    assert_eq!(allowing, [&root.join("src/allocator.rs"), &root.join("src/server/delivery/uring.rs")]);
    assert!(!include_str!("../src/allocator.rs").contains("unsafe {"));

    let text = include_str!("../src/server/delivery/uring.rs");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")) {
        let comment: Vec<&&str> =
            lines[..number].iter().rev().take_while(|line| line.starts_with("//")).collect();
        assert!(comment.iter().any(|line| line.starts_with("// SAFETY: ")), "line {}: {line}", number + 1);
    }
}
