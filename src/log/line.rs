//! Format of a line, and its escapes.

use std::cell::RefCell;
use std::fmt::Write as _;

use tracing::field::{Field, Visit};

use super::level::LogLevel;
use crate::limits;

/// A formatted line, for a log outside the error log.
pub fn line(severity: LogLevel, message: &str) -> String {
    format_line(severity, &LineVisitor { message: message.to_owned(), ..LineVisitor::default() })
}

pub(super) fn format_line(severity: LogLevel, visitor: &LineVisitor) -> String {
    thread_local! {
        static CLOCK: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let mut line = String::with_capacity(128);
    // Panics are logged too, possibly from within this function or while the thread ends.
    let clock = CLOCK.try_with(|clock| {
        let (second, text) = &mut *clock.try_borrow_mut().ok()?;
        let now = jiff::Timestamp::now();
        if *second != now.as_second() {
            *second = now.as_second();
            *text =
                now.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y/%m/%d %H:%M:%S").to_string();
        }
        line.push_str(text);
        Some(())
    });
    if !matches!(clock, Ok(Some(()))) {
        line.push_str("----/--/-- --:--:--");
    }
    let (pid, tid) = (std::process::id(), nix::unistd::gettid());
    let _ = write!(line, " [{}] {pid}#{tid}: ", severity.name());
    if let Some(conn) = visitor.conn {
        let _ = write!(line, "*{conn} ");
    }
    escape_into(&mut line, &visitor.message);
    escape_into(&mut line, &visitor.fields);
    line.push('\n');
    line
}

/// Escapes a text to one line of ASCII of at most [`limits::LOG_LINE`] bytes: control bytes and bytes from 0x80 on
/// become `\xHH`, and longer text ends in `...`.
fn escape_into(line: &mut String, text: &str) {
    for byte in text.bytes() {
        if line.len() + ESCAPED > limits::LOG_LINE - CUT.len() - 1 {
            if !line.ends_with(CUT) {
                line.push_str(CUT);
            }
            return;
        }
        if byte.is_ascii_control() || !byte.is_ascii() {
            let _ = write!(line, "\\x{byte:02X}");
        } else {
            line.push(char::from(byte));
        }
    }
}

/// Length of `\xHH`.
const ESCAPED: usize = 4;

/// End of a truncated line.
const CUT: &str = "...";

#[derive(Default)]
pub(super) struct LineVisitor {
    conn: Option<u64>,
    message: String,
    fields: String,
}

impl LineVisitor {
    /// Number of the connection that the event is about.
    pub(super) fn conn(&self) -> Option<u64> {
        self.conn
    }
}

impl Visit for LineVisitor {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "conn" {
            self.conn = Some(value);
        } else {
            let _ = write!(self.fields, ", {}: {value}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            let _ = write!(self.fields, ", {}: \"{value}\"", field.name());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.fields, ", {}: {value:?}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_forge_a_line() {
        let visitor = LineVisitor {
            conn: Some(7),
            message: "bad name \"x\ny\u{1b}[0m\"".into(),
            fields: ", app: \"a\rb\"".into(),
        };
        let line = format_line(LogLevel::Info, &visitor);
        assert!(line.ends_with(": *7 bad name \"x\\x0Ay\\x1B[0m\", app: \"a\\x0Db\"\n"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(&line[4..5], "/");
    }

    #[test]
    fn a_line_is_ascii_and_bounded_whatever_a_peer_sends() {
        for name in ["x".repeat(60_000), "\u{e9}".repeat(60_000), "\n".repeat(60_000)] {
            let visitor =
                LineVisitor { message: format!("publish: name='{name}'"), ..LineVisitor::default() };
            let line = format_line(LogLevel::Info, &visitor);
            assert!(line.is_ascii() && line.ends_with("...\n"), "{line}");
            assert!((limits::LOG_LINE - 10..=limits::LOG_LINE).contains(&line.len()), "{}", line.len());
        }
        assert!(line(LogLevel::Info, "caf\u{e9}").ends_with("caf\\xC3\\xA9\n"));
    }
}
