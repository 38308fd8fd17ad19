//! Shell completion scripts for options and commands.

use std::fmt::Write;

use super::help::{COMMANDS, HelpEntry, OPTIONS, SIGNALS};
use crate::modules::CONTROL_VERBS;

/// The script for a shell: `bash`, `fish` or `zsh`.
pub fn script(shell: &str) -> Option<String> {
    match shell {
        "bash" => Some(bash()),
        "fish" => Some(fish()),
        "zsh" => Some(zsh()),
        _ => None,
    }
}

fn bash() -> String {
    let options: Vec<String> = OPTIONS.iter().map(|option| format!("-{}", option.word)).collect();
    let commands: Vec<&str> = COMMANDS.iter().map(|command| command.word).collect();
    let mut switches = String::new();
    for command in COMMANDS {
        let words = words_of(command);
        if !words.is_empty() {
            let _ = writeln!(switches, "        {}) words=\"{}\" ;;", command.word, words.join(" "));
        }
    }
    format!(
        r#"# bash completion of pingosd; printed by `pingosd completion bash`.
_pingosd() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words="" word
    COMPREPLY=()
    case $previous in
        -s) COMPREPLY=($(compgen -W "{signals}" -- "$current")); return ;;
        -p) COMPREPLY=($(compgen -d -- "$current")); return ;;
        -c|-e) COMPREPLY=($(compgen -f -- "$current")); return ;;
        -g) return ;;
        completion) COMPREPLY=($(compgen -W "bash fish zsh" -- "$current")); return ;;
        ctl) COMPREPLY=($(compgen -W "--json {verbs}" -- "$current")); return ;;
        directives) COMPREPLY=($(compgen -W "--man $(pingosd directives 2>/dev/null | sed -n 's/^### `\([^`]*\)`.*/\1/p')" -- "$current")); return ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{options} {commands}" -- "$current"))
        return
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
{switches}        esac
    done
    if [ "${{COMP_WORDS[1]}}" = ctl ]; then
        for word in "${{COMP_WORDS[@]:2:COMP_CWORD-2}}"; do
            case $word in
{methods}            esac
        done
        COMPREPLY=($(compgen -W "$words" -- "$current"))
        return
    fi
    case $current in
        -*) COMPREPLY=($(compgen -W "{options} $words" -- "$current")) ;;
        *) COMPREPLY=($(compgen -f -W "$words" -- "$current")) ;;
    esac
}}
complete -o filenames -F _pingosd pingosd
"#,
        verbs = verbs().join(" "),
        methods = methods("                ", "words=\"", "\""),
        signals = SIGNALS.join(" "),
        options = options.join(" "),
        commands = commands.join(" "),
    )
}

fn zsh() -> String {
    let mut options = String::new();
    for option in OPTIONS {
        let value = match (option.word, option.takes) {
            (_, "") => String::new(),
            ("s", what) => format!(":{what}:({})", SIGNALS.join(" ")),
            ("p", what) => format!(":{what}:_directories"),
            ("c" | "e", what) => format!(":{what}:_files"),
            (_, what) => format!(":{what}:"),
        };
        let _ = writeln!(options, "        '-{}[{}]{value}' \\", option.word, quoted(option.text));
    }
    let mut commands = String::new();
    let mut switches = String::new();
    for command in COMMANDS {
        let _ = writeln!(commands, "        '{}:{}'", command.word, quoted(command.text));
        let words = words_of(command);
        if !words.is_empty() {
            let _ = writeln!(switches, "                {}) compadd -- {} ;;", command.word, words.join(" "));
        }
    }
    format!(
        r#"#compdef pingosd
# zsh completion of pingosd; printed by `pingosd completion zsh`.
_pingosd() {{
    local -a commands
    commands=(
{commands}    )
    _arguments \
{options}        '1:command:->command' \
        '*:word:->word'
    case $state in
        command) _describe command commands ;;
        word)
            case $words[2] in
                completion) compadd bash fish zsh ;;
                ctl)
                    case $words[3] in
{methods}                    *) compadd -- --json {verbs} ;;
                    esac
                    return
                    ;;
{switches}            esac
            _files
            ;;
    esac
}}
_pingosd "$@"
"#,
        verbs = verbs().join(" "),
        methods = methods("                    ", "compadd -- ", ""),
    )
}

fn fish() -> String {
    let mut out = String::from("# fish completion of pingosd; printed by `pingosd completion fish`.\n");
    for option in OPTIONS {
        let value = match (option.word, option.takes) {
            (_, "") => String::new(),
            ("s", _) => format!(" -x -a '{}'", SIGNALS.join(" ")),
            ("p", _) => " -x -a '(__fish_complete_directories)'".into(),
            ("c" | "e", _) => " -r -F".into(),
            _ => " -x".into(),
        };
        let _ = writeln!(out, "complete -c pingosd -s {}{value} -d '{}'", option.word, quoted(option.text));
    }
    for command in COMMANDS {
        let (word, text) = (command.word, quoted(command.text));
        let _ = writeln!(out, "complete -c pingosd -n __fish_use_subcommand -a {word} -d '{text}'");
        let seen = format!("'__fish_seen_subcommand_from {word}'");
        for switch in command.switches() {
            let (kind, name) = match switch.strip_prefix("--") {
                Some(name) => ("-l", name),
                None => ("-s", switch.trim_start_matches('-')),
            };
            let _ = writeln!(out, "complete -c pingosd -n {seen} {kind} {name}");
        }
        let literals: Vec<&str> = literals_of(command).collect();
        if !literals.is_empty() && word != "completion" {
            let _ = writeln!(out, "complete -c pingosd -n {seen} -a '{}'", literals.join(" "));
        }
    }
    for verb in CONTROL_VERBS {
        let text = quoted(verb.text);
        let seen =
            format!("'__fish_seen_subcommand_from ctl; and __fish_seen_subcommand_from {}'", verb.name);
        let unseen = "'__fish_seen_subcommand_from ctl'";
        let _ = writeln!(out, "complete -c pingosd -n {unseen} -x -a {} -d '{text}'", verb.name);
        let words: Vec<&str> = verb.words().collect();
        if !words.is_empty() {
            let _ = writeln!(out, "complete -c pingosd -n {seen} -x -a '{}'", words.join(" "));
        }
    }
    out.push_str("complete -c pingosd -n '__fish_seen_subcommand_from completion' -x -a 'bash fish zsh'\n");
    out
}

/// What may follow a command, besides files and names.
fn words_of(command: &HelpEntry) -> Vec<&'static str> {
    command.switches().chain(literals_of(command)).collect()
}

/// Words that a command takes literally; `help` takes those of all commands.
fn literals_of(command: &HelpEntry) -> impl Iterator<Item = &'static str> {
    let commands = COMMANDS.iter().map(|entry| entry.word).filter(|_| command.word == "help");
    command.literals().chain(commands)
}

/// Names of the verbs of `ctl`.
fn verbs() -> Vec<&'static str> {
    CONTROL_VERBS.iter().map(|verb| verb.name).collect()
}

/// Arms of a `case` that offer what may follow each verb of `ctl`.
fn methods(indent: &str, before: &str, after: &str) -> String {
    let mut out = String::new();
    for verb in CONTROL_VERBS {
        let words: Vec<&str> = verb.words().collect();
        if !words.is_empty() {
            let _ = writeln!(out, "{indent}{}) {before}{}{after} ;;", verb.name, words.join(" "));
        }
    }
    out
}

/// Removes characters that end a quoted text or have a meaning in zsh's descriptions.
fn quoted(text: &str) -> String {
    text.replace(['\'', '[', ']', ':'], "")
}
