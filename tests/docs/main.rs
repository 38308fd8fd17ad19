//! The documentation: pages, links, anchors, and the output of commands that pages show. mdBook is not needed.

#[path = "../support/mod.rs"]
mod support;

mod log_lines;
mod plain_english;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use support::server::{PROGRAM, Prefix};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Markdown files below a directory of the source, relative to the source.
fn pages(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![project().join(directory)];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(project()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A page's text with the files that it includes, as mdBook does it.
fn expanded(page: &Path) -> String {
    const BEGIN: &str = "{{#include ";
    let path = project().join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once("}}").expect("the end of an include");
        let file = path.parent().unwrap().join(name);
        let included = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{} includes {name}: {error}", page.display()));
        out += before;
        out += included.trim_end();
        rest = after;
    }
    out + rest
}

/// Lines without fenced and indented code.
fn prose(text: &str) -> Vec<String> {
    let mut is_fenced = false;
    let mut before_is_empty = true;
    let mut is_indented = false;
    let mut out = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        is_indented = line.starts_with("    ") && (is_indented || before_is_empty);
        before_is_empty = line.is_empty();
        if !is_fenced && !is_indented {
            out.push(line.to_owned());
        }
    }
    assert!(!is_fenced, "a fence has an end");
    out
}

/// Ids of headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = BTreeSet::new();
    for line in prose(text) {
        let Some(heading) = line.strip_prefix('#') else { continue };
        let heading = heading.trim_start_matches('#').trim();
        let id: String = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = counts.entry(id.clone()).or_default();
        out.insert(if *count == 0 { id } else { format!("{id}-{count}") });
        *count += 1;
    }
    out
}

