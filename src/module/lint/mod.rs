//! What is allowed and probably not meant.
//!
//! A lint looks at a configuration without errors and warns under a name that never changes. The comment
//! `# pingosd: allow NAME` silences it; see [`allow`].

mod access;
pub mod allow;
mod exec;
mod hls;
pub mod host;
mod live;
mod notify;
mod process;
mod pull;
mod tls;
mod variable;

use std::fmt::Write;

use crate::directive::Bases;
use crate::directive::outline::{Outline, Said};
use crate::modules::REGISTRY;
use crate::syntax::parser::Reading;
use crate::syntax::{Level, Problem, Sources, Span};
use allow::Allowed;

/// What every lint looks at.
pub struct Scope<'t> {
    /// The blocks and statements.
    pub outline: Outline<'t>,
    /// The texts.
    pub sources: &'t Sources,
    /// Where relative paths start.
    pub bases: &'t Bases,
}

/// A lint.
pub struct Lint {
    /// The name in warnings and comments.
    pub name: &'static str,
    /// What it warns of, and why that matters.
    pub about: &'static str,
    check: fn(&Scope<'_>, &mut Vec<Finding>),
}

/// Something to warn of.
pub struct Finding {
    /// The statement meant.
    order: u32,
    /// The block whose comments may silence it, beside the statement's own.
    section: usize,
    place: Span,
    /// Where the statement begins.
    start: Span,
    problem: Problem,
}

/// A configuration with more statements is written by a program; lints compare statements with one another.
const MAX_STATEMENTS: u32 = 200_000;

/// Every lint, in the order of the manual.
pub const LINTS: &[Lint] = &[
    Lint {
        name: "allow-without-deny-all",
        about: "An `allow` that no `deny` follows keeps nobody out: whoever meets no rule is let in.",
        check: access::allow_without_deny_all,
    },
    Lint {
        name: "certificate-expired",
        about: "The certificate of `ssl_certificate` is no longer valid, or not yet.",
        check: tls::certificate_expired,
    },
    Lint {
        name: "certificate-mismatch",
        about: "The key of `ssl_certificate_key` is not that of the certificate; no connection can be encrypted.",
        check: tls::certificate_mismatch,
    },
    Lint {
        name: "certificate-unreadable",
        about: "A file of `ssl_certificate` or `ssl_certificate_key` is not there, or holds no certificate or key.",
        check: tls::certificate_unreadable,
    },
    Lint {
        name: "control-on-all-addresses",
        about: "Control requests are taken by a listener bound to all addresses, and not only from this machine.",
        check: access::control_on_all_addresses,
    },
    Lint {
        name: "empty-variable",
        about: "A variable of `http { }` that has no value yet, or `$1` to `$9` where no regular expression has that many \
                groups, is always empty.",
        check: variable::empty_variable,
    },
    Lint {
        name: "exec-unquoted-name",
        about: "What a client chooses, such as the stream's name, becomes part of a shell's script, or begins a word of \
                a command, where it can be an option or a redirection.",
        check: exec::unquoted_name,
    },
    Lint {
        name: "fast-reload",
        about: "`fast_reload` ends every session at each reload that changes anything; nothing here needs that.",
        check: process::fast_reload,
    },
    Lint {
        name: "guarded-by-location",
        about: "A location with `if`, `deny` or `valid_referers` shows the streams of an application by `app=`, while another \
                location without a guard shows streams of the same port: `?app=` of a request asks that one for them.",
        check: live::guard_by_location,
    },
    Lint {
        name: "hls-path-twice",
        about: "Two applications write HLS or DASH to the same directory; streams of the same name overwrite each other.",
        check: hls::path_twice,
    },
    Lint {
        name: "needless-multi-process",
        about: "Lines that let worker processes find one another. There is one process here; they can go.",
        check: process::needless_multi_process,
    },
    Lint {
        name: "on-meta-beside-on-push",
        about: "`on_meta` is not used in an application that has `on_push`.",
        check: notify::on_meta_beside_on_push,
    },
    Lint {
        name: "open-control",
        about: "Control requests or statistics can be asked by everybody who reaches the server: no `deny`, no \
                `auth_basic`, no `internal`, and a listener that is not only for this machine.",
        check: access::open_control,
    },
    Lint {
        name: "pull-loop",
        about: "A `pull` or `push` comes back to the application it stands in: the stream would chase itself.",
        check: pull::pull_loop,
    },
    Lint {
        name: "short-playlist",
        about: "A playlist of fewer than three fragments makes players stall: they begin three fragments before its end.",
        check: hls::short_playlist,
    },
    Lint {
        name: "unknown-lint",
        about: "A comment `# pingosd: allow NAME` names no lint.",
        check: |_, _| {},
    },
    Lint {
        name: "unresolved-host",
        about: "The host of a callback or relay has no address now. Looked up by `-t` (not with `-q`), for two seconds at \
                most; it is never an error, and the server asks anew each time.",
        check: |_, _| {},
    },
];

/// Everything the lints find in a reading, except what comments allow; each with the number of its statement.
pub fn lint(reading: &Reading, bases: &Bases) -> Vec<(u32, Problem)> {
    if reading.tree.len() > MAX_STATEMENTS {
        let text = format!("more than {MAX_STATEMENTS} statements: nothing was linted");
        return vec![(0, Problem::new(text).level(Level::Notice))];
    }
    let scope = Scope::new(reading, bases);
    let mut allowed = Allowed::new(&reading.sources);
    let mut problems = Vec::new();
    for lint in LINTS {
        let mut findings = Vec::new();
        (lint.check)(&scope, &mut findings);
        let found = findings.into_iter().filter(|f| !allowed.allows(lint.name, f, &scope));
        problems.extend(found.map(|f| f.tagged(lint.name)));
    }
    problems.extend(
        allow::unknown(&scope).into_iter().map(|(order, problem)| (order, problem.tagged("unknown-lint"))),
    );
    problems
}

/// The table of all lints as Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# Lints\n\n`pingosd -t` warns of these. Each warning ends with the lint's name in brackets. The comment\n\n    \
         # pingosd: allow NAME, NAME\n\nsilences lints of a statement: on its line or on the line before; of a whole block: \
         directly after its `{`; of a\nwhole file: before its first statement.\n\n| name | warns of |\n| --- | --- |\n",
    );
    for lint in LINTS {
        let _ = writeln!(out, "| `{}` | {} |", lint.name, lint.about);
    }
    out
}

impl<'t> Scope<'t> {
    /// Prepares a reading for lints.
    pub fn new(reading: &'t Reading, bases: &'t Bases) -> Scope<'t> {
        Scope { outline: Outline::new(&reading.tree, &REGISTRY), sources: &reading.sources, bases }
    }
}

impl Finding {
    /// A finding about a statement.
    fn new(said: &Said<'_>, problem: Problem) -> Finding {
        Finding {
            order: said.node.order(),
            section: said.opens.unwrap_or(said.section),
            place: said.node.terminator(),
            start: said.name().span,
            problem: problem.at(said.node.span()),
        }
    }

    fn tagged(self, name: &str) -> (u32, Problem) {
        let help = format!("`# pingosd: allow {name}` on the line before silences this");
        (self.order, self.problem.place(self.place).help(help).tagged(name))
    }
}
