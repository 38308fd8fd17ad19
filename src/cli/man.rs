//! Manual pages pingosd(8) and pingosd.conf(5), in roff.

use std::fmt::Write;

use super::help::{COMMANDS, EXIT_STATUSES, OPTIONS};
use crate::directive::context;
use crate::directive::registry::Registry;
use crate::directive::table::{ReloadClass, Row, StatementShape};
use crate::modules::CONTROL_VERBS;

/// pingosd(8).
pub fn program() -> String {
    let mut out = header("PINGOSD", 8);
    out.push_str(".SH NAME\npingosd \\- live\\-media server\n.SH SYNOPSIS\n.B pingosd\n");
    for option in OPTIONS {
        let _ = writeln!(out, "[{}]", flag(option.word, option.takes));
    }
    out.push_str(".br\n.B pingosd\n.I command\n.RI [ arguments ]\n");
    out.push_str(DESCRIPTION);
    out.push_str(".SH OPTIONS\n");
    for option in OPTIONS {
        let _ = writeln!(out, ".TP\n{}\n{}", flag(option.word, option.takes), escaped(option.text));
    }
    out.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let takes =
            if command.takes.is_empty() { String::new() } else { format!(" {}", escaped(command.takes)) };
        let _ = writeln!(out, ".TP\n\\fB{}\\fR{takes}\n{}.", escaped(command.word), escaped(command.text));
        for line in command.more {
            // Examples keep their lines.
            let lead = if line.starts_with(' ') { ".br\n" } else { "" };
            let _ = writeln!(out, "{lead}{}", paragraph(&[line.trim_start()]));
        }
    }
    out.push_str(".SH CONTROL REQUESTS\n");
    out.push_str(&paragraph(CONTROL));
    out.push('\n');
    for verb in CONTROL_VERBS {
        let _ = writeln!(
            out,
            ".TP\n\\fB{}\\fR {}\n{}",
            escaped(verb.name),
            escaped(verb.takes),
            escaped(verb.text)
        );
    }
    let (before, after) = REST;
    out.push_str(before);
    out.push_str(".SH EXIT STATUS\nOptions end with 0 or 1, as in nginx. Commands end with\n");
    for (code, text) in EXIT_STATUSES {
        let _ = writeln!(out, ".TP\n.B {code}\n{text}");
    }
    out.push_str(after);
    out
}

/// What `pingosd ctl` has in common for all verbs.
const CONTROL: &[&str] = &[
    "The verbs of `ctl`. Arguments select sessions: `srv=` the serverid, `app=` the application, `name=` the stream,",
    "`clientid=` the number of the connection, `addr=` the address of the client. Only root and the server's own user",
    "may send them. `--json` prints the answer as one JSON object.",
];

/// pingosd.conf(5): every directive.
pub fn directives(registry: &Registry) -> String {
    let mut out = header("PINGOSD.CONF", 5);
    out.push_str(".SH NAME\npingosd.conf \\- configuration of pingosd\n");
    out.push_str(LANGUAGE);
    out.push_str(".SH DIRECTIVES\n");
    for module in registry.modules() {
        let _ = writeln!(out, ".SS {}\n{}", escaped(module.name), paragraph(module.about));
        for row in module.rows {
            describe(row, &mut out);
        }
    }
    out.push_str(".SH SEE ALSO\n.BR pingosd (8)\n");
    out
}

fn header(name: &str, section: u8) -> String {
    // No date, so that the same table generates the same page.
    format!(
        ".\\\" Generated from the tables of the program, see packaging/README.md.\n.TH {name} {section} \"\" \"pingosd {}\"\n.nh\n",
        escaped(env!("CARGO_PKG_VERSION"))
    )
}

fn flag(word: &str, takes: &str) -> String {
    match takes {
        "" => format!("\\fB\\-{word}\\fR"),
        takes => format!("\\fB\\-{word}\\fR \\fI{takes}\\fR"),
    }
}

fn describe(row: &Row, out: &mut String) {
    let syntax = (row.syntax)();
    let end = match row.shape {
        StatementShape::Simple => ";",
        StatementShape::Free => "",
        StatementShape::Opens(_) => " { ... }",
    };
    let blank = if syntax.is_empty() { "" } else { " " };
    let _ = writeln!(out, ".TP\n\\fB{}\\fR{blank}{}{end}", escaped(row.name()), escaped(&syntax));
    if let [_, aliases @ ..] = row.names
        && !aliases.is_empty()
    {
        let _ = writeln!(out, "Also {}.", escaped(&aliases.join(", ")));
    }
    let _ = writeln!(out, "{}", paragraph(row.text()));
    let places: Vec<&str> = context::names(row.contexts).collect();
    let _ = writeln!(out, "In {}.", escaped(&places.join(", ")));
    if let Some(default) = row.default {
        let default = if default.is_empty() { "\"\"" } else { default };
        let _ = writeln!(out, "Default: {}.", escaped(default));
    }
    if let Some(example) = row.example() {
        let _ = writeln!(out, "Example: \\fB{}\\fR", escaped(example));
    }
    let effect = match row.class {
        _ if row.inert && row.restricts.is_some() => &format!("The directive {}.", row.refusal()),
        _ if row.inert => "The directive has no effect yet.",
        ReloadClass::Block | ReloadClass::Later => "",
        ReloadClass::Needless => "The server checks the line and does not need it.",
        ReloadClass::Live => "A reload changes it at once.",
        ReloadClass::Restart => "A change takes effect at the next start.",
        ReloadClass::Session => "A reload changes it for new sessions.",
    };
    if !effect.is_empty() {
        let _ = writeln!(out, "{effect}");
    }
    if let Some(difference) = row.difference() {
        let _ = writeln!(out, "{}", paragraph(difference));
    }
}

