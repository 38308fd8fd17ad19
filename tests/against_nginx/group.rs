//! Both servers with the entries of a file: they are started, asked, and compared.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pcre2::bytes::Regex;
use pingosd::net::http2::PREFACE;

use crate::difference::{excerpt, first_difference, print_exchange, sides, summary, targets, without};
use crate::entry::{Entry, Step};
use crate::render::{Renderer, by_name};
use crate::run::{Difference, Outcome, Settings};
use crate::side::{Ports, Side, Which};
use crate::support::certificates::Certificates;
use crate::talk::{Talk, Target, talk};
use crate::{talk_frames, talk_http2};

/// The entries of a file, and the two servers that have them all.
pub struct Group {
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
    pub fn new(chosen: Vec<(Entry, String)>, settings: &Settings) -> Group {
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

    pub fn outcomes(mut self, settings: &Settings, (at_once, pause): (usize, Duration)) -> Vec<Outcome> {
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
            let (their_errors, our_errors) = (theirs.errors, ours.errors);
            let (theirs, ours) = (without(&theirs.log, &of_own), without(&ours.log, &of_own));
            if settings.only.is_some() {
                println!("---- access log of nginx\n{theirs}\n---- access log of pingosd\n{ours}");
            }
            if theirs != ours {
                let text =
                    format!("access log: {}\n{}", first_difference(&theirs, &ours), sides(&theirs, &ours));
                differences.push(Difference { part: "#log".to_owned(), text });
            }
            let unlike: Vec<Regex> =
                entry.unlike_errors.iter().map(|(_, pattern)| Regex::new(pattern).unwrap()).collect();
            let like = |errors: &str| {
                let is_like =
                    |line: &&str| unlike.iter().all(|unlike| !unlike.is_match(line.as_bytes()).unwrap());
                let lines: Vec<&str> = errors.lines().filter(is_like).collect();
                without(&lines.join("\n"), &of_own)
            };
            let (theirs, ours) = (like(&their_errors), like(&our_errors));
            if theirs != ours {
                let text =
                    format!("error log: {}\n{}", first_difference(&theirs, &ours), sides(&theirs, &ours));
                differences.push(Difference { part: "#errors".to_owned(), text });
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

/// What one server did with an entry.
struct SideResult {
    results: Vec<String>,
    /// As `results`, without product or name in the lengths of pages that HEAD did not get.
    evened: [Vec<String>; 2],
    log: String,
    errors: String,
}

/// So many exchanges without an answer, and the rest of the entry is not tried.
const SILENT: usize = 2;

fn parts(members: &[Member], takes: impl Fn(&Member) -> bool) -> Vec<(&Entry, &Ports)> {
    members.iter().filter(|member| takes(member)).map(|member| (&member.entry, &member.ports)).collect()
}

fn address(side: &Side, member: &Member) -> std::net::SocketAddr {
    match side.target(&member.entry, &member.ports, crate::entry::Listener::Port(0)) {
        Target::Tcp(address) => address,
        Target::Unix(_) => unreachable!("a port is no path"),
    }
}

/// Whether an exchange begins with the preface of HTTP/2.
fn is_frames(steps: &[Step]) -> bool {
    matches!(steps.first(), Some(Step::Send(bytes)) if bytes.starts_with(PREFACE))
}

/// Lets one server answer all exchanges of an entry.
fn exchange(side: &Side, member: &Member, pause: Duration) -> Vec<Talk> {
    let mut silent = 0;
    let mut talks = Vec::new();
    for exchange in &member.entry.exchanges {
        let target = side.target(&member.entry, &member.ports, exchange.listener);
        let talk = match member.entry.is_http2 {
            true if is_frames(&exchange.steps) => talk_frames::talk(&target, &exchange.steps, pause),
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

fn deed(side: &Side, member: &Member, talks: &[Talk], masks: &[(Regex, &'static str)]) -> SideResult {
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
    let errors = renderer.errors(&side.errors(&member.entry), side.which);
    SideResult { results, evened, log, errors }
}
