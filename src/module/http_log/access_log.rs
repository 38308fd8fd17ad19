//! The `access_log` directive of http.

use bstr::{BString, ByteSlice};

use super::format::Formats;
use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::http::variable::Template;
use crate::syntax::{Problem, Word, sentence};

/// One log of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAccessLog {
    /// `off`
    Off,
    /// Destination of lines.
    To {
        /// A path relative to the prefix, or `syslog:...`.
        path: Template,
        /// Name of the format; the default is `combined`.
        format: BString,
        /// A line is written only if this is neither empty nor `0`.
        condition: Option<Template>,
    },
}

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
        let variable = path.bytes.contains(&b'$');
        let parameter = |name: &[u8]| args.words.iter().skip(2).find(|word| word.bytes.starts_with(name));
        let buffered = parameter(b"buffer=").or(parameter(b"gzip"));
        let path = if path.bytes.starts_with(b"syslog:") {
            Template::default()
        } else {
            Template::compile(path, &path.bytes, evaluation)?
        };
        let mut format: BString = "combined".into();
        let mut condition = None;
        for (index, word) in args.words.iter().enumerate().skip(1) {
            match word.bytes.split_once_str("=").filter(|_| index > 1) {
                Some((b"buffer", size)) => {
                    check(number::size(size).is_some_and(|n| n > 0), "buffer size", size, word)?;
                }
                Some((b"flush", time)) => {
                    check(number::msec(time).is_some_and(|n| n > 0), "flush time", time, word)?;
                }
                Some((b"gzip", level)) => {
                    let known = number::digits(level).is_some_and(|n| (1..=9).contains(&n));
                    check(known, "compression level", level, word)?;
                }
                Some((b"if", text)) => condition = Some(Template::compile(word, text, evaluation)?),
                None if &word.bytes[..] == b"gzip" => {}
                _ if index == 1 && evaluation.notes.of::<Formats>().has(&word.bytes) => {
                    format = word.text().to_owned();
                }
                _ if index == 1 => {
                    let text = sentence(&[b"unknown log format \"", &word.bytes, b"\""]);
                    let help = "formats are defined by `log_format` in http, before they are used";
                    return Err(Problem::new(text).at(word.span).help(help));
                }
                _ => {
                    let text = sentence(&[b"invalid parameter \"", &word.bytes, b"\""]);
                    return Err(Problem::new(text)
                        .at(word.span)
                        .help("accepted: buffer=, gzip, flush=, if="));
                }
            }
        }
        if let Some(word) = buffered.filter(|_| variable) {
            return Err(Problem::new("buffered logs cannot have variables in name").at(word.span));
        }
        if let Some(word) = parameter(b"flush=").filter(|_| buffered.is_none()) {
            let name = &args.first().bytes;
            let text = sentence(&[b"no buffer is defined for access_log \"", name, b"\""]);
            return Err(Problem::new(text).at(word.span).help("`buffer=` comes with `flush=`"));
        }
        Ok(HttpAccessLog::To { path, format, condition })
    }
}

fn check(valid: bool, what: &str, value: &[u8], word: &Word) -> Result<(), Problem> {
    if valid {
        return Ok(());
    }
    Err(Problem::new(sentence(&[b"invalid ", what.as_bytes(), b" \"", value, b"\""])).at(word.span))
}
