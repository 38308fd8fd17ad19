//! The `log_format` directive of http.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::variable::Template;
use crate::syntax::{Problem, Span, sentence};

/// Escaping of values in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEscape {
    /// `\xHH` for quotes, backslashes and control bytes.
    Default,
    /// JSON string escapes.
    Json,
    /// None.
    None,
}

/// A named template of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// Its name.
    pub name: BString,
    /// Escaping of values.
    pub escape: LogEscape,
    /// The template's words, which are concatenated.
    pub parts: Vec<Template>,
}

/// The formats defined so far.
#[derive(Default)]
pub struct Formats(HashMap<BString, Span>);

impl Formats {
    /// Whether a format with this name exists.
    pub fn has(&self, name: &[u8]) -> bool {
        name == b"combined" || self.0.contains_key(name.as_bstr())
    }

    /// Position of its definition in the configuration.
    fn first(&self, name: &[u8]) -> Option<Span> {
        self.0.get(name.as_bstr()).copied()
    }
}

impl Value for LogFormat {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "name [escape=default|json|none] text ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LogFormat, Problem> {
        let name = args.first();
        let formats = evaluation.notes.of::<Formats>();
        if formats.has(&name.bytes) {
            let text = sentence(&[b"duplicate \"log_format\" name \"", &name.bytes, b"\""]);
            let problem = Problem::new(text).at(name.span);
            return Err(match formats.first(&name.bytes) {
                Some(first) => problem.label(first, "first given here"),
                None => problem.help("`combined` is built in"),
            });
        }
        formats.0.insert(name.text().to_owned(), args.span());
        let mut words = args.words.get(1..).unwrap_or_default();
        let mut escape = LogEscape::Default;
        if let Some((first, rest)) = words.split_first()
            && let Some(kind) = first.bytes.strip_prefix(b"escape=")
        {
            words = rest;
            escape = match kind {
                b"default" => LogEscape::Default,
                b"json" => LogEscape::Json,
                b"none" => LogEscape::None,
                _ => {
                    let text = sentence(&[b"unknown log format escaping \"", kind, b"\""]);
                    return Err(Problem::new(text).at(first.span).help("accepted: default, json, none"));
                }
            };
        }
        let parts =
            words.iter().map(|w| Template::compile(w, &w.bytes, evaluation)).collect::<Result<_, _>>()?;
        Ok(LogFormat { name: name.text().to_owned(), escape, parts })
    }
}