/// Lines of documentation; text between backticks is bold.
fn paragraph(lines: &[&str]) -> String {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n");
    let mut out = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part = escaped(part);
        match number % 2 {
            1 => out.push_str(&format!("\\fB{part}\\fR")),
            _ => out.push_str(&part),
        }
    }
    // A line that begins with these characters would be a request.
    out.lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Escapes literal text.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

const DESCRIPTION: &str = r#".SH DESCRIPTION
.B pingosd
receives live streams over RTMP and delivers them to players over RTMP, HTTP\-FLV, MPEG\-TS and HLS.
It is configured in nginx's language, see
.BR pingosd.conf (5),
authorises publishers and players through HTTP callbacks, and applies a new configuration without ending sessions.
Without a configuration file it uses a built\-in one: RTMP on port 1935, HTTP on port 8080.
"#;

const REST: (&str, &str) = (
    r#".SH SIGNALS
.TP
.BR TERM ", " INT
End all sessions, notify the callback servers, exit.
.TP
.B QUIT
Accept no more connections, wait until all sessions have ended, at most for
.BR worker_shutdown_timeout ,
exit.
.TP
.B HUP
Reload the configuration.
On any error nothing changes, and the reason is logged.
.TP
.B USR1
Reopen log files, also those of the other process during an upgrade.
.TP
.B USR2
Start a new process of the program's file, by the path by which it was started, with the listening sockets.
As root with a
.BR user ,
only if no other user may change that file and all directories above it.
Both processes accept connections; the pid file of the old one gets the suffix
.BR .oldbin .
Then
.B QUIT
makes the old process exit after its sessions. Alternatively,
.B WINCH
makes it stop accepting,
.B HUP
makes it accept again, and
.B QUIT
to the new process cancels the upgrade.
Publishers move when they connect again; those that support it (Enhanced RTMP) are asked to by
.BR QUIT .
If the new process exits, the old one replaces it again, unless it was told to exit.
Meanwhile each of them finds the streams of the other through their control sockets, and a stream name has one publisher in both.
.TP
.B WINCH
Accept no more connections until
.BR HUP .
.SH ENVIRONMENT
.TP
.B NOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR, \fBWATCHDOG_PID
Service manager, which is notified of the start, reloads and the end, and by its watchdog that all threads are alive.
Under a service manager the server does not detach, regardless of
.BR daemon .
.TP
.B LISTEN_FDS\fR, \fBLISTEN_PID
Listening sockets passed to the process; each is used for the
.B listen
line with its address.
.TP
.B NO_COLOR
Disables colours in messages.
.SH FILES
.TP
.I /usr/local/pingos/conf/nginx.conf
The configuration, if the file exists.
.TP
.I /etc/pingosd/pingosd.conf
Otherwise the configuration, with the prefix
.IR /var/lib/pingosd/ .
.TP
.I PREFIX/generations/
The last ten configurations that were in force, with all included files, for
.B pingosd rollback
even after a restart; see
.B conf_generations
in
.BR pingosd.conf (5).
The numbers of generations continue across restarts.
"#,
    r#".SH EXAMPLES
.nf
pingosd \-t \-c FILE          test a configuration
pingosd \-s reload           apply changes
pingosd explain FILE:12     explain line 12
.fi
.SH SEE ALSO
.BR pingosd.conf (5),
.BR systemctl (1)
"#,
);

const LANGUAGE: &str = r#".SH DESCRIPTION
The file consists of directives.
A simple directive is a name with arguments, terminated by
.BR ; .
A block directive has nested directives between
.B {
and
.B }
instead.
Arguments may be quoted.
A comment extends from
.B #
to the end of the line.
.B include
.I file
inserts another file; a pattern inserts all matching files.
.PP
Sizes are in bytes, or with k or m (and g for offsets); times have the suffixes ms, s, m, h, d and w, and are in seconds without one.
Relative paths refer to the prefix, those of included files to the directory of the main file.
.PP
.B pingosd \-t
tests a file and reports all errors;
.B pingosd directives
.I name
prints an entry of this page.
"#;
