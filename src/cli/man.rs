//! Manual pages pingosd(8) and pingosd.conf(5), in roff.

use std::fmt::Write;

use super::help::{COMMANDS, OPTIONS};
use crate::directive::context;
use crate::directive::registry::Registry;
use crate::directive::table::{Class, Row, Shape};

/// pingosd(8).
pub fn program() -> String {
    let mut out = header("PINGOSD", 8);
    out.push_str(".SH NAME\npingosd \\- live\\-media server\n.SH SYNOPSIS\n.B pingosd\n");
    for option in OPTIONS {
        let _ = writeln!(out, "[{}]", flag(option.word, option.takes));
    }
    out.push_str(".br\n.B pingosd\n.I command\n.RI [ words ]\n");
    out.push_str(DESCRIPTION);
    out.push_str(".SH OPTIONS\n");
    for option in OPTIONS {
        let _ = writeln!(out, ".TP\n{}\n{}", flag(option.word, option.takes), escaped(option.text));
    }
    out.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let takes =
            if command.takes.is_empty() { String::new() } else { format!(" {}", escaped(command.takes)) };
        let _ = writeln!(out, ".TP\n\\fB{}\\fR{takes}\n{}", escaped(command.word), escaped(command.text));
    }
    out.push_str(REST);
    out
}

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
        ".\\\" Made from the tables of the program, see packaging/README.md.\n.TH {name} {section} \"\" \"pingosd {}\"\n.nh\n",
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
        Shape::Simple => ";",
        Shape::Free => "",
        Shape::Opens(_) => " { ... }",
    };
    let blank = if syntax.is_empty() { "" } else { " " };
    let _ = writeln!(out, ".TP\n\\fB{}\\fR{blank}{}{end}", escaped(row.name()), escaped(&syntax));
    if let [_, aliases @ ..] = row.names
        && !aliases.is_empty()
    {
        let _ = writeln!(out, "Also {}.", escaped(&aliases.join(", ")));
    }
    let _ = writeln!(out, "{}", paragraph(row.doc));
    let places: Vec<&str> = context::names(row.contexts).collect();
    let _ = writeln!(out, "In {}.", escaped(&places.join(", ")));
    if let Some(default) = row.default {
        let default = if default.is_empty() { "\"\"" } else { default };
        let _ = writeln!(out, "Default: {}.", escaped(default));
    }
    let effect = match row.class {
        _ if row.inert && row.restricts.is_some() => &format!("Checked, but {}.", row.refusal()),
        _ if row.inert => "Checked, but has no effect yet.",
        Class::Block | Class::Later => return,
        Class::Needless => "Checked, but does not matter here.",
        Class::Live => "A reload changes it at once.",
        Class::Restart => "A change takes effect at the next start.",
        Class::Session => "A reload changes it for new sessions.",
    };
    let _ = writeln!(out, "{effect}");
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
takes live streams over RTMP and gives them to players over RTMP, HTTP\-FLV, MPEG\-TS and HLS.
It is configured in nginx's language, see
.BR pingosd.conf (5),
asks HTTP servers of yours who may publish and play, and takes on a new configuration without ending a session.
Without a configuration file it runs on a built\-in one: RTMP on port 1935, HTTP on port 8080.
"#;

const REST: &str = r#".SH SIGNALS
.TP
.BR TERM ", " INT
End all sessions, tell the callback servers, exit.
.TP
.B QUIT
Accept no more connections, let the sessions end by themselves, for
.B worker_shutdown_timeout
at most, exit.
.TP
.B HUP
Use the configuration anew.
On any error nothing changes, and the error log says why.
.TP
.B USR1
Open log files anew.
.TP
.B USR2
Start the program anew with the listening sockets.
Both processes accept connections; the pid file of this one is renamed to end in
.BR .oldbin .
Then
.B QUIT
lets this process end with its sessions, or
.B WINCH
stops it accepting,
.B HUP
lets it accept again and
.B QUIT
to the new process takes the upgrade back.
If the new process ends, this one goes on in its place.
.TP
.B WINCH
Accept no more connections until
.BR HUP .
.SH ENVIRONMENT
.TP
.B NOTIFY_SOCKET\fR, \fBWATCHDOG_USEC\fR, \fBWATCHDOG_PID
The service manager that is told of the start, reloads and the end, and that all threads are alive.
Under a service manager the server does not detach, whatever
.B daemon
says.
.TP
.B LISTEN_FDS\fR, \fBLISTEN_PID
Listening sockets that the process was started with; each is used for the
.B listen
with its address.
.TP
.B NO_COLOR
No colours in messages.
.SH FILES
.TP
.I /usr/local/pingos/conf/nginx.conf
The configuration, if there is one.
.TP
.I /etc/pingosd/pingosd.conf
The configuration else, with the prefix
.IR /var/lib/pingosd/ .
.TP
.I PREFIX/generations/
The last ten configurations that were in force, with all included files, for
.B pingosd rollback
also after a restart; see
.B conf_generations
in
.BR pingosd.conf (5).
The numbers of generations go on over restarts.
.SH EXIT STATUS
0 on success, 1 on any error.
.SH EXAMPLES
.nf
pingosd \-t \-c FILE          test a configuration
pingosd \-s reload           use it anew
pingosd explain FILE:12     say what line 12 means
.fi
.SH SEE ALSO
.BR pingosd.conf (5),
.BR systemctl (1)
"#;

const LANGUAGE: &str = r#".SH DESCRIPTION
The file is made of directives.
A simple directive is a name and words, ended by
.BR ; .
A block directive has other directives between
.B {
and
.B }
instead.
A word may stand between quotes.
From
.B #
to the end of the line is comment.
.B include
.I file
takes other files in at its place, all that match if the name is a pattern.
.PP
Sizes may end in k and m (and g where offsets are meant), times in ms, s, m, h and d.
Relative paths start at the prefix, those of included files at the directory of the main file.
.PP
.B pingosd \-t
tests a file and tells all mistakes,
.B pingosd directives
.I name
prints an entry of this page.
"#;
