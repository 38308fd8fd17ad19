//! Sentences of the English pages: no riddles, no sentence without its subject.

use std::fs;
use std::path::PathBuf;

use super::{CHINESE, pages, project, prose};

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
const UNCLEAR: [(&str, &str); 20] = [
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
    ("looked at", "checked, read"),
    ("tells of", "shows, names"),
    ("tell of", "show, name"),
    ("says so", "name what is reported, and where"),
    ("as ever", "as usual"),
    ("shows who", "shows which server, which client"),
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
        "Only its log and its effects tell of it.",
        "Players of HLS are not looked at.",
        "`streams` shows who has which stream.",
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
