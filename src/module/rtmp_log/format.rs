//! The `log_format` directive of rtmp.
//!
//! A variable is written as `$name` or `${name}`; names are case-sensitive and differ from those of notifications.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use crate::directive::context::RTMP;
use crate::directive::template::{Malformed, Notation, Template};
use crate::directive::{Args, Arity, Evaluation, Value};
use crate::log::format_name;
use crate::syntax::{Problem, Span, Word, sentence, suggest};

/// A named template of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// Its name.
    pub name: BString,
    /// The template.
    pub format: Arc<RtmpFormat>,
}

/// A template of log lines: its words, which are concatenated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpFormat(Vec<Template<LogVariable>>);

/// The formats defined so far, in lower case: names are compared case-insensitively.
#[derive(Default)]
pub struct Formats(HashMap<BString, (Span, Arc<RtmpFormat>)>);

/// The built-in format.
const COMBINED: &str = "$remote_addr [$time_local] $command \"$app\" \"$name\" \"$args\" - $bytes_received \
                        $bytes_sent \"$pageurl\" \"$flashver\" ($session_readable_time)";

/// Declares the variables.
macro_rules! variables {
    ($( $name:literal => $Variant:ident, $doc:literal; )+) => {
        /// A variable of a log line.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum LogVariable {
            $( #[doc = $doc] $Variant, )+
            /// `parg_NAME`: one argument of the stream's query string.
            Parg(BString),
        }

        /// Every fixed name with its meaning.
        pub const MEANINGS: &[(&str, &str)] = &[$(($name, $doc)),+];

        const FIXED: &[(&str, LogVariable)] = &[$(($name, LogVariable::$Variant)),+];
    };
}

variables! {
    "app" => App, "Application.";
    "args" => Args, "Query string of publish or play (in notifications that is `$pargs`).";
    "be_audio" => BeAudio, "1 if the session has audio.";
    "be_video" => BeVideo, "1 if the session has video.";
    "bitrate" => Bitrate, "Bits moved since the last line of this session in the same log.";
    "bytes_received" => BytesReceived, "Bytes received.";
    "bytes_sent" => BytesSent, "Bytes sent.";
    "command" => Command, "NONE, PLAY, PUBLISH or PLAY+PUBLISH.";
    "connection" => Connection, "Number of the session.";
    "domain" => Domain, "Host of the session.";
    "flashver" => Flashver, "flashVer of connect.";
    "msec" => Msec, "Time in seconds with three decimals.";
    "name" => Name, "Stream name.";
    "ntp" => Ntp, "Time in whole seconds.";
    "pageurl" => Pageurl, "pageUrl of connect.";
    "remote_addr" => RemoteAddr, "Peer address.";
    "session_readable_time" => SessionReadableTime, "Length of the session, such as 1d 2h 3m 4s.";
    "session_time" => SessionTime, "Length of the session in seconds.";
    "stream" => Stream, "serverid/app/name.";
    "swfurl" => Swfurl, "swfUrl of connect.";
    "tcurl" => Tcurl, "tcUrl of connect.";
    "time_local" => TimeLocal, "Local time, common log format.";
}
/// What names with one argument of the stream's query string begin with.
const PREFIX: &[u8] = b"parg_";

impl Formats {
    /// Whether a format with this name exists.
    pub fn has(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(b"combined") || self.0.contains_key(name.to_ascii_lowercase().as_bstr())
    }

    /// The format with this name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<RtmpFormat>> {
        match self.0.get(name.to_ascii_lowercase().as_bstr()) {
            Some((_, format)) => Some(format.clone()),
            None => name.eq_ignore_ascii_case(b"combined").then(Arc::default),
        }
    }

    /// Position of its definition in the configuration.
    fn first(&self, name: &[u8]) -> Option<Span> {
        self.0.get(name.to_ascii_lowercase().as_bstr()).map(|(span, _)| *span)
    }
}

/// `combined`
impl Default for RtmpFormat {
    fn default() -> RtmpFormat {
        let known = |found: Result<(&[u8], usize), Malformed<'_>>| {
            Ok::<_, ()>(found.ok().and_then(|(name, _)| find(name)))
        };
        RtmpFormat(Notation::WORDS.template(COMBINED.as_bytes(), known).into_iter().collect())
    }
}

impl RtmpFormat {
    /// Appends a line; `value` appends the value of a variable.
    pub fn fill(&self, out: &mut Vec<u8>, mut value: impl FnMut(&LogVariable, &mut Vec<u8>)) {
        self.0.iter().for_each(|part| part.fill(out, &mut value));
    }

    /// Whether lines contain the variable.
    pub fn uses(&self, variable: &LogVariable) -> bool {
        self.0.iter().flat_map(Template::variables).any(|used| used == variable)
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
            return Err(format_name::duplicate(name, formats.first(&name.bytes)));
        }
        // A format with an error counts as defined, or each use would be a further error.
        let lower: BString = name.bytes.to_ascii_lowercase().into();
        formats.0.insert(lower.clone(), (args.span(), Arc::default()));
        let words = args.words.get(1..).unwrap_or_default();
        let format = Arc::new(RtmpFormat(words.iter().map(compile).collect::<Result<_, _>>()?));
        evaluation.notes.of::<Formats>().0.insert(lower, (args.span(), format.clone()));
        Ok(LogFormat { name: name.text().to_owned(), format })
    }
}

/// Every fixed name.
fn names() -> impl Iterator<Item = &'static str> {
    MEANINGS.iter().map(|(name, _)| *name)
}

/// The variable with this name.
fn find(name: &[u8]) -> Option<LogVariable> {
    if let Some(argument) = name.strip_prefix(PREFIX) {
        return Some(LogVariable::Parg(argument.into()));
    }
    FIXED.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, variable)| variable.clone())
}

/// Parses a word.
fn compile(word: &Word) -> Result<Template<LogVariable>, Problem> {
    Notation::WORDS.template(&word.bytes, |found| match found {
        Ok((name, _)) => find(name).map(Some).ok_or_else(|| unknown(word, name)),
        Err(Malformed::Unclosed { name, at }) => {
            let whole = &word.bytes[at..];
            let text = sentence(&[b"missing closing bracket in \"", whole, b"\""]);
            Err(Problem::new(text).at(word.span_of(&whole[..2 + name.len()])))
        }
        Err(Malformed::NoName { at }) => {
            let whole = &word.bytes[at..];
            let text = sentence(&[b"invalid parameter \"", whole, b"\""]);
            let help = "a variable is written `$name` or `${name}`";
            Err(Problem::new(text).at(word.span_of(&whole[..1])).help(help))
        }
    })
}

fn unknown(word: &Word, name: &[u8]) -> Problem {
    let problem = Problem::new(sentence(&[b"unknown variable \"", name, b"\""])).at(word.span_of(name));
    match suggest::nearest(name, names()) {
        Some(near) => problem.help(format!("did you mean `${near}`?")),
        None => problem.help(format!("accepted: {}, parg_NAME", names().collect::<Vec<_>>().join(", "))),
    }
}
