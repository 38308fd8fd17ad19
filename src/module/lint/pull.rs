//! Lint about relays that return to their origin.

use std::net::IpAddr;

use bstr::ByteSlice;

use super::finding::{Finding, LintContext};
use crate::directive::ListenAddr;
use crate::directive::address::literal_addrs;
use crate::directive::context::{APPLICATION, RTMP_SERVER};
use crate::directive::outline::OutlineStatement;
use crate::directive::server_name::host_name;
use crate::media::listen::DEFAULT_PORT;
use crate::syntax::Problem;

/// Maximum number of relays to examine; each search may visit all of them. Larger configurations are generated.
const MAX_EDGES: usize = 1_000;

/// A relay line whose address belongs to an application of this configuration.
struct LocalRelay<'o, 't> {
    statement: &'o OutlineStatement<'t>,
    from: usize,
    to: usize,
}

pub(super) fn pull_loop(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for kind in ["pull", "push"] {
        let edges = edges(scope, kind);
        for edge in &edges {
            let Some(back) = way_back(&edges, edge) else { continue };
            let same = back.from == edge.from && back.to == edge.to;
            let text = if same {
                format!("\"{kind}\" leads to the application it stands in")
            } else {
                format!("\"{kind}\" leads back to the application it stands in")
            };
            let mut problem = Problem::warning(text);
            if !same {
                problem = problem.label(back.statement.node.span(), "through this relay");
            }
            let help = "`app=`, or the path of the address, names another application";
            findings.push(Finding::new(edge.statement, problem.help(help)));
        }
    }
}

/// Last relay of a path from `first` back to its origin; `first` itself if it leads there directly.
fn way_back<'e, 'o, 't>(
    edges: &'e [LocalRelay<'o, 't>],
    first: &'e LocalRelay<'o, 't>,
) -> Option<&'e LocalRelay<'o, 't>> {
    let mut seen = vec![first.from];
    let mut open = vec![first];
    while let Some(edge) = open.pop() {
        if edge.to == first.from {
            return Some(edge);
        }
        if !seen.contains(&edge.to) {
            seen.push(edge.to);
            open.extend(edges.iter().filter(|next| next.from == edge.to));
        }
    }
    None
}

fn edges<'o, 't>(scope: &'o LintContext<'t>, kind: &str) -> Vec<LocalRelay<'o, 't>> {
    let mut edges = Vec::new();
    let servers: Vec<usize> = scope.outline.of(RTMP_SERVER).collect();
    for statement in scope.outline.statements.iter().filter(|s| s.is(kind)) {
        if edges.len() >= MAX_EDGES {
            break;
        }
        let from = statement.section;
        let parameter = |name: &[u8]| {
            statement.words().iter().find_map(|w| {
                let (key, value) = w.bytes.split_once_str("=")?;
                key.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        let own = scope.outline.sections[from].words().first().map(|w| &w.bytes[..]);
        for word in statement.words() {
            let Some(RtmpParts { host, port, app }) = rtmp_parts(&word.bytes) else { continue };
            let Some(app) = parameter(b"app").or(app).or(own) else { continue };
            let domain = parameter(b"domain").unwrap_or(host);
            let server = server(scope, &servers, host, port, domain);
            let to = server.and_then(|server| application(scope, server, app));
            edges.extend(to.map(|to| LocalRelay { statement, from, to }));
        }
    }
    edges
}

/// Parts of an `rtmp://` address.
struct RtmpParts<'u> {
    host: &'u [u8],
    port: u16,
    app: Option<&'u [u8]>,
}

fn rtmp_parts(url: &[u8]) -> Option<RtmpParts<'_>> {
    let (scheme, rest) = url.split_once_str("://")?;
    if !scheme.eq_ignore_ascii_case(b"rtmp") {
        return None;
    }
    let mut parts = rest.split(|b| *b == b'?').next()?.split(|b| *b == b'/');
    let authority = parts.next()?;
    let colon = authority.rfind_byte(b':').filter(|at| !authority[*at..].contains(&b']'));
    let (host, port) = match colon {
        Some(at) => (&authority[..at], std::str::from_utf8(&authority[at + 1..]).ok()?.parse().ok()?),
        None => (authority, DEFAULT_PORT),
    };
    let host = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    Some(RtmpParts { host, port, app: parts.next().filter(|app| !app.is_empty()) })
}

/// Addresses of a server of `rtmp` that its lines with `listen` certainly name; `None` without such lines, which is the default port.
pub(super) fn listened<'o>(
    scope: &'o LintContext<'_>,
    server: usize,
) -> Option<impl Iterator<Item = ListenAddr> + 'o> {
    let mut listens = scope.outline.own(server, "listen").peekable();
    listens.peek()?;
    Some(listens.filter_map(|s| literal_addrs(&s.words().first()?.bytes, DEFAULT_PORT).ok()).flatten())
}

/// Server of this configuration at an address, if the address certainly belongs to it.
fn server(
    scope: &LintContext<'_>,
    servers: &[usize],
    host: &[u8],
    port: u16,
    domain: &[u8],
) -> Option<usize> {
    let ip = host.to_str().ok().and_then(|h| h.parse::<IpAddr>().ok());
    let own_name = host.eq_ignore_ascii_case(b"localhost") || host.to_ascii_lowercase() == host_name();
    let here = |section: &&usize| {
        let named = || names(scope, **section).any(|name| name.eq_ignore_ascii_case(host));
        let this_machine = ip.is_some_and(|ip| ip.is_loopback()) || own_name;
        let reached = |addr: ListenAddr| match addr {
            ListenAddr::Tcp(addr) if addr.port() == port => {
                Some(addr.ip()) == ip
                    || (addr.ip().is_unspecified() || addr.ip().is_loopback()) && this_machine
                    || named()
            }
            _ => false,
        };
        match listened(scope, **section) {
            None => port == DEFAULT_PORT && (this_machine || named()),
            Some(mut all) => all.any(reached),
        }
    };
    let candidates: Vec<usize> = servers.iter().filter(here).copied().collect();
    let named = candidates.iter().find(|at| names(scope, **at).any(|name| name.eq_ignore_ascii_case(domain)));
    named.or(candidates.first()).copied()
}

fn names<'o>(scope: &'o LintContext<'_>, server: usize) -> impl Iterator<Item = &'o [u8]> {
    scope.outline.own(server, "server_name").flat_map(|statement| statement.words()).map(|w| &w.bytes[..])
}

/// The application with this name, otherwise the one named `*`.
pub(super) fn application(scope: &LintContext<'_>, server: usize, name: &[u8]) -> Option<usize> {
    let sections = &scope.outline.sections;
    let find = |name: &[u8]| {
        let mut inner = sections[server].inner.iter().filter(|at| sections[**at].context == APPLICATION);
        inner.find(|at| sections[**at].words().first().is_some_and(|w| &w.bytes[..] == name)).copied()
    };
    find(name).or_else(|| find(b"*"))
}
