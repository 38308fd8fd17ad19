//! Open logs.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::open_log;
use super::file_error::FileError;
use super::level::LogLevel;
use super::spec::LogSpec;

/// Number of lines that a log could not accept, for example because the disk was full or a FIFO had no reader.
static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Number of lines lost since the start.
pub fn lines_lost_total() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

pub(super) fn count_lost() {
    LINES_LOST.fetch_add(1, Ordering::Relaxed);
}

/// Open logs; reopen and reload replace them as a whole.
#[derive(Debug)]
pub struct Logs {
    targets: Vec<(LogSpec, Option<File>)>,
}

impl Logs {
    /// Opens all logs; the first failure is the error.
    ///
    /// # Errors
    ///
    /// The error of the first log that cannot be opened.
    pub fn open(specs: &[LogSpec]) -> Result<Self, FileError> {
        let open = |spec: &LogSpec| match &spec.path {
            Some(path) => {
                let file = open_log(path).map_err(FileError::of("open", path))?;
                Ok((spec.clone(), Some(file)))
            }
            None => Ok((spec.clone(), None)),
        };
        Ok(Logs { targets: specs.iter().map(open).collect::<Result<_, _>>()? })
    }

    pub(super) fn specs(&self) -> Vec<LogSpec> {
        self.targets.iter().map(|(spec, _)| spec.clone()).collect()
    }

    /// Whether any of them takes lines of that level.
    pub(super) fn takes(&self, severity: LogLevel) -> bool {
        self.targets.iter().any(|(spec, _)| severity <= spec.level)
    }

    pub(super) fn write(&self, severity: LogLevel, line: &[u8]) {
        for (_, file) in self.targets.iter().filter(|(spec, _)| severity <= spec.level) {
            // A failing log must not stop the server; `pingosd status` shows lost lines.
            let written = match file {
                Some(file) => (&*file).write_all(line),
                None => io::stderr().write_all(line),
            };
            if written.is_err() {
                count_lost();
            }
        }
    }
}
