//! The table of options and commands: help, the manual page and the completions of shells are made of it.

use std::fmt::Write;

/// An option, or a command.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The word itself, without the `-` of an option.
    pub word: &'static str,
    /// What follows it: the kind of value of an option, the words of a command.
    pub takes: &'static str,
    /// What it does, in one line.
    pub text: &'static str,
}

const fn entry(word: &'static str, takes: &'static str, text: &'static str) -> Entry {
    Entry { word, takes, text }
}

/// nginx's options.
pub const OPTIONS: &[Entry] = &[
    entry("h", "", "this help"),
    entry("v", "", "show version and exit"),
    entry("V", "", "show version and configure options then exit"),
    entry("t", "", "test configuration and exit; with -v, tell also of directives that do not matter"),
    entry("T", "", "test configuration, dump it and exit"),
    entry("q", "", "suppress non-error messages during configuration testing"),
    entry("s", "signal", "send signal to a master process: stop, quit, reopen, reload [--no-wait]"),
    entry("p", "prefix", "set prefix path (default: /usr/local/pingos/)"),
    entry("e", "filename", "set error log file (default: logs/error.log)"),
    entry("c", "filename", "set configuration file (default: conf/nginx.conf)"),
    entry("g", "directives", "set global directives out of configuration file"),
];

/// Words of `-s`.
pub const SIGNALS: &[&str] = &["stop", "quit", "reopen", "reload"];

/// Commands that are words.
pub const COMMANDS: &[Entry] = &[
    entry("callback", "test file:line", "send a marked request of that callback line"),
    entry("completion", "bash|fish|zsh", "print what makes a shell complete these words"),
    entry("confirm", "", "keep what a reload with --confirm has brought"),
    entry("directives", "[--man|name]", "print the manual of all directives, or of one"),
    entry(
        "explain",
        "server/app[/name]|file:line",
        "which values count for a client and why, or what a line means",
    ),
    entry("fmt", "[--check|--write] [file]", "lay a configuration out anew"),
    entry("help", "[--man]", "print this help"),
    entry("json", "[--combine|--to-conf] [file]", "print a configuration as JSON, or turn JSON back"),
    entry("lints", "", "print what -t warns of, by name"),
    entry("migrate-check", "[--json] [--all] [file]", "tell what of a configuration works here"),
    entry("plan", "", "tell what a reload would change"),
    entry("reload", "[--confirm time]", "reload and tell what has changed; go back unless confirmed in time"),
    entry("rollback", "", "go back to the configuration before the one in force"),
    entry("status", "[callbacks] [--json]", "tell how the running server is"),
];

/// The help as people read it.
pub fn text() -> String {
    let mut out = String::from(
        "Usage: pingosd [-?hvVtTq] [-s signal] [-p prefix] [-e filename] [-c filename] [-g directives]\n       \
         pingosd command [words] [-p prefix] [-c filename] [-g directives]\n\nOptions:\n",
    );
    for Entry { word, takes, text } in OPTIONS {
        let name = match *word {
            "h" => "-?,-h".to_owned(),
            _ => format!("-{word} {takes}"),
        };
        let _ = writeln!(out, "  {name:<13} : {text}");
    }
    out.push_str("\nCommands:\n");
    let shown = |entry: &Entry| format!("{} {}", entry.word, entry.takes).trim_end().to_owned();
    let width = COMMANDS.iter().map(|entry| shown(entry).len()).max().unwrap_or_default();
    for entry in COMMANDS {
        let _ = writeln!(out, "  {:<width$} : {}", shown(entry), entry.text);
    }
    out
}

impl Entry {
    /// The switches among what follows a command, such as `--check`.
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
