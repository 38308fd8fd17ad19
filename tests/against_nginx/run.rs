//! Carries out the entries of a file on both servers and tells where they differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pcre2::bytes::Regex;

use crate::entry::{Entry, Exchange, Step};
use crate::open;
use crate::render::{Renderer, by_name, logged};
use crate::side::{NGINX, Ports, Side, Which, has_v6, nginx_build, nginx_version};
use crate::support::certificates::Certificates;
use crate::talk::{Talk, Target, find, talk};
use crate::talk_http2;

/// What the entries and their exceptions were written against.
const VERSION: &str = "nginx/1.22.";

/// How fast entries are carried out: so many at the same time, and the pause between parts of a request. What differs at the first
/// pace may be the servers' doing or that of a busy machine, which let parts arrive together: it is tried again at the next ones.
const PACES: [(usize, Duration); 3] =
    [(6, Duration::from_millis(4)), (2, Duration::from_millis(40)), (1, Duration::from_millis(200))];

/// So many exchanges without an answer, and the rest of the entry is not tried.
const SILENT: usize = 2;

/// Differences of an entry that are printed.
const PRINTED: usize = 3;

/// What the two servers did with an entry.
struct Outcome {
    name: String,
    exchanges: usize,
    differences: Vec<Difference>,
}

