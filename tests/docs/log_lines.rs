//! The page of log lines: it has each line that the program writes at notice or above, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{CHINESE, project};

/// The page.
pub(crate) const PAGE: &str = "docs/reference/log-lines.md";

/// Texts in files of log lines that are not on the page, and why.
const NOT_LISTED: [(&str, &str); 43] = [
    (", {name}: \"{value}\"", HTTP_END),
    ("client timed out (110: Connection timed out)", INFO),
    ("send() failed ({})", INFO),
    (
        "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too",
        INFO,
    ),
    ("client prematurely closed connection", INFO),
    ("client canceled stream {stream}", INFO),
    ("client refused stream {stream}", INFO),
    ("client terminated stream {stream} due to internal error", INFO),
    ("client terminated stream {stream} with status {}", INFO),
    ("line was", "of the number of lines that were lost"),
    ("lines were", "of the number of lines that were lost"),
    ("open() ", "compared with, decides the level"),
    ("send() ", "compared with, decides the level"),
    ("it is not signed", INFO),
    ("its signature was made with another relay_secret, or for another stream", INFO),
    ("the time of its signature differs too much from the time here, or it was used before", INFO),
    ("relay {what}: '{}' by {}:{}, domain='{}' app='{}' name='{}'", INFO),
    ("; {count} more failures like the one logged before", END),
    (", the last one stays in use", END),
    (", handshakes are refused", END),
    ("; the directory must belong to the server's user", END),
    ("; the directory around it must exist", END),
    (", dry run", END),
    (", address: {}:{port}", END),
    ("[emerg] ", "removed from a line of `-t`"),
    ("carried out", "an outcome of a request of the console"),
    ("timed metadata", "a kind of media"),
    ("[warn] ", "removed from a line of `-t`"),
    (", client: {client}, server: {}", HTTP_END),
    (" while {doing}", HTTP_END),
    ("sending response to client", HTTP_END),
    ("reading response header from upstream", HTTP_END),
    ("reading upstream", HTTP_END),
    ("reading client request line", HTTP_END),
    ("reading client request headers", HTTP_END),
    ("proxying upgraded connection", HTTP_END),
    ("recv() failed ({})", INFO),
    (" ({})", INFO),
    ("client closed connection while waiting for request", INFO),
    ("recv() failed{reason} while waiting for request", INFO),
    ("client timed out (110: Connection timed out) while waiting for request", INFO),
    ("client sent invalid header line: \"{shown}\"", INFO),
    (", dry run,", END),
];

const HTTP_END: &str = "the end of lines about HTTP requests, which the page describes once";
const INFO: &str = "of a line at info";
const END: &str = "the end of a line on the page, which describes it";

/// Functions that log a text made elsewhere, the file of the text, and what it is.
const TEXTS_OF_OTHERS: [(&str, &str, &str); 13] = [
    ("about_while", "src/module/proxy/failure.rs", "the lines of HTTP requests"),
    ("reading_head", "src/http/head_parser.rs", "why heads are refused"),
    ("bad_response_while", "src/module/proxy/head.rs", "what is wrong with responses of backends"),
    ("not_trusted", "src/net/tls/backend.rs", "why backends are not trusted"),
    ("about_at", "src/module/rewrite/phase.rs", "the lines of HTTP requests"),
    ("about", "src/module/proxy/check.rs", "the lines of HTTP requests"),
    ("cut_failed", "src/module/mp4/error.rs", "nginx's sentences about files that are no MP4"),
    ("used", "src/module/dynamic/task.rs", "the lines of dynamic_conf"),
    ("host_not_found", "src/net/dns/answer.rs", "errors of lookups"),
    ("ocsp_failed", "src/net/tls/ocsp/client.rs", "requests of a certificate's status"),
    ("ocsp_warning", "src/net/tls/ocsp/asker.rs", "requests of a certificate's status"),
    ("tls_warning", "src/net/tls/ocsp/staple.rs", "why nothing is stapled"),
    ("pid_file_lost", "src/server/pid_file.rs", "errors of the pid file"),
];

/// Files that write lines to logs without tracing, or text of them.
const WITHOUT_TRACING: [&str; 2] = ["src/module/monitor/watch.rs", "src/server/helper/alert.rs"];

const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

/// A text in the source.
struct Literal {
    /// Its function.
    function: String,
    text: String,
    /// Level of its line, if it stands in the call that logs.
    level: Option<String>,
}

/// A row of the page's tables of lines.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    lines: Vec<String>,
    level: String,
    meaning: String,
}

fn log_files(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            log_files(&path, out);
        } else if path.ends_with("log.rs") {
            out.push(path);
        }
    }
}

