//! Table of options and commands, from which help, manual page, usage lines and shell completions are generated.

use std::fmt::Write;

use crate::syntax::suggest;

/// An option, or a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelpEntry {
    /// Name, without the `-` of an option.
    pub word: &'static str,
    /// Argument: the kind of value of an option, or the arguments of a command.
    pub takes: &'static str,
    /// Description in one line.
    pub text: &'static str,
    /// What else to know of a command, in lines.
    pub more: &'static [&'static str],
}

const fn entry(word: &'static str, takes: &'static str, text: &'static str) -> HelpEntry {
    command(word, takes, text, &[])
}

const fn command(
    word: &'static str,
    takes: &'static str,
    text: &'static str,
    more: &'static [&'static str],
) -> HelpEntry {
    HelpEntry { word, takes, text, more }
}

/// nginx's options.
pub const OPTIONS: &[HelpEntry] = &[
    entry("h", "", "this help"),
    entry("v", "", "show version and exit"),
    entry("V", "", "show version and configure options then exit"),
    entry("t", "", "test configuration and exit; with -v, also report directives without meaning here"),
    entry("T", "", "test configuration, dump it and exit"),
    entry("q", "", "suppress non-error messages during configuration testing"),
    entry("s", "signal", "send signal to a master process: stop, quit, reopen, reload [--no-wait]"),
    entry("p", "prefix", "set prefix path (default: /usr/local/pingos/)"),
    entry("e", "filename", "set error log file (default: logs/error.log)"),
    entry("c", "filename", "set configuration file (default: conf/nginx.conf)"),
    entry("g", "directives", "set global directives out of configuration file"),
];

/// Arguments of `-s`.
pub const SIGNALS: &[&str] = &["stop", "quit", "reopen", "reload"];

/// Commands that are words.
pub const COMMANDS: &[HelpEntry] = &[
    command(
        "callback",
        "test file:line",
        "send a marked test request of a callback line",
        &[
            "Sends the request of the callback line (on_publish, on_play, ...) at this place, for a stream that does not exist, and",
            "shows the answer and what the server would decide. The request has the header X-Pingosd-Probe: 1. The running server",
            "sends it, or this command if none runs. The exit status is 1 if the answer refuses or fails.",
        ],
    ),
    command(
        "cluster",
        "apply file|rollback|status|streams|nodes [--group name] [--new] [--canary count] [--timeout time] [--json]",
        "configure a group of servers, or show the cluster",
        &[
            "apply writes a configuration for the servers with `cluster_conf GROUP;` to etcd and waits until each has applied or",
            "refused it. Files that it includes are put in place. etcd is the one of the `cluster` block of the configuration (-c).",
            "A group that no server takes and that has no configuration is refused without --new, since it may be a typing error.",
            "With --canary 1 one server after the other tries it, and at the first refusal all return to the one before. rollback",
            "returns a group to the configuration before the current one. status, streams and nodes ask the running server; status",
            "with --group shows what etcd has of a group. The exit status is 1 if a server refuses or does not answer within",
            "--timeout (60s). Examples:",
            "  pingosd cluster apply edge.conf --group edge --canary 1",
            "  pingosd cluster status --group edge",
        ],
    ),
    command(
        "completion",
        "bash|fish|zsh",
        "print a shell completion script",
        &["For bash: pingosd completion bash > /etc/bash_completion.d/pingosd"],
    ),
    command("confirm", "", "confirm a reload that was started with --confirm", &[]),
    command(
        "ctl",
        "[--json] [verb] [method] [argument=value ...]",
        "send a control request to the running server; without a verb, list them",
        &[
            "Verbs, methods and arguments are those of rtmp_control. Examples:",
            "  pingosd ctl drop publisher app=live name=demo",
            "  pingosd ctl ban 192.0.2.7 for 10m",
        ],
    ),
    command("directives", "[--man|name]", "print the manual of all directives, or of one", &[]),
    command(
        "explain",
        "server[:port]/app[/name]|http://server[:port]/path|file:line",
        "show the values in force for a client, or explain a line",
        &[
            "Examples:",
            "  pingosd explain localhost/live/demo",
            "  pingosd explain http://localhost:8080/live/demo.flv",
            "  pingosd explain nginx.conf:12",
        ],
    ),
    command(
        "fmt",
        "[--check|--write] [file|-]",
        "format a configuration file",
        &[
            "Prints the formatted file. --write replaces the file instead; --check prints the differences and exits with status 1 if",
            "there are any.",
        ],
    ),
    command(
        "help",
        "[--man|command]",
        "print this help, or that of a command",
        &["--man prints the manual page pingosd(8) in roff."],
    ),
    command(
        "json",
        "[--combine|--to-conf] [file|-]",
        "convert a configuration to JSON, or back",
        &[
            "The JSON has the shape of nginx's crossplane. --combine puts included files in place; --to-conf reads JSON.",
        ],
    ),
    command("lints", "", "list the warnings of -t by name", &[]),
    command(
        "migrate-check",
        "[--json] [--all] [file]",
        "report which directives of a configuration work here",
        &["The exit status is 1 if a directive has no effect, is refused or is unknown."],
    ),
    command(
        "plan",
        "[-q]",
        "show what a reload would change",
        &[
            "Nothing is changed. -q leaves out the warnings. The exit status is 1 if the reload would be refused.",
        ],
    ),
    command(
        "reload",
        "[--confirm time] [-q]",
        "reload and show the changes; roll back unless confirmed in time",
        &[
            "On any error nothing changes, and the exit status is 1. If the files hold what is in force already, nothing changes and",
            "the exit status is 0. With --confirm 60s the server rolls back by itself after 60s unless `pingosd confirm` comes before.",
            "-q leaves out the warnings.",
        ],
    ),
    command(
        "rollback",
        "[--write]",
        "return to the preceding configuration",
        &[
            "The files keep what they hold, so the next reload would use it again. --write also writes the configuration in force",
            "to its files. After a rollback, it only does that and does not roll back further.",
        ],
    ),
    command(
        "status",
        "[callbacks|streams] [--json] [--watch]",
        "show the state of the running server",
        &["--watch repeats it every 2s. The exit status is 3 if no server runs."],
    ),
    command("top", "", "show streams and clients live", &["Press q to end it."]),
];

