//! Lints about access rules.

use bstr::ByteSlice;

use super::finding::{Finding, LintContext};
use crate::directive::ListenAddr;
use crate::directive::address::{Network, literal_addrs};
use crate::directive::context::{HTTP_SERVER, LOCATION, RTMP_ALL};
use crate::directive::outline::OutlineStatement;
use crate::http::listen::DEFAULT_PORT;
use crate::http::variable::{self, Variable};
use crate::syntax::{Problem, sentence};

/// One `allow` or `deny` line.
struct LintedRule<'o, 't> {
    statement: &'o OutlineStatement<'t>,
    allow: bool,
    /// `publish` or `play`; `None` for both, and for everything in http.
    action: Option<&'t [u8]>,
    all: bool,
    /// Whether it applies to this machine only.
    local: bool,
}

pub(super) fn allow_without_deny_all(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    for section in 0..outline.sections.len() {
        let own: Vec<LintedRule<'_, '_>> = rules(scope, section).collect();
        if !own.iter().any(|rule| rule.allow) {
            continue;
        }
        let count = own.len();
        // In rtmp the outer rules follow the inner ones; in http the inner ones replace them.
        let joined = outline.sections[section].context & RTMP_ALL != 0;
        let outer = outline.around(section).skip(1).filter(|_| joined);
        let list: Vec<LintedRule<'_, '_>> =
            own.into_iter().chain(outer.flat_map(|at| rules(scope, at))).collect();
        // Index of the last `deny` for publishing or playing.
        let last_deny = |action: &[u8]| {
            list.iter().rposition(|rule| !rule.allow && rule.action.is_none_or(|a| a == action)).unwrap_or(0)
        };
        let (publish, play) = (last_deny(b"publish"), last_deny(b"play"));
        let open = list.iter().take(count).enumerate().find(|(at, rule)| {
            let last = match rule.action {
                Some(b"publish") => publish,
                Some(_) => play,
                None => publish.max(play),
            };
            rule.allow && !rule.all && last < *at + 1
        });
        if let Some((_, LintedRule { statement, action, .. })) = open {
            let problem =
                Problem::warning("\"allow\" is not followed by a \"deny\", so every client is admitted");
            let deny = match action {
                Some(action) => format!("deny {} all;", String::from_utf8_lossy(action)),
                None => "deny all;".into(),
            };
            findings.push(Finding::new(statement, problem.help(format!("add `{deny}` after it"))));
        }
    }
}

/// Access rules of a block.
fn rules<'o, 't>(scope: &'o LintContext<'t>, section: usize) -> impl Iterator<Item = LintedRule<'o, 't>> {
    scope.outline.own(section, "allow").filter_map(|statement| {
        let (action, network) = match statement.words() {
            [network] => (None, network),
            [action, network] => (Some(&action.bytes[..]), network),
            _ => return None,
        };
        let parsed = Network::parse(&network.bytes).map(|(network, _)| network);
        let all = parsed == Some(Network::All);
        let local = &network.bytes[..] == b"unix:" || parsed.as_ref().is_some_and(Network::is_loopback);
        Some(LintedRule { statement, allow: &statement.name().bytes[..] == b"allow", action, all, local })
    })
}

pub(super) fn open_control(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    for section in outline.of(LOCATION) {
        let handler = |name| outline.own(section, name).last();
        // A console shows everything, and is reached by other machines, only with these parameters.
        let has = |statement: &OutlineStatement<'_>, word: &[u8]| {
            statement.words().iter().any(|own| own.bytes[..] == *word)
        };
        let open_console = handler("rtmp_console").filter(|console| has(console, b"everything=all"));
        let names = ["rtmp_control", "rtmp_stat", "sys_stat", "rtmp_metrics", "rtmp_snapshot"];
        let Some(statement) = open_console.or_else(|| names.into_iter().find_map(handler)) else { continue };
        if is_guarded(scope, section) {
            continue;
        }
        let Some(listener) = public_listener(scope, section) else { continue };
        let what = if statement.is("rtmp_control") {
            "can send control requests"
        } else if statement.is("rtmp_snapshot") {
            "can see pictures of all streams"
        } else if !statement.is("rtmp_console") {
            "can see the statistics"
        } else if has(statement, b"control") {
            "can see everything, reload the configuration and end sessions"
        } else {
            "can see everything"
        };
        let name = &statement.name().bytes;
        let text = sentence(&[
            b"\"",
            name,
            b"\" is open: every client that reaches ",
            listener.as_bytes(),
            b" ",
            what.as_bytes(),
        ]);
        let help = "add `allow 127.0.0.1; deny all;`, or listen on 127.0.0.1";
        findings.push(Finding::new(statement, Problem::warning(text).help(help)));
    }
}

pub(super) fn control_on_all_addresses(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    for section in outline.of(LOCATION) {
        let Some(statement) = outline.own(section, "rtmp_control").last() else { continue };
        // The lint above reports open ones.
        if !is_guarded(scope, section) || is_local(scope, section) {
            continue;
        }
        let listen = outline.up_to(section, HTTP_SERVER).and_then(|server| {
            let mut listens = outline.own(server, "listen");
            listens.find(|listen| listen.words().first().is_some_and(|word| is_wildcard(&word.bytes)))
        });
        let Some(listen) = listen else { continue };
        let problem = Problem::warning("control requests are taken on all addresses of this machine")
            .label(listen.node.span(), "it listens here");
        let help =
            "a separate server, for example with `listen 127.0.0.1:8081;`, keeps them off public addresses";
        findings.push(Finding::new(statement, problem.help(help)));
    }
}

