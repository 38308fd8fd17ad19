//! The `log_format` directive of rtmp.
//!
//! A variable is written as `$name` or `${name}`; names are case-sensitive and differ from those of notifications.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::directive::context::RTMP;
use crate::directive::template::{Malformed, Notation, Piece};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::syntax::{Problem, Span, Word, sentence, suggest};

/// A named template of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// Its name.
    pub name: BString,
    /// The template.
    pub template: BString,
}

/// The formats defined so far, in lower case: names are compared case-insensitively.
#[derive(Default)]
pub struct Formats(HashMap<BString, Span>);

/// Every fixed name with its meaning.
pub const MEANINGS: [(&str, &str); 22] = [
    ("app", "Application."),
    ("args", "Query string of publish or play (in notifications that is `$pargs`)."),
    ("be_audio", "1 if the session has audio."),
    ("be_video", "1 if the session has video."),
    ("bitrate", "Bits moved since the last line of this session."),
    ("bytes_received", "Bytes received."),
    ("bytes_sent", "Bytes sent."),
    ("command", "NONE, PLAY, PUBLISH or PLAY+PUBLISH."),
    ("connection", "Number of the session."),
    ("domain", "Host of the session."),
    ("flashver", "flashVer of connect."),
    ("msec", "Time in seconds with three decimals."),
    ("name", "Stream name."),
    ("ntp", "Time in whole seconds."),
    ("pageurl", "pageUrl of connect."),
    ("remote_addr", "Peer address."),
    ("session_readable_time", "Length of the session, such as 1d 2h 3m 4s."),
    ("session_time", "Length of the session in seconds."),
    ("stream", "serverid/app/name."),
    ("swfurl", "swfUrl of connect."),
    ("tcurl", "tcUrl of connect."),
    ("time_local", "Local time, common log format."),
];
/// What names with one argument of the stream's query string begin with.
const PREFIX: &[u8] = b"parg_";

impl Formats {
    /// Whether a format with this name exists.
    pub fn has(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(b"combined") || self.0.contains_key(name.to_ascii_lowercase().as_bstr())
    }

    /// Position of its definition in the configuration.
    fn first(&self, name: &[u8]) -> Option<Span> {
        self.0.get(name.to_ascii_lowercase().as_bstr()).copied()
    }
}

impl Value for LogFormat {
    const ARITY: Arity = Arity::from(2);

    fn syntax() -> String {
        "name text ...".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<LogFormat, Problem> {
        let name = args.first();
        if evaluation.context != RTMP {
            let text = "the \"log_format\" directive may be used only on \"rtmp\" level";
            evaluation.report(Problem::warning(text).at(args.name.span));
        }
        let formats = evaluation.notes.of::<Formats>();
        if formats.has(&name.bytes) {
            let text = sentence(&[b"duplicate \"log_format\" name \"", &name.bytes, b"\""]);
            let problem = Problem::new(text).at(name.span);
            return Err(match formats.first(&name.bytes) {
                Some(first) => problem.label(first, "first given here"),
                None => problem.help("`combined` is built in"),
            });
        }
        formats.0.insert(name.bytes.to_ascii_lowercase().into(), args.span());
        let mut template = Vec::new();
        for word in args.words.get(1..).unwrap_or_default() {
            check(word)?;
            template.extend_from_slice(&word.bytes);
        }
        Ok(LogFormat { name: name.text().to_owned(), template: template.into() })
    }
}

/// Every fixed name.
fn names() -> impl Iterator<Item = &'static str> {
    MEANINGS.iter().map(|(name, _)| *name)
}

/// Checks the variables of a word.
fn check(word: &Word) -> Result<(), Problem> {
    for piece in Notation::WORDS.pieces(&word.bytes) {
        let name = match piece {
            Ok(Piece::Literal(_)) => continue,
            Ok(Piece::Variable { name, .. }) => name,
            Err(Malformed::Unclosed { name, at }) => {
                let whole = &word.bytes[at..];
                let text = sentence(&[b"missing closing bracket in \"", whole, b"\""]);
                return Err(Problem::new(text).at(word.span_of(&whole[..2 + name.len()])));
            }
            Err(Malformed::NoName { at }) => {
                let whole = &word.bytes[at..];
                let text = sentence(&[b"invalid parameter \"", whole, b"\""]);
                let help = "a variable is written `$name` or `${name}`";
                return Err(Problem::new(text).at(word.span_of(&whole[..1])).help(help));
            }
        };
        if !name.starts_with(PREFIX) && !names().any(|known| known.as_bytes() == name) {
            let problem =
                Problem::new(sentence(&[b"unknown variable \"", name, b"\""])).at(word.span_of(name));
            return Err(match suggest::nearest(name, names()) {
                Some(near) => problem.help(format!("did you mean `${near}`?")),
                None => {
                    problem.help(format!("accepted: {}, parg_NAME", names().collect::<Vec<_>>().join(", ")))
                }
            });
        }
    }
    Ok(())
}
