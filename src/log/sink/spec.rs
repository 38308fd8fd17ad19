//! Destinations of log lines as the configuration names them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bstr::BString;

use super::syslog::Syslog;
use crate::log::shown::Shown;
use crate::task::rights::OpenMode;

/// Where a log's lines go, and how they are collected on the way. Equal ones are one log with one writer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SinkSpec {
    /// The destination.
    pub target: SinkTarget,
    /// How lines are collected before they are written; without it each line is written as it comes.
    pub buffering: Option<Buffering>,
}

/// Destination of log lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SinkTarget {
    /// File with an absolute path.
    File(PathBuf),
    /// The same, with secrets.
    SecretFile(PathBuf),
    /// Ring buffer of this size in bytes.
    Memory(u64),
    /// Standard error.
    Stderr,
    /// A syslog server.
    Syslog(Syslog),
    /// Files whose paths come with the lines.
    Paths(VariablePath),
}

/// Parameters `buffer=`, `flush=` and `gzip=`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Buffering {
    /// Size of the buffer in bytes. Lines that do not fit are written at once.
    pub size: usize,
    /// Longest time that a line stays in the buffer.
    pub flush: Option<Duration>,
    /// Compression level from 1 to 9; each buffer becomes one gzip member.
    pub gzip: Option<u32>,
}

/// A path with variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VariablePath {
    /// The path as written, below the prefix.
    pub text: BString,
    /// Whether files stay open; without it each line opens and closes its file.
    pub cache: Option<LogFileCaching>,
}

/// `open_log_file_cache`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogFileCaching {
    /// Maximum number of open files; the least recently used one is closed first.
    pub max: usize,
    /// Time without lines after which a file is closed.
    pub inactive: Duration,
    /// Number of lines during `inactive` from which on the file stays open.
    pub min_uses: u64,
    /// Time after which it is checked whether the path still leads to the open file.
    pub valid: Duration,
}

/// The destinations that a configuration names, recorded while it is read.
#[derive(Debug, Default)]
pub struct NotedSinks(Vec<SinkSpec>);

impl SinkSpec {
    /// A destination without buffering.
    pub fn of(target: SinkTarget) -> SinkSpec {
        SinkSpec { target, buffering: None }
    }

    /// A file without buffering.
    pub fn file(path: PathBuf) -> SinkSpec {
        SinkSpec::of(SinkTarget::File(path))
    }

    /// The file, if it is a fixed one.
    pub fn path(&self) -> Option<&Path> {
        match &self.target {
            SinkTarget::File(path) | SinkTarget::SecretFile(path) => Some(path),
            SinkTarget::Memory(_) | SinkTarget::Stderr | SinkTarget::Syslog(_) | SinkTarget::Paths(_) => None,
        }
    }

    /// How the file is opened.
    pub fn open_mode(&self) -> OpenMode {
        match &self.target {
            SinkTarget::SecretFile(_) => OpenMode::AppendSecret,
            _ => OpenMode::Append,
        }
    }

    /// Name in messages.
    pub(super) fn name(&self) -> String {
        match &self.target {
            SinkTarget::File(path) | SinkTarget::SecretFile(path) => Shown::path(path).to_string(),
            SinkTarget::Memory(size) => format!("memory:{size}"),
            SinkTarget::Stderr => "stderr".into(),
            SinkTarget::Syslog(syslog) => format!("syslog:server={}", syslog.server),
            SinkTarget::Paths(paths) => Shown::new(&paths.text).to_string(),
        }
    }
}

impl NotedSinks {
    /// Records a destination.
    pub fn note(&mut self, spec: &SinkSpec) {
        if !self.0.contains(spec) {
            self.0.push(spec.clone());
        }
    }

    /// All destinations.
    pub fn into_specs(self) -> Vec<SinkSpec> {
        self.0
    }

    /// Buffering that any line of the configuration gives for a destination: as in nginx, it holds for all lines that
    /// name the file.
    pub fn buffering_of(&self, target: &SinkTarget) -> Option<&Buffering> {
        self.0.iter().filter(|spec| spec.target == *target).find_map(|spec| spec.buffering.as_ref())
    }
}