/// Where the two servers differ.
struct Difference {
    /// `#3` for the third exchange, `#log` for the access log, empty for the entry as a whole.
    part: String,
    /// In the first line a summary; then both sides.
    text: String,
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

/// What one server did with an entry.
struct Deed {
    results: Vec<String>,
    /// As `results`, without product or name in the lengths of pages that HEAD did not get.
    evened: [Vec<String>; 2],
    log: String,
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
struct Settings {
    only: Option<String>,
    is_self: bool,
    /// Whether `open.txt` is written anew.
    blesses: bool,
}

impl Settings {
    /// `None`: nginx is missing, and that was said to be fine.
    fn read() -> Option<Settings> {
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

/// The entries of a file, and the two servers that have them all.
struct Group {
    base: PathBuf,
    nginx: Side,
    ours: Side,
    members: Vec<Member>,
}

struct Member {
    entry: Entry,
    name: String,
    ports: Ports,
    /// Why our server does not take its configuration.
    refusal: Option<String>,
}

impl Group {
    fn new(chosen: Vec<(Entry, String)>, settings: &Settings) -> Group {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("against-{}-{count:02}", std::process::id()));
        if chosen.iter().any(|(entry, _)| entry.uses_tls()) {
            Certificates::write(&base.join("tls"));
        }
        let nginx = Side::new(&base, Which::Nginx, settings.is_self);
        let ours = Side::new(&base, Which::Ours, settings.is_self);
        let members: Vec<Member> = chosen
            .into_iter()
            .map(|(entry, name)| {
                nginx.prepare(&entry);
                ours.prepare(&entry);
                Member { ports: Ports::for_entry(&entry), entry, name, refusal: None }
            })
            .collect();
        Group { base, nginx, ours, members }
    }

    fn outcomes(mut self, settings: &Settings, (at_once, pause): (usize, Duration)) -> Vec<Outcome> {
        let conf = self.nginx.conf(&parts(&self.members, |member| member.entry.newer.is_none()));
        if let Some(text) = self.nginx.refusal(&conf) {
            let mut message = format!("nginx refuses the configuration: {text}\n{}", excerpt(&conf, &text));
            for member in &self.members {
                let conf = self.nginx.conf(&[(&member.entry, &member.ports)]);
                if let Some(text) = self.nginx.refusal(&conf).filter(|_| member.entry.newer.is_none()) {
                    message.push_str(&format!("\n{}: {text}\n{}", member.name, excerpt(&conf, &text)));
                }
            }
            panic!("{message}");
        }
        let asked: Vec<&Member> = self.members.iter().filter(|member| member.entry.newer.is_none()).collect();
        if !asked.is_empty() {
            let addresses = asked.iter().map(|member| address(&self.nginx, member)).collect();
            self.nginx.start(&conf, addresses);
        }

        let conf = self.ours.conf(&parts(&self.members, |_| true));
        let conf = match self.ours.refusal(&conf) {
            None => conf,
            Some(_) => {
                for member in &mut self.members {
                    let alone = self.ours.conf(&[(&member.entry, &member.ports)]);
                    member.refusal = self.ours.refusal(&alone);
                }
                self.ours.conf(&parts(&self.members, |member| member.refusal.is_none()))
            }
        };
        let taken: Vec<&Member> = self.members.iter().filter(|member| member.refusal.is_none()).collect();
        if !taken.is_empty() {
            let addresses = taken.iter().map(|member| address(&self.ours, member)).collect();
            self.ours.start(&conf, addresses);
        }

        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(member) = self.members.get(number) else { break };
                        let theirs =
                            member.entry.newer.is_none().then(|| exchange(&self.nginx, member, pause));
                        let ours = member.refusal.is_none().then(|| exchange(&self.ours, member, pause));
                        done.lock().unwrap().push((number, theirs, ours));
                    }
                });
            }
        });
        self.nginx.stop();
        self.ours.stop();
        let mut done = done.into_inner().unwrap();
        done.sort_by_key(|(number, ..)| *number);
        let mut outcomes: Vec<Outcome> = done
            .into_iter()
            .map(|(number, theirs, ours)| self.compare(&self.members[number], theirs, ours, settings))
            .collect();
        if let Some(text) = self.ours.panics() {
            let part = "#panic".to_owned();
            outcomes[0]
                .differences
                .push(Difference { part, text: format!("the server has panicked\n{text}") });
        }
        outcomes
    }

    fn compare(
        &self,
        member: &Member,
        theirs: Option<Vec<Talk>>,
        ours: Option<Vec<Talk>>,
        settings: &Settings,
    ) -> Outcome {
        let mut differences = Vec::new();
        let entry = &member.entry;
        let masks: Vec<(Regex, &'static str)> =
            entry.masks.iter().map(|(pattern, stands)| (Regex::new(pattern).unwrap(), *stands)).collect();
        let theirs = theirs.map(|talks| deed(&self.nginx, member, &talks, &masks));
        let ours = ours.map(|talks| deed(&self.ours, member, &talks, &masks));
        let Some(ours) = ours else {
            let refusal = member.refusal.clone().unwrap_or_default();
            let text = self
                .ours
                .names(&member.ports)
                .own
                .iter()
                .fold(refusal, |text, (own, neutral)| text.replace(own, neutral));
            let first = text
                .lines()
                .find(|line| line.contains("[emerg]"))
                .or(text.lines().next())
                .unwrap_or_default();
            let first = first.trim_start_matches("nginx: ").trim_start_matches("pingosd: ");
            let first = first.split(" in {ROOT}").next().unwrap_or(first);
            return Outcome {
                name: member.name.clone(),
                exchanges: entry.exchanges.len(),
                differences: vec![Difference {
                    part: String::new(),
                    text: format!("the configuration is refused: {first}\n{text}"),
                }],
            };
        };
        if settings.only.is_some() {
            println!("======== {}", member.name);
        }
        for (number, exchange) in entry.exchanges.iter().enumerate() {
            let what = summary(exchange);
            let mut differs = |text| differences.push(Difference { part: format!("#{}", number + 1), text });
            let own = entry.own.iter().find(|(of, ..)| *of == number).filter(|_| !settings.is_self);
            let their = theirs.as_ref().and_then(|deed| deed.results.get(number));
            let our = ours
                .results
                .get(number)
                .map_or("=== not tried, as the ones before had no answer\n", |text| text);
            // What an entry expects has the headers by name.
            let (our_by_name, their_by_name) = (by_name(our), their.map(|their| by_name(their)));
            let our = if own.is_some() { &our_by_name } else { our };
            let expected = match (own, their) {
                (Some((_, reason, text)), _) => {
                    if their_by_name.is_some_and(|their| their == *text) {
                        differs(format!("{what}: nginx does the same after all ({reason})\n{text}"));
                    }
                    text.as_str()
                }
                (None, Some(their)) => their.as_str(),
                (None, None) => "=== the entry does not say what is expected\n",
            };
            if settings.only.is_some() {
                print_exchange(exchange, expected, our);
            }
            let is_even = own.is_none()
                && theirs.as_ref().is_some_and(|theirs| {
                    let pairs = theirs.evened.iter().zip(&ours.evened);
                    pairs.into_iter().any(|(their, our)| their.get(number) == our.get(number))
                });
            if expected != our && !is_even {
                differs(format!("{what}: {}\n{}", first_difference(expected, our), sides(expected, our)));
            }
        }
        if let Some(theirs) = theirs {
            let mut of_own: Vec<String> = match settings.is_self {
                true => Vec::new(),
                false => entry.own.iter().flat_map(|(of, ..)| targets(&entry.exchanges[*of])).collect(),
            };
            if !of_own.is_empty() {
                // Perhaps only one of the two has kept the connection.
                of_own.push("/-probe-".to_owned());
            }
            let (theirs, ours) = (without(&theirs.log, &of_own), without(&ours.log, &of_own));
            if settings.only.is_some() {
                println!("---- access log of nginx\n{theirs}\n---- access log of pingosd\n{ours}");
            }
            if theirs != ours {
                let text =
                    format!("access log: {}\n{}", first_difference(&theirs, &ours), sides(&theirs, &ours));
                differences.push(Difference { part: "#log".to_owned(), text });
            }
        }
        Outcome { name: member.name.clone(), exchanges: entry.exchanges.len(), differences }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.nginx.stop();
        self.ours.stop();
        if std::env::var_os("PINGOSD_DIFF_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.base);
        } else {
            println!("the prefixes stay in {}", self.base.display());
        }
    }
}

