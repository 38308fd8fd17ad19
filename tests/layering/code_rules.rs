//! Where log lines and unsafe code stand, what errors are, and the words of comments.

use std::fs;
use std::path::Path;

use crate::source::{code, library, root, rust_files};

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

#[test]
fn unsafe_code_stands_in_two_modules_with_its_reasons() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"deny\""));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        rust_files(&project.join(dir), &mut files);
    }
    let allowing = files.iter().filter(|file| {
        let text = fs::read_to_string(file).unwrap();
        // In two parts, or this file would be one of them.
        text.contains(concat!("allow(", "unsafe_code")) || text.contains(concat!("expect(", "unsafe_code"))
    });
    let mut allowing: Vec<_> = allowing.collect();
    allowing.sort();
    // The allocator's has one attribute and no block.
    assert_eq!(allowing, [&project.join("src/allocator.rs"), &project.join("src/media/delivery/uring.rs")]);
    assert!(!include_str!("../../src/allocator.rs").contains("unsafe {"));

    let text = include_str!("../../src/media/delivery/uring.rs");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe {")) {
        let comment: Vec<&&str> =
            lines[..number].iter().rev().take_while(|line| line.starts_with("//")).collect();
        assert!(comment.iter().any(|line| line.starts_with("// SAFETY: ")), "line {}: {line}", number + 1);
    }
}

/// Comments name the part of the server, or the kind of peer, that does something.
#[test]
fn comments_name_what_acts() {
    let vague = ["whoever", "nobody", "somebody", "anybody", "everybody"];
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "benches", "tests/support"] {
        rust_files(&project.join(dir), &mut files);
    }
    assert!(files.len() > 300, "comments were looked for in the wrong place");
    let mut found = String::new();
    for file in &files {
        for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            let Some((_, comment)) = line.split_once("// ").or_else(|| line.split_once("//!")) else {
                continue;
            };
            // Code spans may name the system's user `nobody`.
            let prose =
                comment.split('`').step_by(2).flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
            if prose.map(str::to_lowercase).any(|word| vague.contains(&word.as_str())) {
                found.push_str(&format!("    {}:{}: {comment}\n", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "comments that name no part of the server:\n{found}");
}

/// The types behind the comma of each `Result<_, _>` in code.
fn error_types(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, start) in code.match_indices("Result<") {
        let (mut depth, mut before, mut error) = (1, '<', None::<String>);
        for c in code[at + start.len()..].chars() {
            match c {
                '<' | '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '>' if before != '-' => depth -= 1,
                _ => {}
            }
            match &mut error {
                _ if depth == 0 => break,
                Some(error) => error.push(c),
                None if c == ',' && depth == 1 => error = Some(String::new()),
                None => {}
            }
            before = c;
        }
        found.extend(error.map(|error| error.trim().trim_end_matches(',').to_owned()));
    }
    found
}

/// Errors are types of their own, with their causes; their text is made where it is shown.
#[test]
fn errors_are_no_texts() {
    const TEXTS: [&str; 7] = ["String", "BString", "&str", "&'static str", "Vec<u8>", "Vec<String>", "Cow<"];
    // Those that still are.
    const LEFT: [&str; 6] = [
        "module/acme/files.rs",
        "module/dynamic/contents.rs",
        "module/proxy/body.rs",
        "module/proxy/target.rs",
        "net/tls/negotiation.rs",
        "net/tls/ocsp",
    ];
    let (mut seen, mut found) = (0, String::new());
    for file in library().into_values() {
        if LEFT.iter().any(|left| file.starts_with(root().join(left))) {
            continue;
        }
        for error in error_types(&code(&fs::read_to_string(&file).unwrap())) {
            seen += 1;
            if TEXTS.iter().any(|text| error.starts_with(text)) {
                found.push_str(&format!("    {}: Result<_, {error}>\n", file.display()));
            }
        }
    }
    assert!(seen > 500, "{seen} results were looked at");
    assert!(found.is_empty(), "errors that are texts:\n{found}");
}

#[test]
fn error_types_are_read_from_code() {
    let code = "fn a() -> Result<Vec<(u8, u8)>, String> {} fn b() -> io::Result<()> {} \
                type C = Result<fn(u8) -> u8, Box<A<u8, u8>>>; fn d() -> Result<\n    A,\n    &'static str,\n> {}";
    assert_eq!(error_types(code), ["String", "Box<A<u8, u8>>", "&'static str"]);
}
