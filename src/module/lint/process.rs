//! Lints about directives for multiple worker processes.

use super::finding::{Finding, LintContext};
use crate::directive::context::UPSTREAM;
use crate::directive::number;
use crate::directive::outline::OutlineStatement;
use crate::limits;
use crate::syntax::Problem;

/// Directives that only share streams between processes.
const NEEDLESS: [&str; 4] = ["inner_proxy", "rtmp_auto_pull", "rtmp_auto_pull_port", "stream_zone"];
/// Maximum number of further lines to mark.
const MAX_LABELS: usize = 8;

/// One warning for all of them, because they belong together.
pub(super) fn needless_multi_process(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    let outline = &scope.outline;
    let mut needless: Vec<&OutlineStatement<'_>> =
        outline.statements.iter().filter(|s| NEEDLESS.iter().any(|name| s.is(name))).collect();
    let bases: Vec<&[u8]> = outline
        .statements
        .iter()
        .filter(|s| s.is("multi_listen"))
        .filter_map(|s| s.words().first().map(|w| &w.bytes[..]))
        .collect();
    for section in outline.of(UPSTREAM) {
        let servers = outline.own(section, "server").filter(|s| is_worker(s, &bases));
        // The first worker's line must be kept.
        needless.extend(servers.skip(1));
    }
    needless.sort_by_key(|statement| statement.node.order());
    let Some((first, others)) = needless.split_first() else { return };
    let mut problem = Problem::warning("there are no worker processes that must find one another");
    for other in others.iter().filter(|o| o.name().span.file == first.name().span.file).take(MAX_LABELS) {
        problem = problem.label(other.node.span(), "");
    }
    let help = match others.len() {
        0 => "the line does not matter and can go".into(),
        more => format!("this line and {more} more do not matter and can go"),
    };
    findings.push(Finding::new(first, problem.help(help)));
}

pub(super) fn fast_reload(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for statement in scope.outline.statements.iter().filter(|statement| statement.is("fast_reload")) {
        if statement.is_on() {
            let problem =
                Problem::warning("\"fast_reload\" ends every publisher and every player at each reload");
            let help = "without it they go on, and follow what has changed";
            findings.push(Finding::new(statement, problem.help(help)));
        }
    }
}

/// Whether an upstream's server is the socket of a worker.
fn is_worker(statement: &OutlineStatement<'_>, bases: &[&[u8]]) -> bool {
    let Some(address) = statement.words().first() else { return false };
    bases.iter().any(|base| {
        let unix = address.bytes.strip_prefix(*base).and_then(|rest| rest.strip_prefix(b"."));
        if let Some(slot) = unix {
            return number::digits(slot).is_some();
        }
        let (Some(base), Some(port)) = (port(base), port(&address.bytes)) else { return false };
        (base..base.saturating_add(limits::WORKERS as u64)).contains(&port) && is_local(&address.bytes)
    })
}

fn port(address: &[u8]) -> Option<u64> {
    number::digits(address.rsplit(|b| *b == b':').next()?)
}

fn is_local(address: &[u8]) -> bool {
    address.starts_with(b"127.") || address.starts_with(b"localhost:") || address.starts_with(b"[::1]")
}
