//! The documentation: pages, links, anchors, and the output of commands that pages show. mdBook is not needed.

mod support;

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
    let single = ["README.md", "docs/tour.md"].map(PathBuf::from);
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

/// Pages in English that people read: those of the book, what stands in packages, and what GitHub shows first. The code of the
/// source is not among them.
fn english_pages() -> Vec<PathBuf> {
    let single = ["README.md", "SECURITY.md", "packaging/README.md"].map(PathBuf::from);
    pages("docs")
        .into_iter()
        .filter(|page| !page.starts_with(CHINESE))
        .chain(pages("conf"))
        .chain(single)
        .collect()
}

/// Sentences of a page's paragraphs, list items and table cells: words in lower case, with the punctuation that ends them.
/// What stands in code is `_`.
fn sentences(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in prose(text) {
        let begins = line.trim_start().starts_with(['-', '#', '|']) || line.trim().is_empty();
        if begins {
            blocks.push(String::new());
        }
        let block = blocks.last_mut().expect("there is one");
        block.push(' ');
        block.push_str(line.trim());
    }
    let mut out = Vec::new();
    for block in blocks {
        let without_code: Vec<&str> =
            block.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "_" }).collect();
        for cell in without_code.concat().to_lowercase().split('|') {
            let mut sentence = String::new();
            for word in cell.split_whitespace() {
                sentence.push(' ');
                sentence.push_str(word);
                if word.ends_with(['.', ':', ';', '?', '!']) || word.ends_with(".)") {
                    out.push(std::mem::take(&mut sentence));
                }
            }
            out.push(sentence);
        }
    }
    out.retain(|sentence| !sentence.trim().is_empty());
    out
}

/// Words of a sentence without punctuation.
fn words(sentence: &str) -> Vec<&str> {
    let trimmed =
        sentence.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'));
    trimmed.filter(|word| !word.is_empty()).collect()
}

/// Words that hide who or what does something, and what stands in their place.
const UNCLEAR: [(&str, &str); 14] = [
    ("anew", "again"),
    ("anybody", "a session, a client"),
    ("everybody", "every client"),
    ("nobody", "no client"),
    ("somebody", "a client"),
    ("whoever", "every client that"),
    ("whatsoever", "any"),
    ("thereby", "so"),
    ("hence", "so"),
    ("by themselves", "name what does it"),
    ("is told", "gets"),
    ("are told", "get"),
    ("was told", "got"),
    ("something else", "name it"),
];

/// Longest sentence, in words. A list of conditions is clearer as a list.
const LONGEST: usize = 55;

/// Auxiliary verbs with which no clause after a comma ends: "end, once all sessions have".
const AUXILIARY: [&str; 9] = ["have", "has", "had", "do", "does", "did", "are", "is", "was"];

/// Words that begin such a clause.
const CONDITION: [&str; 5] = ["once", "until", "unless", "after", "when"];

/// What is unclear in a sentence.
fn unclear(sentence: &str) -> Option<String> {
    let words = words(sentence);
    let joined = format!(" {} ", words.join(" "));
    if let Some((word, better)) = UNCLEAR.iter().find(|(word, _)| joined.contains(&format!(" {word} "))) {
        return Some(format!("\"{word}\": {better}"));
    }
    if words.len() > LONGEST {
        return Some(format!("{} words", words.len()));
    }
    // A clause without its verb.
    let clause = sentence.rsplit(',').next().unwrap_or_default();
    let clause = self::words(clause);
    if let ([first, .., last], true) = (&clause[..], sentence.contains(','))
        && CONDITION.contains(first)
        && AUXILIARY.contains(last)
        && clause.len() <= 5
    {
        return Some(format!("a clause that ends in \"{last}\": name the verb"));
    }
    // A sentence without its subject: "Checked, but does not matter here".
    if let [first, second, ..] = &words[..]
        && ["checked", "accepted", "refused", "ignored"].contains(first)
        && ["but", "and"].contains(second)
    {
        return Some(format!("begins with \"{first} {second}\": name the subject"));
    }
    // A number between a participle and its noun: "unfinished 3 files".
    let is_number = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
    for [participle, number, noun] in words.windows(3).filter_map(|three| <[&str; 3]>::try_from(three).ok()) {
        let is_participle = participle.starts_with("un") && participle.ends_with("ed");
        if is_participle && is_number(&number) && noun.ends_with('s') {
            return Some(format!("\"{participle} {number} {noun}\": the number stands first"));
        }
    }
    None
}

#[test]
fn pages_are_in_plain_english() {
    let mut wrong = Vec::new();
    for page in english_pages() {
        for sentence in sentences(&fs::read_to_string(project().join(&page)).unwrap()) {
            if let Some(why) = unclear(&sentence) {
                wrong.push(format!("{}: {why}:{sentence}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sentences that stood in earlier pages, and what is plain.
#[test]
fn unclear_sentences_are_found_by_rule() {
    for bad in [
        "It takes on a new configuration without dropping anybody.",
        "The old processes end, once all sessions have.",
        "Programs use changes by themselves.",
        "Timestamps are sent anew as absolute ones when more time than this was dropped.",
        "How long an end is told again while the callback server is away.",
        "Checked, but does not matter here.",
        "unfinished 3 files and commands",
        "The file on disk holds something else, which is not in force.",
    ] {
        let found = sentences(bad);
        assert!(found.iter().any(|sentence| unclear(sentence).is_some()), "{bad}");
    }
    for good in [
        "A reload applies a new configuration without ending a session.",
        "The old process exits once its last session has ended.",
        "The server keeps the user `nobody`.",
        "Starts a new file after this time, at a key frame.",
        "3 unfinished files and commands",
        "The program needs the feature, which the packages have.",
    ] {
        let found = sentences(good);
        assert_eq!(found.iter().find_map(|sentence| unclear(sentence)), None, "{good}");
    }
}

/// Text of the files in which log lines are written, and of those that make their reasons; line continuations are joined.
fn log_sources() -> String {
    let mut out = String::new();
    let mut directories = vec![project().join("src")];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.ends_with("log.rs") {
                out += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    lines.join("\n").replace("\\\n", "")
}

/// Parts of a log line that do not depend on the event: words in lower case between placeholders and punctuation.
fn fixed_parts(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in line.split(' ') {
        let bare = word.trim_end_matches([',', ':', ';', '.']);
        let is_fixed = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let part = parts.last_mut().expect("there is one");
        if is_fixed {
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(bare);
        }
        if !is_fixed || bare != word {
            parts.push(String::new());
        }
    }
    parts.retain(|part| part.contains(' '));
    parts
}

#[test]
fn log_lines_of_the_reference_are_those_of_the_program() {
    let (page, sources) =
        (fs::read_to_string(project().join("docs/reference/log-lines.md")).unwrap(), log_sources());
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in page.lines() {
        let Some((line, rest)) = row.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
            continue;
        };
        let level = rest.split(' ').next().unwrap_or_default();
        if !["alert", "crit", "error", "warn", "notice", "info"].contains(&level) {
            continue;
        }
        for part in line.split('`').skip(1).step_by(2).flat_map(fixed_parts) {
            count += 1;
            if !sources.contains(&part) {
                wrong.push(format!("{row}: no log line has \"{part}\""));
            }
        }
    }
    assert!(count > 40, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
