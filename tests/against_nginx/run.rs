//! Carries out the entries of a file on both servers and tells where they differ.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::entry::Entry;
use crate::group::Group;
use crate::open;
use crate::side::{NGINX, has_v6, nginx_build, nginx_version};

/// What the entries and their exceptions were written against.
const VERSION: &str = "nginx/1.22.";

/// How fast entries are carried out: so many at the same time, and the pause between parts of a request. What differs at the first
/// pace may be the servers' doing or that of a busy machine, which let parts arrive together: it is tried again at the next ones.
const PACES: [(usize, Duration); 3] =
    [(6, Duration::from_millis(4)), (2, Duration::from_millis(40)), (1, Duration::from_millis(200))];

/// Differences of an entry that are printed.
const PRINTED: usize = 3;

/// What the two servers did with an entry.
pub struct Outcome {
    pub name: String,
    pub exchanges: usize,
    pub differences: Vec<Difference>,
}

/// Where the two servers differ.
pub struct Difference {
    /// `#3` for the third exchange, `#log` for the access log, empty for the entry as a whole.
    pub part: String,
    /// In the first line a summary; then both sides.
    pub text: String,
}

impl Outcome {
    /// What `open.txt` says of it: the parts that differ, or the entry itself when most of it differs.
    fn open_lines(&self) -> Vec<(String, String)> {
        let line = |part: &str, difference: &Difference| {
            (format!("{}{part}", self.name), difference.text.lines().next().unwrap_or_default().to_owned())
        };
        match &self.differences[..] {
            [first, ..] if first.part.is_empty() || self.differences.len() * 2 > self.exchanges => {
                let (name, reason) = line("", first);
                let count = self.differences.len();
                vec![(name, if count > 1 { format!("{count} differ: {reason}") } else { reason })]
            }
            all => all.iter().map(|difference| line(&difference.part, difference)).collect(),
        }
    }

    /// `listed`: the lines of `open.txt`.
    fn verdict(&self, listed: &[(String, String)]) -> Verdict<'_> {
        let is_listed = |name: &str| listed.iter().any(|(own, _)| own == name);
        if is_listed(&self.name) {
            let mended = if self.differences.is_empty() { vec![self.name.clone()] } else { Vec::new() };
            return Verdict { unlisted: Vec::new(), mended };
        }
        let name = |difference: &Difference| format!("{}{}", self.name, difference.part);
        let start = format!("{}#", self.name);
        let parts = listed.iter().map(|(own, _)| own).filter(|own| own.starts_with(&start));
        Verdict {
            unlisted: self.differences.iter().filter(|found| !is_listed(&name(found))).collect(),
            mended: parts
                .filter(|own| self.differences.iter().all(|found| name(found) != **own))
                .cloned()
                .collect(),
        }
    }
}

/// An entry's differences beside `open.txt`.
struct Verdict<'a> {
    /// Differences that it does not list.
    unlisted: Vec<&'a Difference>,
    /// What it lists and does not differ.
    mended: Vec<String>,
}

impl Verdict<'_> {
    fn is_fine(&self) -> bool {
        self.unlisted.is_empty() && self.mended.is_empty()
    }
}