/// Exit statuses of commands that are words. As in nginx, options end with 0 or 1.
pub const EXIT_STATUSES: &[(u8, &str)] = &[
    (0, "done; also if there was nothing to change"),
    (1, "failed or refused"),
    (super::exit::USAGE, "the command line is wrong"),
    (super::exit::NOT_RUNNING, "no server is running"),
    (super::exit::NOT_PERMITTED, "not permitted: the server belongs to another user"),
];

/// The help text.
pub fn text() -> String {
    let mut out = String::from(
        "Usage: pingosd [-?hvVtTq] [-s signal] [-p prefix] [-e filename] [-c filename] [-g directives]\n       \
         pingosd command [words] [-p prefix] [-c filename] [-g directives]\n\nOptions:\n",
    );
    for HelpEntry { word, takes, text, .. } in OPTIONS {
        let name = match *word {
            "h" => "-?,-h,--help".to_owned(),
            "v" => "-v,--version".to_owned(),
            _ => format!("-{word} {takes}"),
        };
        let _ = writeln!(out, "  {name:<13} : {text}");
    }
    out.push_str("\nCommands:\n");
    let width = COMMANDS.iter().map(|entry| entry.word.len()).max().unwrap_or_default();
    for entry in COMMANDS {
        let _ = writeln!(out, "  {:<width$} : {}", entry.word, entry.text);
    }
    out.push_str("\nWhat a command takes: pingosd help COMMAND\n");
    out
}

impl HelpEntry {
    /// The command with this name.
    pub fn of_command(word: &str) -> Option<&'static HelpEntry> {
        COMMANDS.iter().find(|entry| entry.word == word)
    }

    /// The command with the most similar name, for a misspelled one.
    pub fn nearest_command(word: &[u8]) -> Option<&'static str> {
        suggest::nearest(word, COMMANDS.iter().map(|entry| entry.word))
    }

    /// Usage of a command.
    pub fn usage(&self) -> String {
        format!("usage: pingosd {} {}", self.word, self.takes).trim_end().to_owned() + "\n"
    }

    /// Help of a command.
    pub fn help(&self) -> String {
        let mut out = self.usage();
        let mut text = self.text.to_owned();
        text[..1].make_ascii_uppercase();
        let _ = writeln!(out, "\n{text}.");
        for line in self.more {
            let _ = writeln!(out, "{line}");
        }
        out.push_str("\nExit status:\n");
        for (code, text) in EXIT_STATUSES {
            let _ = writeln!(out, "  {code}  {text}");
        }
        out
    }

    /// Switches among the arguments of a command, such as `--check`.
    pub fn switches(&self) -> impl Iterator<Item = &'static str> {
        self.parts().filter(|part| part.starts_with('-') && part.len() > 1)
    }

    /// Words that a command takes literally, such as `callbacks` in `[callbacks|streams]`.
    pub fn literals(&self) -> impl Iterator<Item = &'static str> {
        const PLACEHOLDERS: &[&str] = &[
            "argument=value",
            "command",
            "count",
            "file",
            "file:line",
            "method",
            "name",
            "server",
            "time",
            "verb",
            "...",
        ];
        let is_literal = |part: &&str| part.bytes().all(|byte| byte.is_ascii_lowercase());
        self.parts().filter(is_literal).filter(|part| !PLACEHOLDERS.contains(part))
    }

    fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.takes.split(['[', ']', '|', ' ']).filter(|part| !part.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::Name;

    #[test]
    fn the_table_names_what_there_is() {
        let mut known: Vec<&str> = Name::words().chain(["directives"]).collect();
        known.sort_unstable();
        let told: Vec<&str> = COMMANDS.iter().map(|entry| entry.word).collect();
        assert_eq!(told, known);
    }

    #[test]
    fn what_a_command_takes_is_taken_apart() {
        let of = |word| HelpEntry::of_command(word).unwrap();
        assert_eq!(of("fmt").switches().collect::<Vec<_>>(), ["--check", "--write"]);
        assert_eq!(of("status").literals().collect::<Vec<_>>(), ["callbacks", "streams"]);
        assert_eq!(of("callback").literals().collect::<Vec<_>>(), ["test"]);
        assert_eq!(of("explain").literals().count(), 0);
        assert_eq!(of("completion").literals().collect::<Vec<_>>(), ["bash", "fish", "zsh"]);
    }
}