/// Targets of links and images, without those in code.
fn links(text: &str) -> Vec<String> {
    // A code span may go over a line end.
    let prose = prose(text).join("\n");
    let without_code: String = prose.split('`').step_by(2).collect();
    without_code
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// A path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(out.pop(), "{} stays in the source", path.display()),
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// First pages of the two books. Each book redirects README.html to its first page, so links to these lead somewhere.
const LANDING_PAGES: [&str; 2] = ["docs/README.md", "docs/zh/README.md"];

/// What is wrong with a page's links.
fn complaints(page: &Path) -> Vec<String> {
    let is_in_book = page.starts_with("docs");
    let mut out = Vec::new();
    let text = expanded(page);
    for link in links(&text) {
        let (name, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
        let target =
            if name.is_empty() { page.to_owned() } else { resolved(&page.parent().unwrap().join(name)) };
        if !project().join(&target).exists() {
            out.push(format!("{}: {link}: no such file", page.display()));
        } else if is_in_book && !target.starts_with("docs") {
            out.push(format!("{}: {link}: not part of the book", page.display()));
        } else if is_in_book
            && name.ends_with("README.md")
            && !page.ends_with("SUMMARY.md")
            && !LANDING_PAGES.iter().any(|landing| target == Path::new(landing))
        {
            // mdBook writes it as index.html, and leaves links to it as they are.
            out.push(format!("{}: {link}: pages with links are called index.md", page.display()));
        } else if !anchor.is_empty() && !anchors(&expanded(&target)).contains(anchor) {
            out.push(format!("{}: {link}: no such heading", page.display()));
        }
    }
    out
}

#[test]
fn links_and_anchors_lead_somewhere() {
    let single = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "benches/README.md",
        "packaging/README.md",
    ];
    let all = pages("docs").into_iter().chain(pages("conf")).chain(single.map(PathBuf::from));
    let wrong: Vec<String> = all.flat_map(|page| complaints(&page)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks that a book's SUMMARY.md lists each of the pages once.
fn check_summary(book: &str, mut have: Vec<PathBuf>) {
    let summary = fs::read_to_string(project().join(book).join("SUMMARY.md")).unwrap();
    let mut listed: Vec<PathBuf> = links(&summary).iter().map(|name| Path::new(book).join(name)).collect();
    listed.sort();
    have.retain(|page| !page.ends_with("SUMMARY.md"));
    assert_eq!(listed, have);
}

#[test]
fn every_page_is_in_the_summary_once() {
    let (chinese, english) = pages("docs").into_iter().partition(|page| page.starts_with(CHINESE));
    check_summary("docs", english);
    check_summary(CHINESE, chinese);
}

#[test]
fn books_redirect_the_names_of_their_first_pages() {
    for book in ["book.toml", "docs/zh/book.toml"] {
        let text = fs::read_to_string(project().join(book)).unwrap();
        assert!(text.contains("[output.html.redirect]\n\"/README.html\" = \"index.html\""), "{book}");
    }
}

/// Directory of the Chinese pages.
const CHINESE: &str = "docs/zh";

/// Pages without a Chinese translation so far.
const NOT_TRANSLATED: [&str; 0] = [];

/// Chinese pages without an English one.
const ONLY_CHINESE: [&str; 2] = ["docs/zh/SUMMARY.md", "docs/zh/glossary.md"];

/// Pages that are translated, and their translations.
fn translations() -> Vec<(PathBuf, PathBuf)> {
    let single = ["README.md", "docs/tour.md", log_lines::PAGE].map(PathBuf::from);
    let all = single.into_iter().chain(pages("docs/recipes")).chain(pages("docs/migration"));
    all.filter(|page| !NOT_TRANSLATED.iter().any(|name| page == Path::new(name)))
        .map(|page| {
            let translation = Path::new(CHINESE).join(page.strip_prefix("docs").unwrap_or(&page));
            (page, translation)
        })
        .collect()
}

/// Levels of the headings of a page.
fn outline(text: &str) -> Vec<usize> {
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    headings.map(|line| line.chars().take_while(|c| *c == '#').count()).collect()
}

/// Fenced and indented code of a page, without empty lines.
fn code(text: &str) -> Vec<String> {
    let prose: Vec<String> = prose(text);
    let mut prose = prose.iter().peekable();
    let mut out = Vec::new();
    for line in text.lines() {
        if prose.next_if(|next| next.as_str() == line).is_none() && !line.trim().is_empty() {
            out.push(line.to_owned());
        }
    }
    out
}

#[test]
fn every_translated_page_has_the_headings_and_the_code_of_the_english_one() {
    for (page, translation) in translations() {
        assert!(project().join(&translation).exists(), "{} is missing", translation.display());
        let [english, chinese] = [&page, &translation].map(|page| expanded(page));
        assert_eq!(outline(&english), outline(&chinese), "headings of {}", translation.display());
        assert_eq!(code(&english), code(&chinese), "code of {}", translation.display());
    }
}

#[test]
fn every_translation_has_its_page() {
    let mut wanted: Vec<PathBuf> = translations().into_iter().map(|(_, translation)| translation).collect();
    wanted.extend(ONLY_CHINESE.map(PathBuf::from));
    wanted.sort();
    assert_eq!(pages(CHINESE), wanted);
}

#[test]
fn translations_and_their_pages_link_to_each_other() {
    let landing =
        [("docs/README.md", "docs/zh/README.md")].map(|(a, b)| (PathBuf::from(a), PathBuf::from(b)));
    for (page, translation) in translations().into_iter().chain(landing) {
        let linked = |page: &Path| -> Vec<PathBuf> {
            let names = links(&expanded(page));
            names.iter().map(|name| resolved(&page.parent().unwrap().join(name))).collect()
        };
        assert!(linked(&page).contains(&translation), "{} has a link to the Chinese page", page.display());
        // The README of the source is not part of the book; its translation links to the book's first page.
        let english = if page == Path::new("README.md") { PathBuf::from("docs/README.md") } else { page };
        assert!(linked(&translation).contains(&english), "{} links to its page", translation.display());
    }
}

#[test]
fn translations_link_to_translations_where_there_is_one() {
    let translated: BTreeMap<PathBuf, PathBuf> = translations().into_iter().collect();
    for (page, translation) in translations() {
        for link in links(&expanded(&translation)) {
            let target = resolved(&translation.parent().unwrap().join(link.split('#').next().unwrap()));
            let is_switch = target == page;
            assert!(
                is_switch || !translated.contains_key(&target),
                "{}: {link} has a translation",
                translation.display()
            );
        }
    }
}

#[test]
fn no_page_has_marks_of_a_conflict() {
    for page in
        pages("docs").into_iter().chain(["CHANGELOG.md", "CONTRIBUTING.md", "README.md"].map(PathBuf::from))
    {
        let text = fs::read_to_string(project().join(&page)).unwrap();
        let mark = text.lines().find(|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>"));
        assert_eq!(mark, None, "{}", page.display());
    }
}

#[test]
fn every_page_begins_with_a_heading() {
    for page in pages("docs") {
        assert!(expanded(&page).starts_with("# "), "{}", page.display());
    }
}

#[test]
fn pictures_are_well_formed_enough_to_be_shown() {
    for entry in fs::read_dir(project().join("docs/img")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{}", path.display());
        assert!(text.contains("<title>"), "{} has a title", path.display());
    }
}

/// What a command line of the documentation prints, run in the root of the source; `PREFIX` stands for a prefix.
fn output(line: &str, wanted: i32) -> String {
    let prefix = Prefix::new();
    let dir = prefix.path().display().to_string();
    let words = line
        .split(' ')
        .map(|word| word.replace("PREFIX", &dir).replace("ABSOLUTE", project().to_str().unwrap()));
    let output = Command::new(PROGRAM).args(words).current_dir(project()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(wanted), "pingosd {line}: {text}");
    text.replace(&format!("{}/", project().display()), "").replace(&dir, "PREFIX").trim_end().to_owned()
}

/// `<!-- run: WORDS -->` or `<!-- run status=1: WORDS -->` before a fenced block: the block is what `pingosd WORDS` prints.
/// `PINGOSD_BLESS=1` writes the blocks.
#[test]
fn blocks_of_output_are_what_commands_print() {
    const BEGIN: &str = "<!-- run";
    for page in pages("docs") {
        let path = project().join(&page);
        let text = fs::read_to_string(&path).unwrap();
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (marker, after) = after.split_once(" -->\n```text\n").expect("a block follows its command");
            let (options, line) = marker.split_once(": ").expect("a command");
            let status = options.trim().strip_prefix("status=").map_or(0, |status| status.parse().unwrap());
            let end = if after.starts_with("```") {
                0
            } else {
                after.find("\n```").expect("the end of the block") + 1
            };
            out += &format!("{before}{BEGIN}{marker} -->\n```text\n{}\n", output(line, status));
            rest = &after[end..];
        }
        out += rest;
        if out != text && std::env::var_os("PINGOSD_BLESS").is_some() {
            fs::write(&path, out).unwrap();
        } else {
            assert!(out == text, "{} is out of date; PINGOSD_BLESS=1 writes it", page.display());
        }
    }
}
