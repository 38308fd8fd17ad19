//! Log lines of the helper. It has no thread and keeps no log open: each line is appended to the server's log.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::opening;
use super::setup::User;
use crate::limits;
use crate::log::level::LogLevel;
use crate::log::{LineForm, line};
use crate::task::rights::OpenMode;

/// Writer of alerts, at most [`limits::HELPER_ALERTS`] per second; further ones are counted.
#[derive(Debug)]
pub(super) struct Alerts {
    second: Instant,
    written: usize,
    left_out: usize,
}

impl Alerts {
    /// A writer that has written nothing.
    pub(super) fn new() -> Alerts {
        Alerts { second: Instant::now(), written: 0, left_out: 0 }
    }

    /// Appends a line at level alert to `log`, or writes it to standard error.
    pub(super) fn write(&mut self, log: &Path, user: &User, text: &str) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            (self.second, self.written) = (Instant::now(), 0);
        }
        if self.written >= limits::HELPER_ALERTS {
            self.left_out += 1;
            return;
        }
        self.written += 1;
        let more = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            left_out => format!(" ({left_out} alerts before were left out)"),
        };
        let line = line(LineForm::Text, LogLevel::Alert, &format!("privileged helper: {text}{more}"));
        // There is no other place for a line that cannot be written.
        let _ = match opening::open(log, OpenMode::Append, user) {
            Ok(mut log) => log.write_all(line.as_bytes()),
            Err(_) => std::io::stderr().write_all(line.as_bytes()),
        };
    }
}
