//! Diagnostics about a configuration, as values.
//!
//! Nothing here prints; [`super::render`] turns diagnostics into text.

use bstr::{BStr, BString, ByteSlice};

use super::source::Span;

/// Severity, named after nginx's log levels, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Error: the configuration cannot be used.
    Emerg,
    /// Warning: accepted, but probably not what was meant.
    Warn,
    /// Note, shown on request only.
    Notice,
}

/// A secondary position that helps to understand the primary one.
#[derive(Clone, Debug)]
pub struct Label {
    /// The position.
    pub span: Span,
    /// Text shown there.
    pub text: String,
}

/// One diagnostic.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Severity.
    pub level: Severity,
    /// nginx's sentence, without level and position.
    pub sentence: BString,
    /// End of the statement, which is the position that nginx names. With `None`, no position is printed.
    pub place: Option<Span>,
    /// The words that the diagnostic is about.
    pub span: Option<Span>,
    /// Text under those words.
    pub caption: String,
    /// Secondary positions.
    pub labels: Vec<Label>,
    /// Hints, one line each.
    pub help: Vec<String>,
}

/// An error on its way to the caller; boxed, because errors are rare and large.
#[derive(Clone, Debug)]
pub struct Problem(Box<Diagnostic>);

impl Problem {
    /// An error with nginx's sentence.
    pub fn new(sentence: impl Into<BString>) -> Problem {
        Problem(Box::new(Diagnostic {
            level: Severity::Emerg,
            sentence: sentence.into(),
            place: None,
            span: None,
            caption: String::new(),
            labels: Vec::new(),
            help: Vec::new(),
        }))
    }

    /// A warning with nginx's sentence.
    pub fn warning(sentence: impl Into<BString>) -> Problem {
        Problem::new(sentence).level(Severity::Warn)
    }

    /// Sets the severity.
    pub fn level(mut self, level: Severity) -> Problem {
        self.0.level = level;
        self
    }

    /// Sets the words that the diagnostic is about, unless they are set.
    pub fn at(mut self, span: Span) -> Problem {
        self.0.span.get_or_insert(span);
        self
    }

    /// Sets the end of the statement, unless it is set.
    pub fn place(mut self, span: Span) -> Problem {
        self.0.place.get_or_insert(span);
        self
    }

    /// Sets the text under the words.
    pub fn caption(mut self, text: impl Into<String>) -> Problem {
        self.0.caption = text.into();
        self
    }

    /// Appends a stable name in brackets to the sentence.
    pub fn tagged(mut self, name: &str) -> Problem {
        self.0.sentence.extend_from_slice(format!(" [{name}]").as_bytes());
        self
    }

    /// Adds a secondary position.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Problem {
        self.0.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a hint.
    pub fn help(mut self, text: impl Into<String>) -> Problem {
        self.0.help.push(text.into());
        self
    }

    /// nginx's sentence.
    pub fn sentence(&self) -> &BStr {
        self.0.sentence.as_bstr()
    }

    /// Whether there is a hint.
    pub fn has_help(&self) -> bool {
        !self.0.help.is_empty()
    }

    /// The diagnostic itself.
    pub fn into_diagnostic(self) -> Diagnostic {
        *self.0
    }
}
