//! Commands that are words: `pingosd fmt`, `pingosd json` and their like.
//!
//! nginx knows only options; a word was always an error, so these take nothing away.

mod control;
mod explain;
pub mod fmt;
pub mod json;
mod migrate;
mod origin;
mod sample;
pub mod variables;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;

use super::{completion, help, man};
use crate::config::LoadOptions;
use crate::config::load::{EMBEDDED, EMBEDDED_NAME, render_all};
use crate::directive::registry::Registry;
use crate::module::lint;
use crate::syntax::Level;
use crate::syntax::include;
use crate::syntax::parser::{Parser, Reading};
use crate::syntax::render::Style;
use crate::syntax::source::MAX_FILE_BYTES;

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Sends a marked callback.
    Callback,
    /// Keeps what a reload has brought that waits to be confirmed.
    Confirm,
    /// Prints what makes a shell complete our words.
    Completion,
    /// Tells which values count, and where they come from.
    Explain,
    /// Lays a file out anew.
    Fmt,
    /// Prints the help, or the page of the manual.
    Help,
    /// Prints a configuration as JSON, or JSON as a configuration.
    Json,
    /// Prints the table of lints.
    Lints,
    /// Tells what of a configuration works here.
    MigrateCheck,
    /// Tells what a reload would do.
    Plan,
    /// Makes the server use its files anew, and tells what came of it.
    Reload,
    /// Makes the server use the configuration before the one in force.
    Rollback,
    /// Tells how the server is.
    Status,
}

/// A command and the words after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which command.
    pub name: Name,
    /// The words after it, without nginx's options.
    pub words: Vec<OsString>,
    /// Which configuration it is about, unless the words name another.
    pub load: LoadOptions,
}

/// Where a command reads from and writes to.
pub struct Streams<'a> {
    /// Standard input, for `-`.
    pub input: &'a mut dyn Read,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Complaints.
    pub err: &'a mut dyn Write,
    /// How complaints look.
    pub style: Style,
}

/// A text that a command works on.
struct Subject {
    name: PathBuf,
    bytes: Bytes,
}

/// Every command with its word, the words it takes and one line of help.
const COMMANDS: &[(Name, &str, &str)] = &[
    (Name::Callback, "callback", control::CALLBACK),
    (Name::Confirm, "confirm", control::CONFIRM),
    (Name::Completion, "completion", "completion bash | fish | zsh"),
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
];

impl Name {
    /// The words of all commands.
    pub fn words() -> impl Iterator<Item = &'static str> {
        COMMANDS.iter().map(|(_, word, _)| *word)
    }

    /// The command of that word.
    pub fn find(word: &OsStr) -> Option<Name> {
        COMMANDS.iter().find(|(_, known, _)| word == *known).map(|(name, _, _)| *name)
    }

    fn usage(self) -> &'static str {
        COMMANDS.iter().find(|(name, _, _)| *name == self).map_or("", |(_, _, usage)| usage)
    }
}

