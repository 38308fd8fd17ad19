//! Names of log formats, which `http { }` and `rtmp { }` each have.

use crate::syntax::{Problem, Span, Word, sentence};

/// The complaint about a second `log_format` with this name; `first` is the place of the first one, `None` for a built-in one.
pub fn duplicate(name: &Word, first: Option<Span>) -> Problem {
    let text = sentence(&[b"duplicate \"log_format\" name \"", &name.bytes, b"\""]);
    let problem = Problem::new(text).at(name.span);
    match first {
        Some(first) => problem.label(first, "first given here"),
        None => problem.help("`combined` is built in"),
    }
}
