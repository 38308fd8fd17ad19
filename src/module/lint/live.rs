//! Lints about live locations.

use super::finding::{Finding, LintContext};
use super::pull::{application, listened};
use crate::directive::ListenAddr;
use crate::directive::address::literal_addr;
use crate::directive::context::{LOCATION, RTMP_SERVER};
use crate::directive::outline::OutlineStatement;
use crate::media::listen::DEFAULT_PORT;
use crate::syntax::{Problem, sentence};

const HANDLERS: [&str; 3] = ["flv_live", "ts_live", "hls2_live"];
/// Directives that refuse requests of a location and of nested ones.
const GUARDS: [&str; 3] = ["allow", "valid_referers", "auth_basic"];
/// Status codes from which on a response is a refusal.
const REFUSES: u64 = 400;

/// A location with a live handler.
struct LiveLocation<'o, 't> {
    statement: &'o OutlineStatement<'t>,
    port: Option<u16>,
    guarded: bool,
}

pub(super) fn guard_by_location(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    let locations: Vec<LiveLocation<'_, '_>> = outline
        .of(LOCATION)
        .filter_map(|section| {
            let statement = HANDLERS.iter().find_map(|name| outline.own(section, name).last())?;
            let guarded = outline.around(section).any(|at| is_guarded(scope, at));
            Some(LiveLocation { statement, port: port(statement), guarded })
        })
        .collect();
    for LiveLocation { statement, port, .. } in
        locations.iter().filter(|live| live.guarded && live.port.is_some())
    {
        if !statement.words().iter().any(|word| word.bytes.starts_with(b"app=")) {
            continue;
        }
        let Some(open) = locations.iter().find(|other| !other.guarded && other.port == *port) else {
            continue;
        };
        let text = sentence(&[
            b"what guards this location does not guard its streams: \"?app=\" asks another \"",
            &open.statement.name().bytes,
            b"\" for them",
        ]);
        let problem = Problem::warning(text).label(open.statement.node.span(), "this one is open");
        let help =
            "`allow`, `deny` or `on_play` of the application protect its streams wherever they are asked for";
        findings.push(Finding::new(statement, problem.help(help)));
    }
}

/// `app=` of a live handler names an application that its port does not have, or that makes no HLS.
pub(super) fn live_without_application(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    for section in outline.of(LOCATION) {
        for statement in HANDLERS.iter().flat_map(|name| outline.own(section, name)) {
            let Some(port) = port(statement) else { continue };
            let named = statement.words().iter().find_map(|word| word.bytes.strip_prefix(b"app="));
            let Some(name) = named.filter(|name| !name.contains(&b'$')) else { continue };
            let servers: Vec<usize> =
                outline.of(RTMP_SERVER).filter(|server| listens_on(scope, *server, port)).collect();
            let found: Vec<usize> =
                servers.iter().filter_map(|server| application(scope, *server, name)).collect();
            let makes_hls = |at: &usize| outline.nearest(*at, "hls2").is_some_and(OutlineStatement::is_on);
            let text = if servers.is_empty() {
                // Another warning names the port.
                continue;
            } else if found.is_empty() {
                sentence(&[b"no application \"", name, b"\" is on the port of this line"])
            } else if statement.is("hls2_live") && !found.iter().any(makes_hls) {
                sentence(&[b"application \"", name, b"\" makes no HLS: it has no \"hls2 on\""])
            } else {
                continue;
            };
            findings.push(Finding::new(statement, Problem::warning(text)));
        }
    }
}

/// Whether a server of `rtmp` listens on a port, for certain.
fn listens_on(scope: &LintContext<'_>, server: usize, port: u16) -> bool {
    match listened(scope, server) {
        None => port == DEFAULT_PORT,
        Some(mut all) => all.any(|addr| matches!(addr, ListenAddr::Tcp(addr) if addr.port() == port)),
    }
}

/// Whether a block itself refuses some requests.
fn is_guarded(scope: &LintContext<'_>, section: usize) -> bool {
    let outline = &scope.outline;
    let refuses = |at: usize| {
        outline.own(at, "return").any(|statement| {
            let status = statement.words().first().and_then(|word| std::str::from_utf8(&word.bytes).ok());
            status.and_then(|status| status.parse::<u64>().ok()).is_some_and(|status| status >= REFUSES)
        })
    };
    let conditions = outline.sections[section].inner.iter().filter(|at| {
        let head = outline.sections[**at].head.and_then(|head| head.words().first());
        head.is_some_and(|name| &name.bytes[..] == b"if")
    });
    GUARDS.iter().any(|name| outline.own(section, name).next().is_some()) || conditions.copied().any(refuses)
}

/// Port of the rtmp server to which a handler refers.
fn port(statement: &OutlineStatement<'_>) -> Option<u16> {
    match literal_addr(&statement.words().first()?.bytes, 0) {
        Ok(ListenAddr::Tcp(addr)) => Some(addr.port()),
        _ => None,
    }
}
