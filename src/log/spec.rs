//! One destination of the error log, as the server opens it.

use super::form::LineForm;
use super::level::{ErrorLogLine, LogLevel};
use super::sink::SinkSpec;

/// One destination of the error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// The destination.
    pub sink: SinkSpec,
    /// Least severe level to be written.
    pub level: LogLevel,
    /// Form of its lines.
    pub form: LineForm,
}

impl From<&ErrorLogLine> for LogSpec {
    fn from(line: &ErrorLogLine) -> LogSpec {
        LogSpec { sink: SinkSpec::of(line.target.clone()), level: line.level, form: line.form }
    }
}

impl LogSpec {
    /// Whether the line says the same.
    pub(super) fn is(&self, line: &ErrorLogLine) -> bool {
        self.level == line.level
            && self.form == line.form
            && self.sink.target == line.target
            && self.sink.buffering.is_none()
    }
}