/// String literals of a source file's code, with continued lines joined.
fn literals(path: &Path) -> Vec<Literal> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code: Vec<&str> = text
        .split("#[cfg(test)]")
        .next()
        .unwrap()
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .collect();
    let code = code.join("\n").replace("\\\n", "");
    let mut out = Vec::new();
    let mut rest = &code[..];
    // The code before a literal since the last statement or block.
    let (mut function, mut before) = (String::new(), String::new());
    while let Some(at) = rest.find('"') {
        let (code, after) = (&rest[..at], &rest[at + 1..]);
        // A quote as a character begins no literal.
        if code.ends_with('\'') && after.starts_with('\'') {
            rest = after;
            continue;
        }
        if let Some((_, named)) = code.rsplit_once("fn ") {
            function = named.split(['(', '<']).next().unwrap().to_owned();
        }
        match code.rfind([';', '{', '}']) {
            Some(end) => before = code[end..].to_owned(),
            None => before.push_str(code),
        }
        let end = after
            .char_indices()
            .scan(false, |is_escaped, (at, c)| {
                let ends = c == '"' && !*is_escaped;
                *is_escaped = c == '\\' && !*is_escaped;
                Some((at, ends))
            })
            .find_map(|(at, ends)| ends.then_some(at))
            .expect("a literal ends");
        let text = after[..end].replace("\\\"", "\"");
        out.push(Literal { function: function.clone(), level: level(&before), text });
        before.push_str(&after[..end]);
        rest = &after[end + 1..];
    }
    out
}

/// Level of the line that a call logs, from its text up to a literal.
fn level(call: &str) -> Option<String> {
    let named =
        [("target: ", [',', ')']), ("LogLevel::", [',', ')'])].into_iter().find_map(|(mark, ends)| {
            call.split_once(mark)
                .and_then(|(_, rest)| rest.split_once(ends))
                .map(|(name, _)| name.to_lowercase())
        });
    let calls = ["debug!(", "info!(", "warn!(", "error!("].into_iter();
    let called =
        || calls.map(|call| call.trim_end_matches("!(")).find(|name| call.contains(&format!("{name}!(")));
    let about = || call.contains("about(exchange").then(|| "error".to_owned());
    named.or_else(|| called().map(ToOwned::to_owned)).or_else(about)
}

/// A line without what depends on the event: values of the source (`{name}`) and words of the page in capitals become `*`.
fn normal(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '{' {
            chars.by_ref().find(|c| *c == '}');
            out.push('*');
        } else if c.is_ascii_uppercase() {
            let mut word = String::from(c);
            while let Some(c) = chars.next_if(char::is_ascii_uppercase) {
                word.push(c);
            }
            // "Connection" is no value, and neither is the end of "onMetaData"; "WORKERS" and "Ns" are.
            let follows: String = chars.clone().take(2).collect();
            let is_plural = follows.starts_with('s') && !follows[1..].starts_with(char::is_alphabetic);
            match follows.starts_with(|c: char| c.is_ascii_lowercase()) && !is_plural {
                true => out.push_str(&word),
                false => out.push('*'),
            }
        } else {
            out.push(c);
        }
    }
    // Values that follow each other are one.
    for (many, one) in [("*:*", "*"), ("*/*", "*"), ("**", "*")] {
        while out.contains(many) {
            out = out.replace(many, one);
        }
    }
    out.trim_matches([' ', '*']).to_owned()
}

/// The rows of a page with a level in their second cell.
fn rows(page: &Path) -> Vec<Row> {
    let text = fs::read_to_string(project().join(page)).unwrap();
    let mut out = Vec::new();
    for row in text.lines() {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [lines, level, meaning] = cells[..]
            && LEVELS.contains(&level)
        {
            let lines = lines.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
            out.push(Row { lines, level: level.to_owned(), meaning: meaning.to_owned() });
        }
    }
    out
}