fn parts(members: &[Member], takes: impl Fn(&Member) -> bool) -> Vec<(&Entry, &Ports)> {
    members.iter().filter(|member| takes(member)).map(|member| (&member.entry, &member.ports)).collect()
}

fn address(side: &Side, member: &Member) -> std::net::SocketAddr {
    match side.target(&member.entry, &member.ports, crate::entry::Listener::Port(0)) {
        Target::Tcp(address) => address,
        Target::Unix(_) => unreachable!("a port is no path"),
    }
}

/// Lets one server answer all exchanges of an entry.
fn exchange(side: &Side, member: &Member, pause: Duration) -> Vec<Talk> {
    let mut silent = 0;
    let mut talks = Vec::new();
    for exchange in &member.entry.exchanges {
        let target = side.target(&member.entry, &member.ports, exchange.listener);
        let talk = match member.entry.is_http2 {
            true => talk_http2::talk(&target, &exchange.steps),
            false => {
                let tls = exchange.tls.as_ref().map(|tls| (tls, side.tls()));
                talk(&target, &exchange.steps, tls, pause)
            }
        };
        silent += usize::from(talk.is_silent);
        talks.push(talk);
        if silent == SILENT && side.which == Which::Ours {
            break;
        }
    }
    talks
}

fn deed(side: &Side, member: &Member, talks: &[Talk], masks: &[(Regex, &'static str)]) -> Deed {
    let names = side.names(&member.ports);
    let render = |uncounted| {
        let mut renderer =
            Renderer { names: &names, masks, uncounted, bodies: Vec::new(), totals: Vec::new() };
        let results: Vec<String> = talks.iter().map(|talk| renderer.exchange(talk)).collect();
        (results, renderer)
    };
    let evened = [names.product.len(), names.name.len()].map(|uncounted| render(uncounted).0);
    let (results, renderer) = render(0);
    let log = renderer.log(&side.log(&member.entry));
    Deed { results, evened, log }
}

/// What the requests of an exchange ask for, as access logs have it.
fn targets(exchange: &Exchange) -> Vec<String> {
    let sent = exchange.steps.iter().filter_map(|step| match step {
        Step::Send(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    let sent: Vec<u8> = sent.flatten().copied().collect();
    let lines = sent.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.enumerate().filter(|(number, line)| *number == 0 || find(line, b" HTTP/").is_some());
    let target = |line: &[u8]| logged(line.split(|byte| *byte == b' ').nth(1).unwrap_or(line));
    lines.map(|(_, line)| target(line)).filter(|target| !target.is_empty()).collect()
}

/// The lines of an access log that name none of these targets.
fn without(log: &str, targets: &[String]) -> String {
    let names = |line: &str, target: &str| {
        let mut found = line.match_indices(target);
        found.any(|(at, _)| matches!(line[at + target.len()..].chars().next(), None | Some(' ' | '"' | '?')))
    };
    let others = log.lines().filter(|line| !targets.iter().any(|target| names(line, target)));
    others.collect::<Vec<_>>().join("\n")
}

/// The first line of what is sent.
fn summary(exchange: &Exchange) -> String {
    let sent: Vec<u8> = exchange
        .steps
        .iter()
        .filter_map(|step| if let Step::Send(bytes) = step { Some(bytes.as_slice()) } else { None })
        .flatten()
        .copied()
        .collect();
    let text = String::from_utf8_lossy(&sent).into_owned();
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    let more = lines.find(|line| {
        !line.is_empty() && !line.starts_with("Host: localhost") && !line.starts_with("Connection: close")
    });
    if let Some(more) = more {
        out = format!("{out} | {more}");
    }
    let mut out: String = out.escape_default().to_string();
    if out.len() > 120 {
        out.truncate(117);
        out.push_str("...");
    }
    out
}

fn first_difference(expected: &str, our: &str) -> String {
    let (mut theirs, mut ours) = (expected.lines(), our.lines());
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return "only ends of lines differ".to_owned(),
            (their, our) if their != our => {
                let cut = |line: Option<&str>| {
                    let line = line.unwrap_or("nothing");
                    let line: String = line.chars().take(80).collect();
                    if line.is_empty() { "an empty line".to_owned() } else { format!("`{line}`") }
                };
                return format!("{}, but nginx {}", cut(our), cut(their));
            }
            _ => {}
        }
    }
}

/// Both sides, line by line; the lines that only one has are marked. Of long runs that both have, the ends are shown.
fn sides(expected: &str, our: &str) -> String {
    let (theirs, ours): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), our.lines().collect());
    let mut lines: Vec<(&str, &str)> = Vec::new();
    let mut at = 0;
    for line in &theirs {
        if let Some(found) = ours[at..].iter().position(|own| own == line) {
            lines.extend(ours[at..at + found].iter().map(|own| ("  pingosd", *own)));
            at += found + 1;
            lines.push((BOTH, line));
        } else {
            lines.push(("  nginx  ", line));
        }
    }
    lines.extend(ours[at..].iter().map(|own| ("  pingosd", *own)));
    let mut out = String::new();
    for run in lines.chunk_by(|one, other| (one.0 == BOTH) == (other.0 == BOTH)) {
        let is_long = run[0].0 == BOTH && run.len() > SHOWN_OF_BOTH;
        let ends = SHOWN_OF_BOTH / 2;
        for (number, (side, line)) in run.iter().enumerate() {
            if !is_long || number < ends || number >= run.len() - ends {
                out.push_str(&format!("{side} | {line}\n"));
            } else if number == ends {
                out.push_str(&format!("{BOTH} | ({} lines)\n", run.len() - 2 * ends));
            }
        }
    }
    out
}

/// Stands before lines that both sides have.
const BOTH: &str = "         ";

/// Longer runs of them are shortened.
const SHOWN_OF_BOTH: usize = 16;

fn print_exchange(exchange: &Exchange, expected: &str, our: &str) {
    println!("---- sent");
    for step in &exchange.steps {
        match step {
            Step::Send(bytes) => {
                let text: String = String::from_utf8_lossy(bytes).chars().take(2000).collect();
                println!("{}", text.replace("\r\n", "\\r\\n\n"));
            }
            Step::Pause => {}
            Step::Read(count) => println!("(waits for {count})"),
            Step::Interim => println!("(waits for 1xx)"),
            Step::Shut => println!("(closes its side)"),
            Step::Beside(bytes) => println!("(beside) {}", String::from_utf8_lossy(bytes).escape_default()),
        }
    }
    if expected == our {
        println!("---- both\n{our}");
    } else {
        println!("---- differs\n{}", sides(expected, our));
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

/// The lines around the one that a message names.
fn excerpt(conf: &str, message: &str) -> String {
    let number = message.lines().find_map(|line| line.rsplit_once(':')?.1.trim().parse::<usize>().ok());
    let Some(number) = number else { return String::new() };
    let first = number.saturating_sub(6);
    let lines = conf.lines().enumerate().skip(first).take(9);
    lines.map(|(at, line)| format!("{:5} {line}\n", at + 1)).collect()
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