impl Task {
    /// Does it.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn run(&self, streams: &mut Streams<'_>) -> io::Result<ExitCode> {
        let done = match self.name {
            Name::Completion => self.completion(streams),
            Name::Explain => explain::run(self, streams),
            Name::Fmt => fmt::run(self, streams),
            Name::Help => self.help(streams),
            Name::Json => json::run(self, streams),
            Name::Lints => self.lints(streams),
            Name::MigrateCheck => migrate::run(self, streams),
            Name::Callback | Name::Confirm | Name::Plan | Name::Reload | Name::Rollback | Name::Status => {
                control::run(self, streams)
            }
        };
        match done {
            Ok(code) => Ok(code),
            Err(Failure::Usage) => {
                writeln!(streams.err, "usage: pingosd {}", self.name.usage())?;
                Ok(ExitCode::FAILURE)
            }
            Err(Failure::Text(text)) => {
                streams.err.write_all(b"pingosd: ")?;
                streams.err.write_all(&text)?;
                streams.err.write_all(b"\n")?;
                Ok(ExitCode::FAILURE)
            }
            Err(Failure::Told) => Ok(ExitCode::FAILURE),
            Err(Failure::Output(error)) => Err(error),
        }
    }

    fn completion(&self, streams: &mut Streams<'_>) -> Result<ExitCode, Failure> {
        let [shell] = self.words.as_slice() else { return Err(Failure::Usage) };
        let script = shell.to_str().and_then(completion::script).ok_or(Failure::Usage)?;
        streams.out.write_all(script.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn help(&self, streams: &mut Streams<'_>) -> Result<ExitCode, Failure> {
        let text = match self.words.as_slice() {
            [] => help::text(),
            [word] if word == "--man" => man::program(),
            _ => return Err(Failure::Usage),
        };
        streams.out.write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn lints(&self, streams: &mut Streams<'_>) -> Result<ExitCode, Failure> {
        if !self.words.is_empty() {
            return Err(Failure::Usage);
        }
        streams.out.write_all(lint::manual().as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Splits the words into switches and the rest; an unknown switch is an error.
    fn switches<const N: usize>(&self, known: [&str; N]) -> Result<([bool; N], Vec<&OsStr>), Failure> {
        let mut given = [false; N];
        let mut rest = Vec::new();
        for word in &self.words {
            match known.iter().position(|k| word == k) {
                Some(at) => given[at] = true,
                None if word.len() > 1 && word.as_bytes().starts_with(b"-") => return Err(Failure::Usage),
                None => rest.push(word.as_os_str()),
            }
        }
        Ok((given, rest))
    }

    /// Reads what a command works on: a file by name, standard input for `-`, else the main file.
    fn subject(&self, word: Option<&OsStr>, input: &mut dyn Read) -> Result<Subject, Failure> {
        match (word, &self.load.conf_file) {
            (Some(word), _) if word == "-" => {
                let mut bytes = Vec::new();
                input.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > MAX_FILE_BYTES {
                    return Err(Failure::Text(b"standard input is too large".to_vec()));
                }
                Ok(Subject { name: "standard input".into(), bytes: bytes.into() })
            }
            (Some(word), _) => Subject::open(Path::new(word)),
            (None, Some(file)) => Subject::open(file),
            (None, None) => Ok(Subject { name: EMBEDDED_NAME.into(), bytes: Bytes::from_static(EMBEDDED) }),
        }
    }
}

/// Why a command ends early.
enum Failure {
    /// The words after it are not what it takes.
    Usage,
    /// For the reason given.
    Text(Vec<u8>),
    /// The reason was printed already.
    Told,
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl Subject {
    fn open(path: &Path) -> Result<Subject, Failure> {
        let bytes = include::read_file(path).map_err(|text| Failure::Text(text.into()))?;
        Ok(Subject { name: path.to_owned(), bytes })
    }

    /// Reads the text by itself; complaints are printed.
    fn read(&self, streams: &mut Streams<'_>) -> Result<Reading, Failure> {
        let none = Registry::new(&[], &[]);
        let mut parser = Parser::new(PathBuf::new(), &none).apart();
        parser.given(&self.name, self.bytes.clone());
        let Reading { sources, tree, reports, includes } = parser.finish();
        if !reports.has_errors() {
            return Ok(Reading { sources, tree, reports, includes });
        }
        let text = render_all(&reports.into_sorted(), &sources, streams.style, Level::Emerg);
        streams.err.write_all(&text)?;
        Err(Failure::Told)
    }
}

/// Replaces a file by way of a neighbour, so that no reader ever meets half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::Text(format!("cannot write \"{}\" {}", path.display(), include::system_error(&error)).into())
    };
    // A link keeps pointing to its file.
    let path = fs::canonicalize(path).map_err(failed)?;
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let neighbour = PathBuf::from(name);
    let written = fs::write(&neighbour, bytes)
        .and_then(|()| fs::set_permissions(&neighbour, fs::metadata(&path)?.permissions()))
        .and_then(|()| fs::rename(&neighbour, &path));
    if written.is_err() {
        // The neighbour is ours alone; that it may not exist is no further failure.
        let _ = fs::remove_file(&neighbour);
    }
    written.map_err(failed)
}
