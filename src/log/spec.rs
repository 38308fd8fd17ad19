//! Where log lines go, as the server opens it.

use std::path::PathBuf;

use super::level::LogLevel;

/// One destination of the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// `None` is standard error.
    pub path: Option<PathBuf>,
    /// Lines of this level and graver ones.
    pub level: LogLevel,
}
