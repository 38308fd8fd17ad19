//! Where log lines and unsafe code stand, what errors are, and the words of comments.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Library, library, root, rust_files};

/// The Rust files of some directories of the project.
fn files_of(dirs: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for dir in dirs {
        rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut files);
    }
    files.sort();
    files
}

/// Files that log and are no `log.rs`, and those named so that lose bytes which are not UTF-8.
pub fn misplaced_logs(library: &Library) -> Vec<String> {
    let mut found = Vec::new();
    for (module, file) in library {
        let is_log = module.last().is_some_and(|last| last == "log");
        let (unwanted, fault): (&[&str], _) = match module.len() {
            _ if !is_log => (&["error!(", "warn!(", "info!(", "debug!(", "trace!("], "logs by"),
            0 | 1 => (&[], ""),
            _ => (&["BStr::", ".display()", "lossy("], "loses bytes by"),
        };
        let named = unwanted.iter().filter(|name| file.code.contains(**name));
        found.extend(named.map(|name| format!("{} {fault} {name}", file.path.display())));
    }
    found
}

/// What is logged stands in a room's `log.rs`, and takes no way on which bytes that are not UTF-8 are lost.
#[test]
fn log_lines_stand_in_one_file_of_a_room() {
    let library = library();
    let logs = library.keys().filter(|module| module.len() > 1 && module.ends_with(&["log".to_owned()]));
    assert!(logs.count() > 10, "files named log.rs were looked for in the wrong place");
    let misplaced = misplaced_logs(&library);
    assert!(misplaced.is_empty(), "{misplaced:#?}");
}

/// The numbers of the lines on which a text states another level for unsafe code than Cargo.toml, or uses it.
pub fn unsafe_lines(text: &str) -> Vec<usize> {
    // In two parts, or this file would be one of them.
    let lint = concat!("uns", "afe_code");
    let keyword = concat!("uns", "afe");
    let is_unsafe = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        let is_used = |behind: &str| {
            [" {", " fn ", " impl", " trait ", " extern ", "("]
                .iter()
                .any(|use_of| behind.starts_with(use_of))
        };
        let sets_level = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == lint);
        let mut found = code.match_indices(keyword).filter(|(at, _)| !code[..*at].ends_with('_'));
        let is_used = found.any(|(at, _)| is_used(&code[at + keyword.len()..]));
        (sets_level || is_used) && !code.contains("forbid(")
    };
    text.lines().enumerate().filter(|(_, line)| is_unsafe(line)).map(|(number, _)| number + 1).collect()
}

/// The numbers of the lines with unsafe blocks that no `SAFETY` comment precedes.
pub fn unexplained_blocks(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_explained = |number: usize| {
        let mut comment = lines[..number].iter().rev().take_while(|line| line.starts_with("//"));
        comment.any(|line| line.starts_with("// SAFETY: "))
    };
    let blocks = lines.iter().enumerate().filter(|(_, line)| line.contains(concat!("uns", "afe", " {")));
    blocks
        .map(|(number, _)| number)
        .filter(|number| !is_explained(*number))
        .map(|number| number + 1)
        .collect()
}

#[test]
fn unsafe_code_stands_in_two_modules_with_its_reasons() {
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains(concat!("uns", "afe", "_code = \"deny\"")));
    let files = files_of(&["src", "tests", "benches"]);
    let text = |file: &PathBuf| fs::read_to_string(file).unwrap();
    let with_unsafe: Vec<&PathBuf> =
        files.iter().filter(|file| !unsafe_lines(&text(file)).is_empty()).collect();
    // The allocator's has two attributes and no block.
    let uring = root().join("media/delivery/uring.rs");
    let allocator = root().join("allocator.rs");
    assert_eq!(with_unsafe, [&allocator, &uring]);
    assert_eq!(unsafe_lines(&text(&allocator)).len(), 2, "{}", allocator.display());
    let unexplained = unexplained_blocks(&text(&uring));
    assert!(unexplained.is_empty(), "{}, lines {unexplained:?}: no SAFETY comment", uring.display());
}

/// The comments of a text that name persons where a part of the server, a peer or data acts, with their lines' numbers.
pub fn vague_comments(text: &str) -> Vec<(usize, &str)> {
    // With spaces around them, so that they are found as whole words.
    const VAGUE: [&str; 10] = [
        " whoever ",
        " nobody ",
        " somebody ",
        " anybody ",
        " everybody ",
        " someone ",
        " anyone ",
        " everyone ",
        " by themselves ",
        " behind the back ",
    ];
    let is_vague = |comment: &str| {
        // Code spans may name the system's user `nobody`.
        let prose: String = comment.split('`').step_by(2).collect();
        let words: Vec<&str> =
            prose.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let prose = format!(" {} ", words.join(" ").to_lowercase());
        VAGUE.iter().any(|vague| prose.contains(vague))
    };
    let comments = text.lines().enumerate().filter_map(|(number, line)| {
        let (_, comment) = line.split_once("// ").or_else(|| line.split_once("//!"))?;
        Some((number + 1, comment))
    });
    comments.filter(|(_, comment)| is_vague(comment)).collect()
}

/// Comments name the part of the server, or the kind of peer, that does something.
#[test]
fn comments_name_what_acts() {
    let files = files_of(&["src", "benches", "tests"]);
    assert!(files.len() > 900, "comments were looked for in the wrong place");
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let vague = vague_comments(&text).into_iter();
        found.extend(vague.map(|(number, comment)| format!("{}:{number}: {comment}", file.display())));
    }
    assert!(found.is_empty(), "comments that name no part of the server: {found:#?}");
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

/// The errors of a library that are texts, a line each.
pub fn text_errors(library: &Library) -> Vec<(PathBuf, String)> {
    const TEXTS: [&str; 14] = [
        "String",
        "std::string::String",
        "BString",
        "&str",
        "&'static str",
        "&'static [u8]",
        "Box<str>",
        "Arc<str>",
        "Cow<",
        "Vec<u8>",
        "Vec<String>",
        "Vec<BString>",
        "Box<dyn",
        "anyhow::Error",
    ];
    let mut found = Vec::new();
    for file in library.values() {
        let errors = error_types(&file.code).into_iter();
        let texts = errors.filter(|error| TEXTS.iter().any(|text| error.starts_with(text)));
        found.extend(texts.map(|error| (file.path.clone(), error)));
    }
    found
}

/// Errors are types of their own, with their causes; their text is made where it is shown.
#[test]
fn errors_are_no_texts() {
    let library = library();
    let seen: usize = library.values().map(|file| error_types(&file.code).len()).sum();
    assert!(seen > 500, "{seen} results were looked at");
    let found = text_errors(&library);
    assert!(found.is_empty(), "errors that are texts: {found:#?}");
}

#[test]
fn error_types_are_read_from_code() {
    let code = "fn a() -> Result<Vec<(u8, u8)>, String> {} fn b() -> io::Result<()> {} \
                type C = Result<fn(u8) -> u8, Box<A<u8, u8>>>; fn d() -> Result<\n    A,\n    &'static str,\n> {}";
    assert_eq!(error_types(code), ["String", "Box<A<u8, u8>>", "&'static str"]);
}