/// Whether a location admits only this machine, or no client at all.
fn is_local(scope: &LintContext<'_>, section: usize) -> bool {
    let outline = &scope.outline;
    if outline.own(section, "internal").next().is_some() || outline.own(section, "return").next().is_some() {
        return true;
    }
    let Some(ruled) = outline.around(section).find(|at| outline.own(*at, "allow").next().is_some()) else {
        return false;
    };
    let mut rules = rules(scope, ruled);
    // The first rule about all addresses decides; the rules before it must concern this machine or refuse.
    rules.find(|rule| rule.all || (rule.allow && !rule.local)).is_some_and(|rule| !rule.allow)
}

/// Whether an address to listen on is a wildcard.
fn is_wildcard(address: &[u8]) -> bool {
    literal_addrs(address, DEFAULT_PORT).is_ok_and(|addrs| addrs.iter().any(ListenAddr::is_wildcard))
}

/// Whether a location refuses any client.
fn is_guarded(scope: &LintContext<'_>, section: usize) -> bool {
    let outline = &scope.outline;
    let has = |name| outline.own(section, name).next().is_some();
    let ruled = outline.around(section).find(|at| outline.own(*at, "allow").next().is_some());
    let denies = ruled.is_some_and(|at| rules(scope, at).any(|rule| !rule.allow));
    let is_on = |name| {
        let statement = outline.nearest(section, name);
        statement.is_some_and(|statement| statement.words().first().is_some_and(|w| &w.bytes[..] != b"off"))
    };
    let asks = is_on("auth_basic") || is_on("auth_request");
    // Optional certificates refuse no client.
    let verify = outline.nearest(section, "ssl_verify_client");
    let verifies = verify.is_some_and(OutlineStatement::is_on) && is_encrypted(scope, section);
    let server = outline.up_to(section, HTTP_SERVER);
    let around = outline.around(section).take_while(|at| Some(*at) != server).chain(server);
    let refuses = around.into_iter().any(|at| refuses_some(scope, at));
    denies || asks || verifies || refuses || has("internal") || has("return")
}

/// Whether every socket of a location's server is encrypted: a certificate is asked for on these only.
fn is_encrypted(scope: &LintContext<'_>, section: usize) -> bool {
    let outline = &scope.outline;
    let Some(server) = outline.up_to(section, HTTP_SERVER) else { return false };
    let mut listens = outline.own(server, "listen").peekable();
    listens.peek().is_some()
        && listens.all(|listen| listen.words().iter().skip(1).any(|word| &word.bytes[..] == b"ssl"))
}

/// Whether a block has an `if` about the identity of the client that refuses requests.
fn refuses_some(scope: &LintContext<'_>, section: usize) -> bool {
    let outline = &scope.outline;
    outline.sections[section].inner.iter().any(|at| {
        let inner = &outline.sections[*at];
        let is_if = inner.head.and_then(|head| head.words().first()).is_some_and(|name| name.is("if"));
        let is_about_client =
            || inner.words().iter().flat_map(|word| variable::names(&word.bytes)).any(identifies_client);
        let refuses = || {
            outline.own(*at, "return").any(|statement| {
                let status =
                    statement.words().first().and_then(|word| word.bytes.to_str().ok()?.parse().ok());
                status.is_some_and(|status: u16| (400..600).contains(&status))
            })
        };
        is_if && is_about_client() && refuses()
    })
}

/// Whether a variable may tell the identity of the client, rather than what it requests.
fn identifies_client(name: &[u8]) -> bool {
    const FIXED: [&[u8]; 7] = [
        b"binary_remote_addr",
        b"invalid_referer",
        b"proxy_protocol_addr",
        b"realip_remote_addr",
        b"remote_addr",
        b"remote_user",
        b"secure_link",
    ];
    const PREFIXES: [&[u8]; 4] = [b"arg_", b"cookie_", b"http_", b"ssl_client_"];
    let name = name.to_ascii_lowercase();
    // What `geo`, `map` or `set` have made may be about anything.
    let is_made = || matches!(Variable::find(&name.clone().into()), Variable::User(_));
    FIXED.contains(&&name[..]) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_made()
}

/// An address of a location's server that other machines can reach.
fn public_listener(scope: &LintContext<'_>, section: usize) -> Option<String> {
    let outline = &scope.outline;
    let server = outline.up_to(section, HTTP_SERVER)?;
    let mut listens = outline.own(server, "listen").peekable();
    if listens.peek().is_none() {
        return Some(format!("port {DEFAULT_PORT}"));
    }
    listens.find_map(|statement| {
        let word = statement.words().first()?;
        match literal_addrs(&word.bytes, DEFAULT_PORT).as_deref() {
            Ok([ListenAddr::Tcp(addr), ..]) if !addr.ip().to_canonical().is_loopback() => {
                Some(addr.to_string())
            }
            Err(_) if !word.bytes.starts_with(b"localhost") => Some(word.text().to_string()),
            _ => None,
        }
    })
}
