//! Table of options and commands, from which help, manual page and shell completions are generated.

use std::fmt::Write;

/// An option, or a command.
#[derive(Clone, Copy, Debug)]
pub struct HelpEntry {
    /// Name, without the `-` of an option.
    pub word: &'static str,
    /// Argument: the kind of value of an option, or the arguments of a command.
    pub takes: &'static str,
    /// Description in one line.
    pub text: &'static str,
}

const fn entry(word: &'static str, takes: &'static str, text: &'static str) -> HelpEntry {
    HelpEntry { word, takes, text }
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
    entry("callback", "test file:line", "send a marked test request of a callback line"),
    entry("completion", "bash|fish|zsh", "print a shell completion script"),
    entry("confirm", "", "confirm a reload that was started with --confirm"),
    entry(
        "ctl",
        "[--json] verb [method] [argument=value ...]",
        "send a control request to the running server; without a verb, list them",
    ),
    entry("directives", "[--man|name]", "print the manual of all directives, or of one"),
    entry(
        "explain",
        "server/app[/name]|file:line",
        "show the values in force for a client, or explain a line",
    ),
    entry("fmt", "[--check|--write] [file]", "format a configuration file"),
    entry("help", "[--man]", "print this help"),
    entry("json", "[--combine|--to-conf] [file]", "convert a configuration to JSON, or back"),
    entry("lints", "", "list the warnings of -t by name"),
    entry("migrate-check", "[--json] [--all] [file]", "report which directives of a configuration work here"),
    entry("plan", "", "show what a reload would change"),
    entry("reload", "[--confirm time]", "reload and show the changes; roll back unless confirmed in time"),
    entry("rollback", "", "return to the preceding configuration"),
    entry("status", "[callbacks|streams] [--json] [--watch]", "show the state of the running server"),
    entry("top", "", "show streams and clients live"),
];

/// The help text.
pub fn text() -> String {
    let mut out = String::from(
        "Usage: pingosd [-?hvVtTq] [-s signal] [-p prefix] [-e filename] [-c filename] [-g directives]\n       \
         pingosd command [words] [-p prefix] [-c filename] [-g directives]\n\nOptions:\n",
    );
    for HelpEntry { word, takes, text } in OPTIONS {
        let name = match *word {
            "h" => "-?,-h".to_owned(),
            _ => format!("-{word} {takes}"),
        };
        let _ = writeln!(out, "  {name:<13} : {text}");
    }
    out.push_str("\nCommands:\n");
    let shown = |entry: &HelpEntry| format!("{} {}", entry.word, entry.takes).trim_end().to_owned();
    let width = COMMANDS.iter().map(|entry| shown(entry).len()).max().unwrap_or_default();
    for entry in COMMANDS {
        let _ = writeln!(out, "  {:<width$} : {}", shown(entry), entry.text);
    }
    out
}

impl HelpEntry {
    /// Switches among the arguments of a command, such as `--check`.
    pub fn switches(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.takes.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        parts.filter(|part| part.starts_with("--"))
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
    fn switches_are_found_in_what_follows() {
        let fmt = COMMANDS.iter().find(|entry| entry.word == "fmt").unwrap();
        assert_eq!(fmt.switches().collect::<Vec<_>>(), ["--check", "--write"]);
    }
}
