//! Lints about commands with values that clients choose.

use super::finding::{Finding, LintContext};
use crate::directive::outline::OutlineStatement;
use crate::directive::template::{Malformed, Notation, Piece};
use crate::syntax::{Problem, Word};

/// Exec variables whose values clients choose. Values of `path` and `dirname` begin with a directory of the server, but
/// contain the stream name.
const CHOSEN: [&[u8]; 10] = [
    b"name",
    b"args",
    b"app",
    b"flashver",
    b"swfurl",
    b"tcurl",
    b"pageurl",
    b"filename",
    b"basename",
    b"path",
];
/// Variables that may safely begin a word: one is a configured application, the other begins with `/`.
const HARMLESS_FIRST: [&[u8]; 2] = [b"app", b"path"];
/// Programs that take a script after `-c`.
const SHELLS: [&[u8]; 8] = [b"sh", b"ash", b"bash", b"dash", b"fish", b"ksh", b"zsh", b"busybox"];

pub(super) fn unquoted_name(scope: &LintContext<'_>, findings: &mut Vec<Finding>) {
    for statement in &scope.outline.statements {
        let Some(row) = statement.row() else { continue };
        let expands = row.name().starts_with("exec_")
            && !matches!(row.name(), "exec_static" | "exec_kill_signal" | "exec_options");
        let words: Vec<&Word> =
            statement.words().iter().filter(|word| !is_filter(scope, statement, word)).collect();
        let Some((program, words)) = words.split_first().filter(|_| expands) else { continue };
        if let Some((script, variable)) = script(program, words) {
            let name = String::from_utf8_lossy(variable).into_owned();
            let text = format!("a client's \"${name}\" becomes part of a shell's script");
            let problem = Problem::warning(text)
                .at(script.span)
                .caption("quotes in the script do not help: the value may hold quotes")
                .help(format!("pass it to the script as an argument: `sh -c 'COMMAND \"$0\"' ${name}`"));
            findings.push(Finding::new(statement, problem));
            continue;
        }
        let Some(word) = words.iter().find(|word| {
            let chosen = first_name(&word.bytes)
                .is_some_and(|name| CHOSEN.contains(&name) && !HARMLESS_FIRST.contains(&name));
            chosen && !is_script_argument(words, word)
        }) else {
            continue;
        };
        let text = format!("a client's \"{}\" can be an option or a redirection of the command", word.text());
        let problem =
            Problem::warning(text).at(word.span).caption("a stream may be called `>file` or `-option`");
        findings.push(Finding::new(statement, problem.help("put a prefix before it, such as `./` or a URL")));
    }
}

/// Whether a word is a stream filter: `name=...` after `exec_options on` in the same block.
fn is_filter(scope: &LintContext<'_>, statement: &OutlineStatement<'_>, word: &Word) -> bool {
    let options = scope
        .outline
        .own(statement.section, "exec_options")
        .take_while(|o| o.node.order() < statement.node.order());
    word.bytes.starts_with(b"name=") && options.last().is_some_and(OutlineStatement::is_on)
}

/// A shell's script, and the first variable in it that clients choose.
fn script<'t>(program: &Word, words: &[&'t Word]) -> Option<(&'t Word, &'t [u8])> {
    let base = program.bytes.rsplit(|b| *b == b'/').next()?;
    if !SHELLS.contains(&base) {
        return None;
    }
    let script = *words.get(script_at(words)?)?;
    let variable = names(&script.bytes).find(|name| CHOSEN.contains(name))?;
    Some((script, variable))
}

/// Index of the word after `-c` (or `-ec` and the like).
fn script_at(words: &[&Word]) -> Option<usize> {
    let option = words.iter().position(|w| w.bytes.starts_with(b"-") && w.bytes.ends_with(b"c"))?;
    Some(option + 1)
}

/// Whether a word is an argument of a shell's script, which is the recommended form.
fn is_script_argument(words: &[&Word], word: &Word) -> bool {
    let script = script_at(words).and_then(|at| words.get(at));
    script.is_some_and(|script| script.span.start < word.span.start)
}

/// The names of the variables in a word, known or not.
fn names(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    Notation::EXEC.pieces(word).filter_map(|piece| match piece {
        Ok(Piece::Variable { name, .. }) | Err(Malformed::Unclosed { name, .. }) => Some(name),
        Ok(Piece::Literal(_)) | Err(Malformed::NoName { .. }) => None,
    })
}

/// The name of the variable that a word begins with.
fn first_name(word: &[u8]) -> Option<&[u8]> {
    match Notation::EXEC.pieces(word).next()? {
        Ok(Piece::Variable { name, .. }) | Err(Malformed::Unclosed { name, .. }) => Some(name),
        Ok(Piece::Literal(_)) | Err(Malformed::NoName { .. }) => None,
    }
}
