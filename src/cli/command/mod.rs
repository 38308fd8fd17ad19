//! Commands that are words, such as `pingosd fmt` or `pingosd json`.
//!
//! nginx has only options and refuses words, so commands do not conflict with it.

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

/// Name of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Sends a marked callback request.
    Callback,
    /// Confirms a reload that waits for confirmation.
    Confirm,
    /// Prints a shell completion script.
    Completion,
    /// Shows effective values and their origin.
    Explain,
    /// Formats a file.
    Fmt,
    /// Prints the help or the manual page.
    Help,
    /// Prints a configuration as JSON, or JSON as a configuration.
    Json,
    /// Prints the table of lints.
    Lints,
    /// Reports which directives are supported.
    MigrateCheck,
    /// Shows what a reload would do.
    Plan,
    /// Reloads the configuration and shows the result.
    Reload,
    /// Returns to the preceding configuration.
    Rollback,
    /// Shows the state of the server.
    Status,
}

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Name.
    pub name: Name,
    /// Arguments, without nginx's options.
    pub words: Vec<OsString>,
    /// Configuration to work on, unless the arguments name another.
    pub load: LoadOptions,
}

/// Input and output streams of a command.
pub struct Streams<'a> {
    /// Standard input, for `-`.
    pub input: &'a mut dyn Read,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Error messages.
    pub err: &'a mut dyn Write,
    /// Style of error messages.
    pub style: Style,
}

/// A text on which a command works.
struct Subject {
    name: PathBuf,
    bytes: Bytes,
}

/// All commands with their names, usage lines and functions.
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

    /// Splits the arguments into switches and others; an unknown switch is an error.
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

    /// Reads the input of a command: a named file, standard input for `-`, otherwise the main file.
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

/// Reason why a command fails.
enum Failure {
    /// Wrong usage.
    Usage,
    /// A human-readable reason.
    Text(Vec<u8>),
    /// The reason was already printed.
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

    /// Parses the text alone; problems are printed.
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

/// Replaces a file atomically, through a temporary file in the same directory.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::Text(format!("cannot write \"{}\" {}", path.display(), include::system_error(&error)).into())
    };
    // A symbolic link keeps pointing to its file.
    let path = fs::canonicalize(path).map_err(failed)?;
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let neighbour = PathBuf::from(name);
    let written = fs::write(&neighbour, bytes)
        .and_then(|()| fs::set_permissions(&neighbour, fs::metadata(&path)?.permissions()))
        .and_then(|()| fs::rename(&neighbour, &path));
    if written.is_err() {
        // The temporary file belongs to this process and may not exist.
        let _ = fs::remove_file(&neighbour);
    }
    written.map_err(failed)
}
