//! Destinations of log lines, as the server opens them.

use std::path::PathBuf;

use super::level::LogLevel;

/// One destination of the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// Path; `None` for standard error.
    pub path: Option<PathBuf>,
    /// Least severe level to be written.
    pub level: LogLevel,
}
