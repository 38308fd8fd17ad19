//! Destinations and levels of the error log.

use super::form::LineForm;
use super::sink::spec::{NotedSinks, SinkSpec, SinkTarget};
use super::sink::syslog::Syslog;
use crate::directive::context::MAIN;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::limits;
use crate::syntax::{Problem, Word, sentence, suggest};

/// nginx's log levels, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The system is unusable.
    Emerg,
    /// Action must be taken at once.
    Alert,
    /// Critical.
    Crit,
    /// Errors of the server.
    Error,
    /// Warnings.
    Warn,
    /// Significant normal events.
    Notice,
    /// Actions of peers.
    Info,
    /// Debugging messages.
    Debug,
}

/// Least severe level of the logs that servers and locations have of their own.
#[derive(Debug, Default)]
pub struct OwnLevel(pub Option<LogLevel>);

/// One `error_log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLogLine {
    /// Destination.
    pub target: SinkTarget,
    /// Least severe level to be written.
    pub level: LogLevel,
    /// Form of its lines.
    pub form: LineForm,
}

const LEVELS: [(&str, LogLevel); 8] = [
    ("emerg", LogLevel::Emerg),
    ("alert", LogLevel::Alert),
    ("crit", LogLevel::Crit),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("notice", LogLevel::Notice),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

/// Parts of nginx's debug log; each of them enables all debug messages here.
const DEBUG_PARTS: [&str; 7] =
    ["debug_core", "debug_alloc", "debug_mutex", "debug_event", "debug_http", "debug_mail", "debug_stream"];

impl Value for ErrorLogLine {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        let levels: Vec<&str> = LEVELS.iter().map(|(name, _)| *name).collect();
        format!("file | stderr | syslog:... | memory:size [{}] [json]", levels.join(" | "))
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<ErrorLogLine, Problem> {
        let target = target(args, evaluation)?;
        let (words, form) = match args.words {
            [words @ .., last] if !words.is_empty() && &last.bytes[..] == b"json" => (words, LineForm::Json),
            words => (words, LineForm::Text),
        };
        let level = match words.get(1..) {
            None | Some([]) => LogLevel::Error,
            Some([only]) => level(only)?,
            Some([first, rest @ ..]) => {
                let found = level(first)?;
                for word in rest {
                    level(word)?;
                    if !is_debug_part(word) {
                        let text = sentence(&[b"duplicate log level \"", &word.bytes, b"\""]);
                        return Err(Problem::new(text).at(word.span));
                    }
                    if !is_debug_part(first) {
                        let help = "parts of debug stand without a level, or with other parts";
                        return Err(invalid(word).help(help));
                    }
                }
                found
            }
        };
        let line = ErrorLogLine { target, level, form };
        evaluation.notes.of::<NotedSinks>().note(&SinkSpec::of(line.target.clone()));
        if evaluation.context != MAIN {
            let own = evaluation.notes.of::<OwnLevel>();
            own.0 = own.0.max(Some(line.level));
        }
        Ok(line)
    }
}

impl LogLevel {
    /// Name of the level.
    pub fn name(self) -> &'static str {
        LEVELS.iter().find(|(_, level)| *level == self).map(|(name, _)| *name).unwrap_or_default()
    }
}

/// Parses the name of a level.
///
/// # Errors
///
/// The argument is not one of nginx's levels.
pub fn level(word: &Word) -> Result<LogLevel, Problem> {
    if let Some((_, level)) = LEVELS.iter().find(|(name, _)| word.bytes == name.as_bytes()) {
        return Ok(*level);
    }
    if is_debug_part(word) {
        return Ok(LogLevel::Debug);
    }
    let names = LEVELS.iter().map(|(name, _)| *name);
    let problem = invalid(word);
    match suggest::nearest(&word.bytes, names.clone()) {
        Some(name) => Err(problem.help(format!("did you mean `{name}`?"))),
        None => Err(problem.help(format!("accepted: {}", names.collect::<Vec<_>>().join(", ")))),
    }
}

fn is_debug_part(word: &Word) -> bool {
    DEBUG_PARTS.iter().any(|part| word.bytes == part.as_bytes())
}

fn invalid(word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid log level \"", &word.bytes, b"\""])).at(word.span)
}

fn target(args: &Args<'_>, evaluation: &Evaluation<'_>) -> Result<SinkTarget, Problem> {
    let word = args.first();
    if &word.bytes[..] == b"stderr" {
        return Ok(SinkTarget::Stderr);
    }
    if let Some(rest) = word.bytes.strip_prefix(b"syslog:") {
        return Syslog::parse(rest, word, evaluation).map(SinkTarget::Syslog);
    }
    if let Some(rest) = word.bytes.strip_prefix(b"memory:") {
        // As in nginx, the longest line must fit.
        let size = number::size(rest).filter(|size| *size >= limits::LOG_LINE as u64);
        let text = || sentence(&[b"invalid buffer size \"", rest, b"\""]);
        return size.map(SinkTarget::Memory).ok_or_else(|| Problem::new(text()).at(word.span));
    }
    Ok(SinkTarget::File(evaluation.under_prefix(&word.bytes)))
}
