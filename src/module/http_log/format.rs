//! The `log_format` directive of http.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::Bytes;

use crate::directive::{Args, Arity, Evaluation, Value};
use crate::http::variable::Template;
use crate::log::format_name;
use crate::syntax::{Problem, Span, Word, sentence};

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

/// The formats defined so far; `None` for one with an error.
#[derive(Default)]
pub struct Formats(HashMap<BString, (Span, Option<Arc<LogFormat>>)>);

/// The built-in format.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                        \"$http_referer\" \"$http_user_agent\"";

impl Formats {
    /// Whether a format with this name exists.
    pub fn has(&self, name: &[u8]) -> bool {
        name == b"combined" || self.0.contains_key(name.as_bstr())
    }

    /// Position of its definition in the configuration.
    fn first(&self, name: &[u8]) -> Option<Span> {
        self.0.get(name.as_bstr()).map(|(span, _)| *span)
    }

    /// The format with this name, if the configuration defines one.
    pub fn find(&self, name: &[u8]) -> Option<Arc<LogFormat>> {
        self.0.get(name.as_bstr()).and_then(|(_, format)| format.clone())
    }
}

impl LogFormat {
    /// The built-in format `combined`.
    ///
    /// # Errors
    ///
    /// None, since its variables are known.
    pub fn combined(evaluation: &mut Evaluation<'_>) -> Result<Arc<LogFormat>, Problem> {
        let word = Word { bytes: Bytes::from_static(COMBINED.as_bytes()), span: Span::default() };
        let parts = vec![Template::compile(&word, &word.bytes, evaluation)?];
        Ok(Arc::new(LogFormat { name: "combined".into(), escape: LogEscape::Default, parts }))
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
            return Err(format_name::duplicate(name, formats.first(&name.bytes)));
        }
        formats.0.insert(name.text().to_owned(), (args.span(), None));
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
        let format = LogFormat { name: name.text().to_owned(), escape, parts };
        let known = (args.span(), Some(Arc::new(format.clone())));
        evaluation.notes.of::<Formats>().0.insert(format.name.clone(), known);
        Ok(format)
    }
}
