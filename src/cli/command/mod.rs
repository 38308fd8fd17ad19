//! Commands that are words, such as `pingosd fmt` or `pingosd json`.
//!
//! nginx has only options and refuses words, so commands do not conflict with it.

mod cluster;
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

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use self::task::CommandError;
pub use self::task::{Name, Streams, Task};
use super::help::HelpEntry;
use super::{completion, exit, help, man};
use crate::log::shown::Shown;
use crate::module::lint;

/// All commands with their names.
const COMMANDS: &[(Name, &str)] = &[
    (Name::Callback, "callback"),
    (Name::Cluster, "cluster"),
    (Name::Confirm, "confirm"),
    (Name::Completion, "completion"),
    (Name::Ctl, "ctl"),
    (Name::Explain, "explain"),
    (Name::Fmt, "fmt"),
    (Name::Help, "help"),
    (Name::Json, "json"),
    (Name::Lints, "lints"),
    (Name::MigrateCheck, "migrate-check"),
    (Name::Plan, "plan"),
    (Name::Reload, "reload"),
    (Name::Rollback, "rollback"),
    (Name::Status, "status"),
    (Name::Top, "top"),
];

impl Name {
    /// Names of all commands.
    pub fn words() -> impl Iterator<Item = &'static str> {
        COMMANDS.iter().map(|(_, word)| *word)
    }

    /// The command with this name.
    pub fn find(word: &OsStr) -> Option<Name> {
        COMMANDS.iter().find(|(_, known)| word == *known).map(|(name, _)| *name)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        COMMANDS.iter().find(|(name, _)| *name == self).map_or("", |(_, word)| word)
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
            Name::Cluster => cluster::run(self, streams),
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
                let word = self.name.word();
                let usage = HelpEntry::of_command(word).map(HelpEntry::usage).unwrap_or_default();
                if let Some(option) = self.unknown_option(&usage) {
                    let text = format!("{word} has no option \"{}\"", Shown::new(option.as_bytes()));
                    failed(streams, text.as_bytes(), exit::USAGE.into())?;
                }
                streams.err.write_all(usage.as_bytes())?;
                Ok(exit::USAGE.into())
            }
            Err(CommandError::Text(text)) => failed(streams, &text, ExitCode::FAILURE),
            Err(CommandError::NotRunning(text)) => failed(streams, text.as_bytes(), exit::NOT_RUNNING.into()),
            Err(CommandError::NotPermitted(text)) => {
                failed(streams, text.as_bytes(), exit::NOT_PERMITTED.into())
            }
            Err(CommandError::Told) => Ok(ExitCode::FAILURE),
            Err(CommandError::Output(error)) => Err(error),
        }
    }

    /// A word that begins with `-` and that the usage does not have.
    fn unknown_option(&self, usage: &str) -> Option<&OsStr> {
        let is_known = |word: &OsStr| {
            usage.split([' ', '[', ']', '|', '\n']).any(|known| known.as_bytes() == word.as_bytes())
        };
        let mut words = self.words.iter().map(OsString::as_os_str);
        words.find(|word| word.len() > 1 && word.as_bytes().starts_with(b"-") && !is_known(word))
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
            [word] => {
                let entry = word.to_str().and_then(HelpEntry::of_command);
                entry.ok_or_else(|| CommandError::Text(no_command(word)))?.help()
            }
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

fn failed(streams: &mut Streams<'_>, text: &[u8], code: ExitCode) -> io::Result<ExitCode> {
    streams.err.write_all(b"pingosd: ")?;
    streams.err.write_all(text)?;
    streams.err.write_all(b"\n")?;
    Ok(code)
}

fn no_command(word: &OsStr) -> Vec<u8> {
    let near = HelpEntry::nearest_command(word.as_bytes());
    let near = near.map(|near| format!(", did you mean \"{near}\"?")).unwrap_or_default();
    format!("there is no command \"{}\"{near}", word.display()).into()
}
