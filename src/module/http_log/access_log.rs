//! The `access_log` directive of http.

use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::format::{Formats, LogFormat};
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::log::sink::SinkSpec;
use crate::log::sink::spec::{Buffering, NotedSinks, SinkTarget, VariablePath};
use crate::log::sink::syslog::Syslog;
use crate::syntax::{Problem, Word, sentence};

/// One line of the directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAccessLog {
    /// `off`
    Off,
    /// Destination of lines.
    To(HttpLog),
}

/// One log of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLog {
    /// Where lines go.
    pub sink: SinkSpec,
    /// The path of each line's file, if the path has variables.
    pub path: Option<LogPath>,
    /// Format of the lines.
    pub format: Arc<LogFormat>,
    /// A line is written only if this is neither empty nor `0`.
    pub condition: Option<Template>,
}

/// A path with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPath {
    /// Directory to which it is relative; `None` for an absolute path.
    pub base: Option<PathBuf>,
    /// The path.
    pub template: Template,
}

/// The logs of a location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpLogs(pub Vec<HttpLog>);

/// Size of the buffer of a compressed log without `buffer=`.
const GZIP_BUFFER: usize = 64 * 1024;

impl Value for HttpAccessLog {
    const ARITY: Arity = Arity::SOME;

    fn syntax() -> String {
        "off | path [format [buffer=size] [gzip[=level]] [flush=time] [if=condition]]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<HttpAccessLog, Problem> {
        let path = args.first();
        if &path.bytes[..] == b"off" {
            return match args.words.get(1) {
                None => Ok(HttpAccessLog::Off),
                Some(word) => {
                    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                    Err(Problem::new(text).at(word.span).caption("nothing follows `off`"))
                }
            };
        }
        let parameters = Parameters::parse(args, evaluation)?;
        let (target, log_path) = target(path, evaluation)?;
        let buffering = parameters.buffering(&target, args)?;
        let sink = SinkSpec { target, buffering };
        if log_path.is_none() {
            let noted = evaluation.notes.of::<NotedSinks>();
            let before = noted.buffering_of(&sink.target);
            if let Some(buffering) = &sink.buffering
                && before.is_some_and(|before| before != buffering)
            {
                let text = b"\" already defined with conflicting parameters";
                return Err(Problem::new(sentence(&[b"access_log \"", &path.bytes, text])).at(args.span()));
            }
            noted.note(&sink);
        }
        let Parameters { format, condition, .. } = parameters;
        Ok(HttpAccessLog::To(HttpLog { sink, path: log_path, format, condition }))
    }
}

impl HttpLog {
    /// The log of locations for which the configuration names none.
    pub(super) fn default_log(evaluation: &mut Evaluation<'_>) -> HttpLog {
        let sink = SinkSpec::file(evaluation.under_prefix(b"logs/access.log"));
        evaluation.notes.of::<NotedSinks>().note(&sink);
        let format = LogFormat::combined(evaluation).expect("its variables are known");
        HttpLog { sink, path: None, format, condition: None }
    }
}

/// Where the lines of a path go.
fn target(word: &Word, evaluation: &mut Evaluation<'_>) -> Result<(SinkTarget, Option<LogPath>), Problem> {
    if let Some(parameters) = word.bytes.strip_prefix(b"syslog:") {
        return Ok((SinkTarget::Syslog(Syslog::parse(parameters, word, evaluation)?), None));
    }
    let full = evaluation.under_prefix(&word.bytes);
    let template = Template::compile(word, &word.bytes, evaluation)?;
    if template.variables().next().is_none() {
        return Ok((SinkTarget::File(full), None));
    }
    let base = (!word.bytes.starts_with(b"/")).then(|| evaluation.bases.prefix.clone());
    let text: BString = full.into_os_string().into_encoded_bytes().into();
    Ok((SinkTarget::Paths(VariablePath { text, cache: None }), Some(LogPath { base, template })))
}

