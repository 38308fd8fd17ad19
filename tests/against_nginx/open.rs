//! `open.txt`: the entries that are known not to pass, each with a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/against_nginx/open.txt")
}

const HEAD: &str = "\
# What of tests/against_nginx does not pass yet: an entry, or its exchange `#number` or `#log`, and the first difference.
# What is listed and passes fails the test, as what differs and is not listed.
# PINGOSD_BLESS=1 cargo test --test against_nginx writes this file anew.
";

/// Why what is listed stays: beginnings of the lines, and the reason.
const REASONS: &[(&str, &str)] = &[
    (
        "connection/expect#log",
        "A body that is discarded is read together with what follows, so that the next request counts as pipelined.",
    ),
    ("http2/proxying-bare ", "nginx sends a response without a head on a stream, which is no HTTP/2."),
    ("http2/proxying-dropped-bodies#", "nginx leaves the stream open for ever where a body stays unread."),
    (
        "http2/proxying-response-headers#",
        "nginx passes `Keep-Alive` and the like on, which HTTP/2 forbids (RFC 9113, section 8.2.2).",
    ),
    ("http2/proxying-tunnels ", NO_101),
    (
        "http2/ranges-unsatisfiable-range-headers#",
        "nginx forgets `Location` and `Accept-Ranges` of `add_header` in a 416 in HTTP/1 and not in HTTP/2.",
    ),
    ("http2/rewriting-bodies-before-texts#", NO_101),
    ("http2/rewriting-return-statuses#", NO_101),
    (
        "ranges/unsatisfiable-range-headers#",
        "nginx replaces `Content-Range` of a 416 by the one of `add_header`.",
    ),
    (
        "rewriting/return-statuses#155 ",
        "No client knows whether a 101 has a body; the connection is closed behind it.",
    ),
    (
        "rewriting/return-statuses#log",
        "The product's name is longer, and the comparison takes a 100 for an interim response, whose length it does not even out.",
    ),
];

const NO_101: &str = "HTTP/2 has no status 101 (RFC 9113, section 8.6); nginx ends the stream.";

/// Reason of a line.
pub fn reason(name: &str) -> Option<&'static str> {
    let line = format!("{name} ");
    REASONS.iter().find(|(start, _)| line.starts_with(start)).map(|(_, reason)| *reason)
}

/// Names and first differences.
pub fn read() -> Vec<(String, String)> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) = line.split_once(' ').unwrap_or((line, ""));
            (name.to_owned(), reason.trim().to_owned())
        })
        .collect()
}

/// Drops the lines of entries that are no more.
pub fn keep(names: &BTreeSet<String>) {
    let gone: Vec<(String, Vec<(String, String)>)> = read()
        .into_iter()
        .map(|(name, _)| entry_of(&name).to_owned())
        .filter(|entry| !names.contains(entry))
        .map(|entry| (entry, Vec::new()))
        .collect();
    rewrite(&gone);
}

/// Puts what was found about these entries in the place of what was known; others stay. Of each entry: its name, and its lines.
pub fn rewrite(found: &[(String, Vec<(String, String)>)]) {
    static TURN: Mutex<()> = Mutex::new(());
    if found.is_empty() {
        return;
    }
    let _turn = TURN.lock().unwrap();
    let mut all = read();
    all.retain(|(name, _)| found.iter().all(|(entry, _)| entry != entry_of(name)));
    all.extend(found.iter().flat_map(|(_, lines)| lines.clone()));
    all.sort_by_cached_key(|(name, _)| {
        let part = name.split('#').nth(1).unwrap_or_default();
        (entry_of(name).to_owned(), part.parse().unwrap_or(usize::MAX))
    });
    let lines: String = all.iter().map(|(name, reason)| format!("{name} {}\n", reason.trim())).collect();
    fs::write(path(), format!("{HEAD}{lines}")).unwrap();
}

/// The entry to which a line belongs.
pub fn entry_of(name: &str) -> &str {
    name.split('#').next().unwrap_or(name)
}