#[test]
fn every_line_of_the_log_from_notice_on_is_on_the_page_and_no_other() {
    let mut files = Vec::new();
    log_files(&project().join("src"), &mut files);
    assert!(files.len() > 30, "{}", files.len());
    let rows = rows(Path::new(PAGE));
    let on_page: BTreeSet<String> = rows.iter().flat_map(|row| &row.lines).map(|line| normal(line)).collect();
    let mut wrong = Vec::new();
    let mut in_source = BTreeSet::new();
    let mut levels: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut unused: BTreeSet<&str> = NOT_LISTED.iter().map(|(text, _)| *text).collect();
    for file in &files {
        for Literal { text, level, .. } in literals(file) {
            in_source.insert(normal(&text));
            let level = LEVELS.into_iter().find(|name| level.as_deref() == Some(name));
            levels.entry(normal(&text)).or_default().extend(level);
            let is_minor = matches!(level, Some("info" | "debug"));
            let is_excused = unused.remove(&text[..]) || NOT_LISTED.iter().any(|(other, _)| *other == text);
            if text.contains(' ') && !is_minor && !is_excused && !on_page.contains(&normal(&text)) {
                wrong.push(format!("{}: the page lacks {text:?}", file.display()));
            }
        }
    }
    wrong.extend(unused.iter().map(|text| format!("no log line has {text:?} any more")));
    for file in TEXTS_OF_OTHERS.iter().map(|(_, file, _)| file).chain(&WITHOUT_TRACING) {
        in_source.extend(literals(&project().join(file)).iter().map(|literal| normal(&literal.text)));
    }
    for Row { lines, level, meaning } in &rows {
        if lines.is_empty() || meaning.is_empty() {
            wrong.push(format!("{lines:?} ({level}): the page does not say what it means"));
        }
        // The meaning of a line that has several levels names the others.
        let named = |name: &str| level == name || meaning.contains(name);
        let wanted = lines.iter().filter_map(|line| Some((line, levels.get(&normal(line))?)));
        for (line, have) in
            wanted.filter(|(_, have)| !have.is_empty() && !have.iter().any(|name| named(name)))
        {
            wrong.push(format!("{line:?} is at {have:?}, and not at {level}"));
        }
        let unknown = lines.iter().filter(|line| !in_source.contains(&normal(line)));
        wrong.extend(unknown.map(|line| format!("no log line is {line:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A function that logs and has no text of its own is on the list.
#[test]
fn texts_that_log_functions_get_are_accounted_for() {
    let mut files = Vec::new();
    log_files(&project().join("src"), &mut files);
    let mut without = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let own: BTreeSet<String> = literals(&file)
            .into_iter()
            .filter(|literal| normal(&literal.text).contains(|c: char| c.is_ascii_lowercase()))
            .filter(|literal| !LEVELS.contains(&&literal.text[..]))
            .map(|literal| literal.function)
            .collect();
        for function in text.split("\nfn ").flat_map(|part| part.split(" fn ")).skip(1) {
            let name = function.split(['(', '<']).next().unwrap();
            let body = function.split("\n}\n").next().unwrap();
            let logs = ["info!(", "warn!(", "error!(", "about(", "about_at(", "about_while("];
            if logs.iter().any(|call| body.contains(call)) && !own.contains(name) {
                without.insert(name.to_owned());
            }
        }
    }
    let listed: BTreeSet<String> = TEXTS_OF_OTHERS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(without, listed);
}

/// A meaning names no directive that does not exist.
#[test]
fn meanings_name_what_the_manual_has() {
    let manual = fs::read_to_string(project().join("conf/directives.md")).unwrap();
    let known: BTreeSet<&str> = manual
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let is_name = |word: &&str| word.contains('_') && !word.contains(|c: char| c.is_ascii_uppercase());
    for Row { meaning, .. } in rows(Path::new(PAGE)) {
        let code = meaning.split('`').skip(1).step_by(2);
        // Settings of the system.
        let code = code.filter(|code| !code.starts_with("fs.") && !code.starts_with("kernel."));
        let words = code.flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
        for word in words.filter(is_name) {
            assert!(known.contains(word), "{word}: {meaning}");
        }
    }
}

/// What is counted as one line, and what is not.
#[test]
fn lines_are_compared_without_their_values() {
    for (source, page) in [
        (
            "relay {what} failed: '{}', {why}, callback in {}",
            "relay DIRECTION failed: 'NAME', REASON, callback in FILE:LINE",
        ),
        ("is still being read after {}s, the", "is still being read after Ns, the"),
        ("{0}: {0}_path is not set", "OUTPUT: OUTPUT_path is not set"),
        (
            "TLS handshake failed: {error} while SSL handshaking, client: {}, server: {listen}",
            "TLS handshake failed: ERROR while SSL handshaking, client: ADDRESS, server: ADDRESS",
        ),
    ] {
        assert_eq!(normal(source), normal(page));
    }
    for (one, other) in
        [("no such stream: '{}'", "no stream: 'NAME'"), ("(110: Connection refused)", "(110: NAME refused)")]
    {
        assert_ne!(normal(one), normal(other));
    }
}

#[test]
fn the_chinese_page_has_the_same_lines() {
    let chinese = Path::new(CHINESE).join("reference/log-lines.md");
    let [english, chinese] = [Path::new(PAGE), &chinese].map(|page| {
        let rows = rows(page).into_iter();
        rows.map(|row| (row.lines, row.level, !row.meaning.is_empty())).collect::<Vec<_>>()
    });
    assert!(english.len() > 150, "{}", english.len());
    assert_eq!(english, chinese);
}
