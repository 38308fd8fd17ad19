//! Lints: warnings about settings that are valid but probably not intended.
//!
//! A lint examines a configuration without errors and warns under a stable name. The comment `# pingosd: allow NAME`
//! silences it; see [`allow`].

mod access;
pub mod allow;
mod exec;
mod finding;
mod hls;
pub mod host;
mod live;
mod notify;
mod path;
mod process;
mod pull;
mod tls;
mod variable;

use std::fmt::Write;

use crate::directive::BaseDirectories;
use crate::directive::registry::Registry;
use crate::syntax::reading::Reading;
use crate::syntax::{Problem, Severity};
use allow::AllowComments;
use finding::{Finding, LintContext};

/// A lint.
pub struct Lint {
    /// Name in warnings and comments.
    pub name: &'static str,
    /// What it warns of, and why.
    pub about: &'static str,
    check: fn(&LintContext<'_>, &mut Vec<Finding>),
}

/// Configurations with more statements are not linted: they are generated, and lints compare statements with one
/// another.
const MAX_STATEMENTS: u32 = 200_000;

/// Every lint, in the order of the manual.
pub const LINTS: &[Lint] = &[
    Lint {
        name: "allow-without-deny-all",
        about: "An `allow` without a following `deny` excludes no client: clients that match no rule are admitted.",
        check: access::allow_without_deny_all,
    },
    Lint {
        name: "certificate-expired",
        about: "A certificate of `ssl_certificate` has expired or is not valid yet.",
        check: tls::certificate_expired,
    },
    Lint {
        name: "certificate-mismatch",
        about: "A key of `ssl_certificate_key` does not match the certificate; TLS handshakes will fail.",
        check: tls::certificate_mismatch,
    },
    Lint {
        name: "certificate-unreadable",
        about: "A file of `ssl_certificate` or `ssl_certificate_key` does not exist, or contains no certificate or key.",
        check: tls::certificate_unreadable,
    },
    Lint {
        name: "control-on-all-addresses",
        about: "Control requests are accepted on all addresses, and not only from this machine.",
        check: access::control_on_all_addresses,
    },
    Lint {
        name: "empty-variable",
        about: "A variable of `http { }` that is not implemented, or `$1` to `$9` where no regular expression has that many \
                groups, is always empty.",
        check: variable::empty_variable,
    },
    Lint {
        name: "exec-unquoted-name",
        about: "A value that clients choose, such as the stream name, is part of a shell script, or begins a word of a \
                command, where it can become an option or a redirection.",
        check: exec::unquoted_name,
    },
    Lint {
        name: "fast-reload",
        about: "`fast_reload` ends all sessions at each reload that changes anything, which is not necessary here.",
        check: process::fast_reload,
    },
    Lint {
        name: "guarded-by-location",
        about: "A location with `if`, `deny` or `valid_referers` serves the streams of an application by `app=`, but another \
                location without such a guard serves streams of the same port, and a request can select the application \
                there by `?app=`.",
        check: live::guard_by_location,
    },
    Lint {
        name: "hls-path-twice",
        about: "Two applications write HLS or DASH files to the same directory; streams with the same name overwrite each other.",
        check: hls::path_twice,
    },
    Lint {
        name: "live-without-application",
        about: "`app=` of `flv_live`, `ts_live` or `hls2_live` names an application that the port does not have, or `hls2_live` one without `hls2 on`: \
                requests get 404.",
        check: live::live_without_application,
    },
    Lint {
        name: "needless-multi-process",
        about: "Directives for communication between worker processes. There is only one process here; remove them.",
        check: process::needless_multi_process,
    },
    Lint {
        name: "on-meta-beside-on-push",
        about: "`on_meta` is not used in an application that has `on_push`.",
        check: notify::on_meta_beside_on_push,
    },
    Lint {
        name: "open-control",
        about: "Control requests, statistics, a console or pictures are available to any client that reaches the server: no `deny`, no \
                `auth_basic`, no `auth_request`, no certificates of clients, no `if` that refuses some of them, no `internal`, and a \
                listener that is not restricted to this machine.",
        check: access::open_control,
    },
    Lint {
        name: "pull-loop",
        about: "A `pull` or `push` leads back to its own application, so that the stream would feed itself.",
        check: pull::pull_loop,
    },
    Lint {
        name: "short-playlist",
        about: "A playlist of fewer than three fragments makes players stall, because they begin three fragments before its end.",
        check: hls::short_playlist,
    },
    Lint {
        name: "unknown-lint",
        about: "A comment `# pingosd: allow NAME` names an unknown lint.",
        check: |_, _| {},
    },
    Lint {
        name: "unresolved-host",
        about: "The host of a callback or relay cannot be resolved at present. Checked by `-t` (not with `-q`) for at most \
                two seconds; never an error, because the server resolves hosts again when needed.",
        check: |_, _| {},
    },
    Lint {
        name: "unwritable-path",
        about: "The user of the server cannot write files of streams to the directory of `record_path`, which must exist, or of \
                `hls_path`, `hls_key_path`, `dash_path` or `live_record_path`, or cannot make it. Permission bits are considered, \
                lists of access rights (ACL) are not.",
        check: path::unwritable_path,
    },
];

/// Runs all lints. Returns the warnings that comments do not silence, each with the number of its statement.
pub fn lint(reading: &Reading, bases: &BaseDirectories, registry: &Registry) -> Vec<(u32, Problem)> {
    if reading.tree.len() > MAX_STATEMENTS {
        let text = format!("more than {MAX_STATEMENTS} statements: nothing was linted");
        return vec![(0, Problem::new(text).level(Severity::Notice))];
    }
    let scope = LintContext::new(&reading.tree, &reading.sources, bases, registry);
    let mut allowed = AllowComments::new(&reading.sources);
    let mut problems = Vec::new();
    for lint in LINTS {
        let mut findings = Vec::new();
        (lint.check)(&scope, &mut findings);
        let found = findings.into_iter().filter(|f| !allowed.allows(lint.name, f, &scope));
        problems.extend(found.map(|f| f.tagged(lint.name)));
    }
    problems.extend(
        allow::unknown(&scope, LINTS.iter().map(|lint| lint.name))
            .into_iter()
            .map(|(order, problem)| (order, problem.tagged("unknown-lint"))),
    );
    problems
}

/// Table of all lints in Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# Lints\n\nWarnings of `pingosd -t`. Each warning ends with the lint's name in brackets. The comment\n\n    \
         # pingosd: allow NAME, NAME\n\nsilences lints for a statement (on its line or on the line before), for a whole block \
         (directly after its `{`), or\nfor a whole file (before its first statement).\n\n| name | warns of |\n| --- | --- |\n",
    );
    for lint in LINTS {
        let _ = writeln!(out, "| `{}` | {} |", lint.name, lint.about);
    }
    out
}
