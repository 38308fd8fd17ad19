//! Lint about hosts of callbacks and relays without an address.
//!
//! Only `-t` resolves hosts: starts and reloads do not wait for name servers. A configuration that names all hosts by
//! address costs only a scan of its text.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use bstr::ByteSlice;

use super::allow::AllowComments;
use super::finding::{Finding, LintContext};
use crate::config::load::bases;
use crate::config::{Config, LoadOptions};
use crate::directive::outline::OutlineStatement;
use crate::limits::{LINTED_HOSTS, LINTED_HOSTS_WAIT};
use crate::syntax::report::Reports;
use crate::syntax::{Diagnostic, Problem};

/// Name of this lint.
const NAME: &str = "unresolved-host";

/// Resolves the hosts of a valid configuration.
pub fn unresolved(options: &LoadOptions, config: &Config) -> Vec<Diagnostic> {
    if !config.sources.files().iter().any(|file| may_name(&file.bytes)) {
        return Vec::new();
    }
    let bases = bases(options);
    let scope = LintContext::new(&config.tree, &config.sources, &bases, options.language.registry());
    let named: Vec<(&OutlineStatement<'_>, String)> =
        scope.outline.statements.iter().flat_map(hosts).collect();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in &named {
        if names.len() < LINTED_HOSTS && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let failed = look_up(names);

    let mut allowed = AllowComments::new(&config.sources);
    let mut reports = Reports::default();
    for (statement, name) in named {
        let Some((_, reason)) = failed.iter().find(|(failed, _)| *failed == name) else { continue };
        let problem = Problem::warning(format!("host \"{name}\" is not found")).caption(reason);
        let finding = Finding::new(statement, problem.help("the server resolves it again when needed"));
        if !allowed.allows(NAME, &finding, &scope) {
            let (order, problem) = finding.tagged(NAME);
            reports.add(order, problem);
        }
    }
    reports.into_sorted()
}

/// Whether a text may contain a URL whose host is not an address.
fn may_name(text: &[u8]) -> bool {
    text.find_iter("://").any(|at| {
        let authority = text[at + 3..].split(|b| b"/?; \t\r\n".contains(b)).next().unwrap_or_default();
        authority.iter().any(|b| !b.is_ascii_digit() && !matches!(b, b'.' | b':'))
    })
}

/// Hosts that a statement about callbacks or relays names.
fn hosts<'o, 't>(statement: &'o OutlineStatement<'t>) -> Vec<(&'o OutlineStatement<'t>, String)> {
    let ours = statement.entry.is_some_and(|e| matches!(e.module.name, "notify" | "notify main" | "relay"));
    let host = |word: &[u8]| {
        let (scheme, rest) = word.split_once_str("://")?;
        let known =
            [&b"http"[..], b"https", b"rtmp", b"rtmps"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        let authority = rest.split(|b| matches!(b, b'/' | b'?')).next()?;
        let host = authority.split(|b| *b == b':').next()?.to_str().ok()?;
        let name = known && !host.is_empty() && !host.starts_with('[') && host.parse::<IpAddr>().is_err();
        name.then(|| host.to_owned())
    };
    let words = statement.words().iter().filter(|_| ours);
    words.filter_map(|word| Some((statement, host(&word.bytes)?))).collect()
}

/// Names without an address, with the reason. Threads still waiting when the time is over are abandoned.
fn look_up(names: Vec<String>) -> Vec<(String, String)> {
    let (sender, answers) = mpsc::channel();
    let mut waiting = names.clone();
    for name in names {
        let sender = sender.clone();
        thread::spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs().map(|mut addrs| addrs.next().is_some());
            // After that the receiver is gone.
            let _ = sender.send((name, found));
        });
    }
    drop(sender);
    let deadline = Instant::now() + LINTED_HOSTS_WAIT;
    let mut failed = Vec::new();
    while let Ok((name, found)) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        waiting.retain(|w| *w != name);
        match found {
            Ok(true) => {}
            Ok(false) => failed.push((name, "it has no address".into())),
            Err(error) => failed.push((name, error.to_string())),
        }
    }
    let late = format!("no answer for {}s", LINTED_HOSTS_WAIT.as_secs());
    failed.extend(waiting.into_iter().map(|name| (name, late.clone())));
    failed
}
