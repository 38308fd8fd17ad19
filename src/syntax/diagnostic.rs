//! What the reader has to say about a configuration, as values.
//!
//! Nothing here prints; [`super::render`] turns diagnostics into text.

use bstr::BString;

use super::source::Span;

/// nginx's log levels, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The configuration cannot be used.
    Emerg,
    /// Accepted, but probably not what was meant.
    Warn,
    /// Worth knowing, shown only when asked for.
    Notice,
}

/// A second place that helps to understand the first.
#[derive(Clone, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One complaint.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// nginx's sentence, without level and position.
    pub sentence: BString,
    /// Where the statement ended: the position nginx names. None prints no position.
    pub place: Option<Span>,
    /// The words meant.
    pub span: Option<Span>,
    /// What to write under the words meant.
    pub caption: String,
    /// Other places worth showing.
    pub labels: Vec<Label>,
    /// Advice, one line each.
    pub help: Vec<String>,
}

/// An error on its way to the reader; boxed, since it is rare and large.
#[derive(Clone, Debug)]
pub struct Problem(Box<Diagnostic>);

impl Problem {
    /// An error with nginx's sentence.
    pub fn new(sentence: impl Into<BString>) -> Problem {
        Problem(Box::new(Diagnostic {
            level: Level::Emerg,
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
        Problem::new(sentence).level(Level::Warn)
    }

    /// Changes the level.
    pub fn level(mut self, level: Level) -> Problem {
        self.0.level = level;
        self
    }

    /// Names the words meant, unless they are named already.
    pub fn at(mut self, span: Span) -> Problem {
        self.0.span.get_or_insert(span);
        self
    }

    /// Names the end of the statement, unless it is named already.
    pub fn place(mut self, span: Span) -> Problem {
        self.0.place.get_or_insert(span);
        self
    }

    /// Writes a few words under the place.
    pub fn caption(mut self, text: impl Into<String>) -> Problem {
        self.0.caption = text.into();
        self
    }

    /// Ends the sentence with a name that never changes, in brackets.
    pub fn tagged(mut self, name: &str) -> Problem {
        self.0.sentence.extend_from_slice(format!(" [{name}]").as_bytes());
        self
    }

    /// Adds another place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Problem {
        self.0.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds advice.
    pub fn help(mut self, text: impl Into<String>) -> Problem {
        self.0.help.push(text.into());
        self
    }

    /// Whether advice was given.
    pub fn has_help(&self) -> bool {
        !self.0.help.is_empty()
    }

    /// Unboxes the diagnostic.
    pub fn into_diagnostic(self) -> Diagnostic {
        *self.0
    }
}
