//! The `access_log` directive of rtmp.

use std::path::PathBuf;

use bstr::BString;

use super::format::Formats;
use crate::directive::{Args, Arity, Evaluation, Msec, Value, number};
use crate::syntax::{Problem, sentence};

/// One log of RTMP sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtmpAccessLog {
    /// `off`
    Off,
    /// Lines are written to a file.
    File {
        /// The file.
        path: PathBuf,
        /// Name of the format; the default is `combined`.
        format: BString,
        /// Interval of additional lines during a session.
        trunc: Option<Msec>,
    },
}

impl Value for RtmpAccessLog {
    const ARITY: Arity = Arity::between(1, 3);

    fn syntax() -> String {
        "off | file [format] [trunc=time]".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<RtmpAccessLog, Problem> {
        let file = args.first();
        if &file.bytes[..] == b"off" {
            return Ok(RtmpAccessLog::Off);
        }
        let mut format: Option<BString> = None;
        let mut trunc = None;
        for word in args.words.get(1..).unwrap_or_default() {
            if let Some(time) = word.bytes.strip_prefix(b"trunc=") {
                let time = number::msec(time).filter(|t| *t > 0).map(Msec);
                let text = || sentence(&[b"invalid trunc \"", &word.bytes, b"\""]);
                trunc = Some(time.ok_or_else(|| Problem::new(text()).at(word.span))?);
            } else if format.is_some() {
                return Err(Problem::new("format name has been configured").at(word.span));
            } else if evaluation.notes.of::<Formats>().has(&word.bytes) {
                format = Some(word.text().to_owned());
            } else {
                let text = sentence(&[b"unknown log format \"", &word.bytes, b"\""]);
                let help = "formats are defined by `log_format` in rtmp, before they are used";
                return Err(Problem::new(text).at(word.span).help(help));
            }
        }
        let path = evaluation.under_prefix(&file.bytes);
        Ok(RtmpAccessLog::File { path, format: format.unwrap_or_else(|| "combined".into()), trunc })
    }
}