/// Runs a file of entries.
pub fn run(file: &str, entries: Vec<Entry>) {
    let Some(settings) = Settings::read() else { return };
    check_names(&entries);
    let mut chosen = Vec::new();
    for entry in entries {
        let name = format!("{file}/{}", entry.name);
        if settings.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let lacks = entry.needs.filter(|need| !nginx_build().contains(need));
        if let Some(lacks) = lacks {
            println!("skipped {name}: nginx is built without {lacks}");
        } else if entry.newer.is_some() && settings.is_self {
            println!("skipped {name}: nginx lacks it");
        } else if !has_v6() && (entry.http.contains("{PORT6}") || entry.server.contains("{PORT6}")) {
            println!("skipped {name}: this host has no IPv6");
        } else {
            chosen.push((entry, name));
        }
    }
    if chosen.is_empty() {
        return;
    }
    let begin = Instant::now();
    let listed = match settings.compares_with_list() {
        true => open::read(),
        false => Vec::new(),
    };
    let [first, later @ ..] = PACES;
    let mut outcomes = Group::new(chosen.clone(), &settings).outcomes(&settings, first);
    for pace in later {
        let again: Vec<usize> =
            (0..outcomes.len()).filter(|number| !outcomes[*number].verdict(&listed).is_fine()).collect();
        if again.is_empty() {
            break;
        }
        let names: Vec<&str> = again.iter().map(|number| outcomes[*number].name.as_str()).collect();
        println!("{file}: carried out again, slower: {}", names.join(", "));
        let entries = again.iter().map(|number| chosen[*number].clone()).collect();
        for (number, outcome) in
            again.into_iter().zip(Group::new(entries, &settings).outcomes(&settings, pace))
        {
            outcomes[number] = outcome;
        }
    }
    let exchanges: usize = outcomes.iter().map(|outcome| outcome.exchanges).sum();
    println!("{file}: {} entries, {exchanges} exchanges, {:.1?}", outcomes.len(), begin.elapsed());
    if settings.only.is_some() || settings.is_self {
        let differing: Vec<(&Outcome, Vec<&Difference>)> = outcomes
            .iter()
            .map(|outcome| (outcome, outcome.differences.iter().collect::<Vec<_>>()))
            .filter(|(_, differences)| !differences.is_empty())
            .collect();
        assert!(differing.is_empty(), "{}", report(&differing));
        return;
    }
    if settings.blesses {
        let found: Vec<(String, Vec<(String, String)>)> =
            outcomes.iter().map(|outcome| (outcome.name.clone(), outcome.open_lines())).collect();
        open::rewrite(&found);
        return;
    }
    let mut broken = Vec::new();
    let mut mended = Vec::new();
    for outcome in &outcomes {
        let verdict = outcome.verdict(&listed);
        mended.extend(verdict.mended);
        if !verdict.unlisted.is_empty() {
            broken.push((outcome, verdict.unlisted));
        }
    }
    let mut text = report(&broken);
    if !mended.is_empty() {
        text.push_str(&format!(
            "\nThese pass and have to leave tests/against_nginx/open.txt (PINGOSD_BLESS=1 removes them): {}\n",
            mended.join(", ")
        ));
    }
    assert!(text.is_empty(), "{text}");
}

/// What the environment asks for.
pub struct Settings {
    pub only: Option<String>,
    pub is_self: bool,
    /// Whether `open.txt` is written anew.
    blesses: bool,
}

impl Settings {
    /// `None`: nginx is missing, and that was said to be fine.
    pub fn read() -> Option<Settings> {
        let may_miss = std::env::var_os("PINGOSD_DIFF_WITHOUT_NGINX").is_some();
        if !Path::new(NGINX).exists() {
            assert!(
                may_miss,
                "{NGINX} is missing: install Debian's package nginx, or set PINGOSD_DIFF_WITHOUT_NGINX=1 to compare with nothing"
            );
            eprintln!("not tried: this needs Debian's nginx");
            return None;
        }
        let version = nginx_version();
        if !version.starts_with(VERSION) {
            assert!(
                may_miss,
                "the entries were written against {VERSION}, and {NGINX} is {version}; PINGOSD_DIFF_WITHOUT_NGINX=1 compares with nothing"
            );
            eprintln!("not tried: {NGINX} is {version}");
            return None;
        }
        let only = std::env::var("PINGOSD_DIFF").ok().filter(|name| !name.is_empty());
        Some(Settings {
            only,
            is_self: std::env::var_os("PINGOSD_DIFF_SELF").is_some(),
            blesses: std::env::var_os("PINGOSD_BLESS").is_some(),
        })
    }

    /// Whether differences that `open.txt` lists are fine.
    fn compares_with_list(&self) -> bool {
        self.only.is_none() && !self.is_self && !self.blesses
    }
}

fn report(found: &[(&Outcome, Vec<&Difference>)]) -> String {
    let mut out = String::new();
    for (Outcome { name, exchanges, .. }, differences) in found {
        let count = differences.len();
        out.push_str(&format!(
            "\n==== {name}: {count} differences in {exchanges} exchanges (PINGOSD_DIFF={name} shows all)\n"
        ));
        for Difference { part, text } in differences.iter().take(PRINTED) {
            let lines: Vec<&str> = text.lines().take(60).collect();
            out.push_str(&format!("{part} {}\n", lines.join("\n")));
        }
    }
    out
}

fn check_names(entries: &[Entry]) {
    for (number, entry) in entries.iter().enumerate() {
        let is_unique = entries[..number].iter().all(|other| other.name != entry.name);
        assert!(is_unique, "two entries are called {}", entry.name);
        let is_plain = entry.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        assert!(is_plain, "{} is a file name", entry.name);
        assert!(!entry.exchanges.is_empty(), "{} sends nothing", entry.name);
    }
}
