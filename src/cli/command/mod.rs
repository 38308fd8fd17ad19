//! Commands that are words, such as `pingosd fmt` or `pingosd json`.
//!
//! nginx has only options and refuses words, so commands do not conflict with it.

mod control;
mod ctl;
mod explain;
pub mod fmt;
pub mod json;
mod migrate;
mod origin;
mod sample;
mod streams;
mod task;
mod top;
pub mod variables;

use std::ffi::OsStr;
use std::io;
use std::process::ExitCode;

use self::task::CommandError;
pub use self::task::{Name, Streams, Task};
use super::{completion, help, man};
use crate::module::lint;

/// All commands with their names, usage lines and functions.
const COMMANDS: &[(Name, &str, &str)] = &[
    (Name::Callback, "callback", control::CALLBACK),
    (Name::Confirm, "confirm", control::CONFIRM),
    (Name::Completion, "completion", "completion bash | fish | zsh"),
    (Name::Ctl, "ctl", ctl::USAGE),
    (Name::Explain, "explain", explain::USAGE),
    (Name::Fmt, "fmt", fmt::USAGE),
    (Name::Help, "help", "help [--man]"),
    (Name::Json, "json", json::USAGE),
    (Name::Lints, "lints", "lints"),
    (Name::MigrateCheck, "migrate-check", migrate::USAGE),
    (Name::Plan, "plan", control::PLAN),
    (Name::Reload, "reload", control::RELOAD),
    (Name::Rollback, "rollback", control::ROLLBACK),
    (Name::Status, "status", control::STATUS),
    (Name::Top, "top", top::USAGE),
];

impl Name {
    /// Names of all commands.
    pub fn words() -> impl Iterator<Item = &'static str> {
        COMMANDS.iter().map(|(_, word, _)| *word)
    }

    /// The command with this name.
    pub fn find(word: &OsStr) -> Option<Name> {
        COMMANDS.iter().find(|(_, known, _)| word == *known).map(|(name, _, _)| *name)
    }

    fn usage(self) -> &'static str {
        COMMANDS.iter().find(|(name, _, _)| *name == self).map_or("", |(_, _, usage)| usage)
    }
}

impl Task {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn run(&self, streams: &mut Streams<'_>) -> io::Result<ExitCode> {
        let done = match self.name {
            Name::Completion => self.completion(streams),
            Name::Ctl => ctl::run(self, streams),
            Name::Explain => explain::run(self, streams),
            Name::Fmt => fmt::run(self, streams),
            Name::Help => self.help(streams),
            Name::Json => json::run(self, streams),
            Name::Lints => self.lints(streams),
            Name::MigrateCheck => migrate::run(self, streams),
            Name::Callback
            | Name::Confirm
            | Name::Plan
            | Name::Reload
            | Name::Rollback
            | Name::Status
            | Name::Top => control::run(self, streams),
        };
        match done {
            Ok(code) => Ok(code),
            Err(CommandError::Usage) => {
                writeln!(streams.err, "usage: pingosd {}", self.name.usage())?;
                Ok(ExitCode::FAILURE)
            }
            Err(CommandError::Text(text)) => {
                streams.err.write_all(b"pingosd: ")?;
                streams.err.write_all(&text)?;
                streams.err.write_all(b"\n")?;
                Ok(ExitCode::FAILURE)
            }
            Err(CommandError::Told) => Ok(ExitCode::FAILURE),
            Err(CommandError::Output(error)) => Err(error),
        }
    }

    fn completion(&self, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
        let [shell] = self.words.as_slice() else { return Err(CommandError::Usage) };
        let script = shell.to_str().and_then(completion::script).ok_or(CommandError::Usage)?;
        streams.out.write_all(script.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn help(&self, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
        let text = match self.words.as_slice() {
            [] => help::text(),
            [word] if word == "--man" => man::program(),
            _ => return Err(CommandError::Usage),
        };
        streams.out.write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn lints(&self, streams: &mut Streams<'_>) -> Result<ExitCode, CommandError> {
        if !self.words.is_empty() {
            return Err(CommandError::Usage);
        }
        streams.out.write_all(lint::manual().as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