/// What follows the path.
struct Parameters<'a> {
    format: Arc<LogFormat>,
    condition: Option<Template>,
    buffer: Option<(usize, &'a Word)>,
    flush: Option<(std::time::Duration, &'a Word)>,
    gzip: Option<(u32, &'a Word)>,
}

impl<'a> Parameters<'a> {
    fn parse(args: &Args<'a>, evaluation: &mut Evaluation<'_>) -> Result<Parameters<'a>, Problem> {
        let (mut format, mut condition) = (None, None);
        let (mut buffer, mut flush, mut gzip) = (None, None, None);
        for (index, word) in args.words.iter().enumerate().skip(1) {
            match word.bytes.split_once_str("=").filter(|_| index > 1) {
                Some((b"buffer", text)) => {
                    let size = number::size(text).filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
                    buffer = Some((size.ok_or_else(|| invalid("buffer size", text, word))?, word));
                }
                Some((b"flush", text)) => {
                    let time = number::msec(text).filter(|n| *n > 0).map(std::time::Duration::from_millis);
                    flush = Some((time.ok_or_else(|| invalid("flush time", text, word))?, word));
                }
                Some((b"gzip", text)) => {
                    let level = number::digits(text).filter(|n| (1..=9).contains(n));
                    let level = level.and_then(|level| u32::try_from(level).ok());
                    gzip = Some((level.ok_or_else(|| invalid("compression level", text, word))?, word));
                }
                Some((b"if", text)) => condition = Some(Template::compile(word, text, evaluation)?),
                None if &word.bytes[..] == b"gzip" && index > 1 => gzip = Some((1, word)),
                _ if index == 1 => {
                    let formats = evaluation.notes.of::<Formats>();
                    format = formats.find(&word.bytes);
                    // `combined`, or one with an error, which is enough of a complaint.
                    if !formats.has(&word.bytes) {
                        let text = sentence(&[b"unknown log format \"", &word.bytes, b"\""]);
                        let help = "formats are defined by `log_format` in http, before they are used";
                        return Err(Problem::new(text).at(word.span).help(help));
                    }
                }
                _ => {
                    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                    return Err(Problem::new(text)
                        .at(word.span)
                        .help("accepted: buffer=, gzip, flush=, if="));
                }
            }
        }
        let format = match format {
            Some(format) => format,
            None => LogFormat::combined(evaluation)?,
        };
        Ok(Parameters { format, condition, buffer, flush, gzip })
    }

    fn buffering(&self, target: &SinkTarget, args: &Args<'_>) -> Result<Option<Buffering>, Problem> {
        let size = match (self.buffer, self.gzip) {
            (Some((size, word)), _) => Some((size, word)),
            (None, Some((_, word))) => Some((GZIP_BUFFER, word)),
            (None, None) => None,
        };
        match (size, target) {
            (Some((_, word)), SinkTarget::Paths(_)) => {
                Err(Problem::new("buffered logs cannot have variables in name").at(word.span))
            }
            (Some((_, word)), SinkTarget::Syslog(_)) => {
                Err(Problem::new("logs to syslog cannot be buffered").at(word.span))
            }
            (Some((size, _)), _) => {
                let (flush, gzip) = (self.flush.map(|(time, _)| time), self.gzip.map(|(level, _)| level));
                Ok(Some(Buffering { size, flush, gzip }))
            }
            (None, _) => match self.flush {
                None => Ok(None),
                Some((_, word)) => {
                    let name = &args.first().bytes;
                    let text = sentence(&[b"no buffer is defined for access_log \"", name, b"\""]);
                    Err(Problem::new(text).at(word.span).help("`buffer=` comes with `flush=`"))
                }
            },
        }
    }
}

fn invalid(what: &str, value: &[u8], word: &Word) -> Problem {
    Problem::new(sentence(&[b"invalid ", what.as_bytes(), b" \"", value, b"\""])).at(word.span)
}
