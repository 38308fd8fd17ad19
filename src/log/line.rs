//! Format of a line, and its escapes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;

use serde::Serialize;
use tracing::field::{Field, Visit};

use super::form::LineForm;
use super::level::LogLevel;
use super::redact::redacted;
use crate::limits;
use crate::task::clock::LocalSecond;

/// A formatted line, for a log outside the error log.
pub fn line(form: LineForm, severity: LogLevel, message: &str) -> String {
    format_line(form, severity, &LineVisitor { message: message.to_owned(), ..LineVisitor::default() })
}

pub(super) fn format_line(form: LineForm, severity: LogLevel, visitor: &LineVisitor) -> String {
    match form {
        LineForm::Text => text_line(severity, visitor),
        LineForm::Json => json_line(severity, visitor),
    }
}

/// A line in JSON.
#[derive(Serialize)]
struct JsonLine<'a> {
    /// RFC 3339 with milliseconds, in local time.
    time: String,
    level: &'static str,
    pid: u32,
    tid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    message: &'a str,
}

fn json_line(severity: LogLevel, visitor: &LineVisitor) -> String {
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system());
    // The message is escaped as in text, so that both forms show the same.
    let mut message = String::new();
    escape_into(&mut message, &visitor.message);
    escape_into(&mut message, &visitor.fields);
    let line = JsonLine {
        time: now.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
        level: severity.name(),
        pid: std::process::id(),
        tid: nix::unistd::gettid().as_raw(),
        connection: visitor.conn,
        message: &message,
    };
    // Writing to a string cannot fail.
    let mut line = serde_json::to_string(&line).unwrap_or_default();
    line.push('\n');
    line
}

fn text_line(severity: LogLevel, visitor: &LineVisitor) -> String {
    thread_local! {
        static CLOCK: RefCell<LocalSecond<1>> = const { RefCell::new(LocalSecond::new(["%Y/%m/%d %H:%M:%S"])) };
    }
    let mut line = String::with_capacity(128);
    // Panics are logged too, possibly from within this function or while the thread ends.
    let clock = CLOCK.try_with(|clock| {
        let mut clock = clock.try_borrow_mut().ok()?;
        let [text] = clock.now();
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
    /// A line about the log itself.
    pub(super) fn of_text(text: String) -> LineVisitor {
        LineVisitor { message: text, ..LineVisitor::default() }
    }

    /// Leaves secrets out.
    pub(super) fn redact(&mut self) {
        for text in [&mut self.message, &mut self.fields] {
            if let Cow::Owned(redacted) = redacted(text) {
                *text = redacted;
            }
        }
    }

    /// Message and fields.
    pub(super) fn text(&self) -> String {
        [&self.message[..], &self.fields].concat()
    }

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
        let line = format_line(LineForm::Text, LogLevel::Info, &visitor);
        assert!(line.ends_with(": *7 bad name \"x\\x0Ay\\x1B[0m\", app: \"a\\x0Db\"\n"), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(&line[4..5], "/");
    }

    #[test]
    fn a_line_is_ascii_and_bounded_whatever_a_peer_sends() {
        for name in ["x".repeat(60_000), "\u{e9}".repeat(60_000), "\n".repeat(60_000)] {
            let visitor =
                LineVisitor { message: format!("publish: name='{name}'"), ..LineVisitor::default() };
            let line = format_line(LineForm::Text, LogLevel::Info, &visitor);
            assert!(line.is_ascii() && line.ends_with("...\n"), "{line}");
            assert!((limits::LOG_LINE - 10..=limits::LOG_LINE).contains(&line.len()), "{}", line.len());
        }
        assert!(line(LineForm::Text, LogLevel::Info, "caf\u{e9}").ends_with("caf\\xC3\\xA9\n"));
    }

    #[test]
    fn a_line_in_json_is_one_object_and_bounded() {
        let visitor = LineVisitor {
            conn: Some(7),
            message: "bad name \"x\ny\u{1b}\\\"".into(),
            fields: ", app: \"a\rb\"".into(),
        };
        let line = format_line(LineForm::Json, LogLevel::Warn, &visitor);
        assert!(line.is_ascii() && line.ends_with("}\n") && line.matches('\n').count() == 1, "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["level"], &value["connection"]), (&"warn".into(), &7.into()));
        assert_eq!(value["message"], "bad name \"x\\x0Ay\\x1B\\\", app: \"a\\x0Db\"");
        assert_eq!(&value["time"].as_str().unwrap()[4..5], "-");
        let long = super::line(LineForm::Json, LogLevel::Info, &"\"".repeat(60_000));
        assert!(long.len() < 2 * limits::LOG_LINE + 200, "{}", long.len());
        assert!(serde_json::from_str::<serde_json::Value>(&long).is_ok());
    }
}
