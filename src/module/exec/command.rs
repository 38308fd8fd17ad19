//! Command lines of exec directives, and commands ready to run.

use bstr::BString;

use super::script;
use super::template::{ExecValues, Sanitising, Template};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Pos, Problem};

/// An exec line of the configuration.
#[derive(Clone, Debug)]
pub struct ExecLine {
    /// Its words.
    pub words: Vec<BString>,
    /// Position in the configuration.
    pub pos: Pos,
}

/// A command to run at an event.
#[derive(Clone, Debug)]
pub struct ExecCommand {
    /// Streams to which it applies; empty for all.
    pub names: Vec<BString>,
    program: BString,
    args: Vec<(Template, Sanitising)>,
    redirections: Vec<(Redirection, Template)>,
    /// Position in the configuration.
    pub pos: Pos,
}

/// Redirection of a descriptor of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The command's descriptor.
    pub fd: i32,
    /// Kind of redirection.
    pub mode: RedirectionMode,
}

/// Kind of redirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectionMode {
    /// `<FILE`
    Read,
    /// `>FILE`
    Write,
    /// `>>FILE`
    Append,
    /// `>&M`: duplicate of another descriptor.
    Same(i32),
}

/// A command with all values filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecLaunch {
    /// Program, searched for like in a shell.
    pub program: BString,
    /// Its arguments.
    pub args: Vec<BString>,
    /// Redirections in order, with their files.
    pub redirections: Vec<(Redirection, BString)>,
    /// Position in the configuration.
    pub pos: Pos,
}

impl Value for ExecLine {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "command [argument ...]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ExecLine, Problem> {
        Ok(ExecLine {
            words: args.words.iter().map(|w| w.text().to_owned()).collect(),
            pos: evaluation.pos(args.terminator),
        })
    }
}

impl ExecCommand {
    /// Parses a line. With `options` (`exec_options on`) each word `name=...` is a filter, wherever it stands, as in
    /// PingOS. `None` if the line has only filters.
    pub fn new(line: &ExecLine, options: bool) -> Option<ExecCommand> {
        let is_option = |word: &BString| options && word.starts_with(b"name=");
        let (filters, words): (Vec<&BString>, Vec<&BString>) = line.words.iter().partition(|w| is_option(w));
        let names = filters.into_iter().map(|w| w[5..].into()).collect();
        let (program, words) = words.split_first()?;
        let mut redirections = Vec::new();
        let mut plain: Vec<&[u8]> = Vec::new();
        // Recognised in the line as written, so that a client's value cannot become a redirection.
        for word in words {
            match redirection(word) {
                Some((redirection, file)) => redirections.push((redirection, Template::compile(file))),
                None => plain.push(word),
            }
        }
        let script = script::script_at(program, &plain);
        let args = plain.iter().enumerate().map(|(n, word)| {
            let taming = if Some(n) == script { Sanitising::Script } else { Sanitising::Argument };
            (Template::compile(word), taming)
        });
        let args = args.collect();
        Some(ExecCommand { names, program: (*program).clone(), args, redirections, pos: line.pos.clone() })
    }

    /// Whether it applies to this stream.
    pub fn is_for(&self, name: &[u8]) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| *wanted == name)
    }

    /// The command for one event.
    pub fn launch(&self, values: &dyn ExecValues) -> ExecLaunch {
        let file = |template: &Template| template.expand(values, Sanitising::FileName).into();
        ExecLaunch {
            program: self.program.clone(),
            args: self.args.iter().map(|(word, taming)| word.expand(values, *taming).into()).collect(),
            redirections: self.redirections.iter().map(|(how, word)| (*how, file(word))).collect(),
            pos: self.pos.clone(),
        }
    }
}

impl ExecLine {
    /// The command of a line without variables (`exec_static`).
    pub fn launch(&self) -> Option<ExecLaunch> {
        let (program, words) = self.words.split_first()?;
        let mut launch = ExecLaunch {
            program: program.clone(),
            args: Vec::new(),
            redirections: Vec::new(),
            pos: self.pos.clone(),
        };
        for word in words {
            match redirection(word) {
                Some((how, file)) => launch.redirections.push((how, file.into())),
                None => launch.args.push(word.clone()),
            }
        }
        Some(launch)
    }
}

/// Parses `[N]>FILE`, `[N]>>FILE`, `[N]<FILE` or `[N]>&M`.
fn redirection(word: &[u8]) -> Option<(Redirection, &[u8])> {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = word.split_at(digits);
    let (default, mode, file) = match rest {
        [b'>', b'>', file @ ..] => (1, RedirectionMode::Append, file),
        [b'>', b'&', other @ ..] => (1, RedirectionMode::Same(descriptor(other)?), &b""[..]),
        [b'>', file @ ..] => (1, RedirectionMode::Write, file),
        [b'<', file @ ..] => (0, RedirectionMode::Read, file),
        _ => return None,
    };
    let fd = if number.is_empty() { default } else { descriptor(number)? };
    if file.is_empty() && !matches!(mode, RedirectionMode::Same(_)) {
        return None;
    }
    Some((Redirection { fd, mode }, file))
}

/// Parses a descriptor number.
fn descriptor(text: &[u8]) -> Option<i32> {
    const MOST: i32 = 255;
    std::str::from_utf8(text).ok()?.parse().ok().filter(|fd| (0..=MOST).contains(fd))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::module::exec::ExecVariable;

    struct Named(&'static [u8]);

    impl ExecValues for Named {
        fn value(&self, variable: ExecVariable) -> Vec<u8> {
            if variable == ExecVariable::Name { self.0.to_vec() } else { Vec::new() }
        }
    }

    fn line(words: &[&str]) -> ExecLine {
        let pos = Pos { file: Arc::from(Path::new("x")), line: 1 };
        ExecLine { words: words.iter().map(|w| BString::from(*w)).collect(), pos }
    }

    #[test]
    fn a_value_is_neither_a_word_nor_a_redirection() {
        let command = ExecCommand::new(&line(&["cmd", "$name", "2>&1", ">/log/$name"]), false).unwrap();
        let launch = command.launch(&Named(b">/etc/x y"));
        assert_eq!(launch.args, [">/etc/x y"]);
        let file = BString::from("/log/%3E%2Fetc%2Fx%20y");
        let want = [
            (Redirection { fd: 2, mode: RedirectionMode::Same(1) }, BString::default()),
            (Redirection { fd: 1, mode: RedirectionMode::Write }, file),
        ];
        assert_eq!(launch.redirections, want);
        let launch = ExecCommand::new(&line(&["sh", "-c", "echo $name", "$name"]), false).unwrap();
        assert_eq!(launch.launch(&Named(b"a;b")).args, ["-c", "echo a%3Bb", "a;b"]);
    }

    #[test]
    fn filters_count_wherever_they_stand_and_need_the_option() {
        let words = line(&["name=a", "name=b", "cmd", "name=c"]);
        let command = ExecCommand::new(&words, true).unwrap();
        assert!(
            command.is_for(b"a") && command.is_for(b"b") && command.is_for(b"c") && !command.is_for(b"d")
        );
        let launch = command.launch(&Named(b""));
        assert_eq!((launch.program, launch.args.len()), ("cmd".into(), 0));
        assert_eq!(ExecCommand::new(&words, false).unwrap().launch(&Named(b"")).program, "name=a");
        assert!(ExecCommand::new(&line(&["name=a"]), true).is_none());
    }
}
