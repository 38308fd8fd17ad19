//! Clients' arguments in the log: query strings contain passwords and tokens, and many people can read logs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::ByteSlice;

use super::shown::Shown;

/// Value of `log_args` in the current configuration.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Sets whether values are logged unchanged.
pub fn show(on: bool) {
    SHOWN.store(on, Ordering::Relaxed);
}

/// Whether values are logged unchanged.
pub(super) fn are_shown() -> bool {
    SHOWN.load(Ordering::Relaxed)
}

/// A query string, shown without its values unless `log_args` is on.
pub struct Arguments<'a> {
    query: &'a [u8],
    /// Names whose values are always shown.
    plain: &'static [&'static str],
}

impl<'a> Arguments<'a> {
    /// Query string of a publisher or player.
    pub fn of_client(query: &'a [u8]) -> Self {
        Arguments { query, plain: &[] }
    }

    /// Query string of a control request, whose command must be visible.
    pub fn of_control(query: &'a [u8]) -> Self {
        Arguments { query, plain: &["srv", "app", "name", "newname", "clientid", "addr", "rec", "for"] }
    }
}

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOWN.load(Ordering::Relaxed) {
            return write!(f, "{}", Shown::new(self.query));
        }
        self.redacted(f)
    }
}

impl Arguments<'_> {
    fn redacted(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        for (n, pair) in self.query.split_str("&").enumerate() {
            if n > 0 {
                f.write_char('&')?;
            }
            match pair.split_once_str("=") {
                Some((name, _)) if self.plain.iter().any(|plain| name == plain.as_bytes()) => {
                    // A name may have arguments of its own.
                    let marks = [&b"?"[..], b"%3F", b"%3f"];
                    let marks = marks.iter().filter_map(|mark| Some((pair.find(mark)?, mark.len())));
                    match marks.min() {
                        Some((at, length)) => write!(f, "{}***", Shown::new(&pair[..at + length]))?,
                        None => write!(f, "{}", Shown::new(pair))?,
                    }
                }
                Some((name, b"")) => write!(f, "{}=", Shown::new(name))?,
                Some((name, _)) => write!(f, "{}=***", Shown::new(name))?,
                None if pair.is_empty() => {}
                None => f.write_str("***")?,
            }
        }
        Ok(())
    }
}

/// A name that may be followed by arguments.
pub struct ShownName<'a>(pub &'a [u8]);

impl fmt::Display for ShownName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once_str("?") {
            Some((name, query)) => write!(f, "{}?{}", Shown::new(name), Arguments::of_client(query)),
            None => write!(f, "{}", Shown::new(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out_and_names_are_not() {
        let redacted = |arguments: Arguments<'_>| {
            let mut text = String::new();
            arguments.redacted(&mut text).unwrap();
            text
        };
        let client = |query: &'static str| redacted(Arguments::of_client(query.as_bytes()));
        assert_eq!(client("user=me&pass=a=b&flag&empty="), "user=***&pass=***&***&empty=");
        assert_eq!(client(""), "");
        let control = redacted(Arguments::of_control(b"srv=a&name=b&token=c"));
        assert_eq!(control, "srv=a&name=b&token=***");
        let moves = redacted(Arguments::of_control(b"name=a&newname=b%3Fkey%3D1%3F&newname=c?key=1"));
        assert_eq!(moves, "name=a&newname=b%3F***&newname=c?***");
    }
}
