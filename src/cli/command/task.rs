//! Input of commands, and why they end early.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::config::LoadOptions;
use crate::config::load::{EMBEDDED, EMBEDDED_NAME, render_all};
use crate::directive::registry::Registry;
use crate::syntax::Severity;
use crate::syntax::parser::Parser;
use crate::syntax::reading::Reading;
use crate::syntax::render::Style;
use crate::syntax::source::MAX_FILE_BYTES;
use crate::syntax::texts::{self, TextError};

/// Name of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Sends a marked callback request.
    Callback,
    /// Configures a group of servers, or shows the cluster.
    Cluster,
    /// Confirms a reload that waits for confirmation.
    Confirm,
    /// Prints a shell completion script.
    Completion,
    /// Sends a control request.
    Ctl,
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
    /// Shows streams and clients live.
    Top,
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
pub(super) struct CommandText {
    pub(super) name: PathBuf,
    pub(super) bytes: Bytes,
}

impl Task {
    /// Splits the arguments into switches and others; an unknown switch is an error.
    pub(super) fn switches<const N: usize>(
        &self,
        known: [&str; N],
    ) -> Result<([bool; N], Vec<&OsStr>), CommandError> {
        let mut given = [false; N];
        let mut rest = Vec::new();
        for word in &self.words {
            match known.iter().position(|k| word == k) {
                Some(at) => given[at] = true,
                None if word.len() > 1 && word.as_bytes().starts_with(b"-") => {
                    return Err(CommandError::Usage);
                }
                None => rest.push(word.as_os_str()),
            }
        }
        Ok((given, rest))
    }

    /// Reads the input of a command: a named file, standard input for `-`, otherwise the main file.
    pub(super) fn subject(
        &self,
        word: Option<&OsStr>,
        input: &mut dyn Read,
    ) -> Result<CommandText, CommandError> {
        match (word, &self.load.conf_file) {
            (Some(word), _) if word == "-" => {
                let mut bytes = Vec::new();
                input.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > MAX_FILE_BYTES {
                    return Err(CommandError::Text(b"standard input is too large".to_vec()));
                }
                Ok(CommandText { name: "standard input".into(), bytes: bytes.into() })
            }
            (Some(word), _) => CommandText::open(Path::new(word)),
            (None, Some(file)) => CommandText::open(file),
            (None, None) => {
                Ok(CommandText { name: EMBEDDED_NAME.into(), bytes: Bytes::from_static(EMBEDDED) })
            }
        }
    }
}

/// Reason why a command fails.
pub(super) enum CommandError {
    /// Wrong usage.
    Usage,
    /// A human-readable reason.
    Text(Vec<u8>),
    /// No server is running; the text says where one was looked for.
    NotRunning(String),
    /// The server belongs to another user.
    NotPermitted(String),
    /// The reason was already printed.
    Told,
    /// The output cannot be written.
    Output(io::Error),
}

impl CommandError {
    /// The reason in words.
    pub(super) fn text(&self) -> String {
        match self {
            CommandError::Text(text) => String::from_utf8_lossy(text).into_owned(),
            CommandError::NotRunning(text) | CommandError::NotPermitted(text) => text.clone(),
            CommandError::Output(error) => error.to_string(),
            CommandError::Usage | CommandError::Told => String::new(),
        }
    }
}

impl From<TextError> for CommandError {
    fn from(error: TextError) -> CommandError {
        CommandError::Text(error.sentence().into())
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> CommandError {
        CommandError::Output(error)
    }
}

impl CommandText {
    pub(super) fn open(path: &Path) -> Result<CommandText, CommandError> {
        let bytes = texts::read_file(path)?;
        Ok(CommandText { name: path.to_owned(), bytes })
    }

    /// Parses the text alone; problems are printed.
    pub(super) fn read(&self, streams: &mut Streams<'_>) -> Result<Reading, CommandError> {
        let none = Registry::new(&[], &[]);
        let mut parser = Parser::new(PathBuf::new(), &none).apart();
        parser.given(&self.name, self.bytes.clone());
        let reading = parser.finish();
        if !reading.reports.has_errors() {
            return Ok(reading);
        }
        let Reading { sources, reports, .. } = reading;
        let text = render_all(&reports.into_sorted(), &sources, streams.style, Severity::Emerg);
        streams.err.write_all(&text)?;
        Err(CommandError::Told)
    }
}

/// Replaces a file atomically, through a temporary file in the same directory.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        CommandError::Text(
            format!("cannot write \"{}\" {}", path.display(), texts::system_error(&error)).into(),
        )
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
