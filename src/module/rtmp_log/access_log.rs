//! The `access_log` directive of rtmp.

use std::sync::Arc;

use super::format::{Formats, RtmpFormat};
use crate::directive::{Args, Arity, Evaluation, Msec, Value, number};
use crate::log::sink::SinkSpec;
use crate::log::sink::spec::NotedSinks;
use crate::syntax::{Problem, sentence};

/// One log of RTMP sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtmpAccessLog {
    /// `off`
    Off,
    /// Lines are written to a file.
    File(RtmpLog),
}

/// A file of lines about RTMP sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtmpLog {
    /// The file.
    pub sink: SinkSpec,
    /// Format of the lines.
    pub format: Arc<RtmpFormat>,
    /// Interval of additional lines during a session.
    pub trunc: Option<Msec>,
}

/// The logs of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtmpLogs(pub Vec<RtmpLog>);

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
        let (mut format, mut trunc) = (None, None);
        for word in args.words.get(1..).unwrap_or_default() {
            if let Some(time) = word.bytes.strip_prefix(b"trunc=") {
                let time = number::msec(time).filter(|t| *t > 0).map(Msec);
                let text = || sentence(&[b"invalid trunc \"", &word.bytes, b"\""]);
                trunc = Some(time.ok_or_else(|| Problem::new(text()).at(word.span))?);
            } else if format.is_some() {
                return Err(Problem::new("format name has been configured").at(word.span));
            } else if let Some(known) = evaluation.notes.of::<Formats>().find(&word.bytes) {
                format = Some(known);
            } else {
                let text = sentence(&[b"unknown log format \"", &word.bytes, b"\""]);
                let help = "formats are defined by `log_format` in rtmp, before they are used";
                return Err(Problem::new(text).at(word.span).help(help));
            }
        }
        Ok(RtmpAccessLog::File(RtmpLog::to(&file.bytes, format, trunc, evaluation)))
    }
}

impl RtmpLog {
    /// The log of applications for which the configuration names none.
    pub(super) fn default_log(evaluation: &mut Evaluation<'_>) -> RtmpLog {
        RtmpLog::to(b"logs/access.log", None, None, evaluation)
    }

    fn to(
        path: &[u8],
        format: Option<Arc<RtmpFormat>>,
        trunc: Option<Msec>,
        evaluation: &mut Evaluation<'_>,
    ) -> RtmpLog {
        let sink = SinkSpec::file(evaluation.under_prefix(path));
        evaluation.notes.of::<NotedSinks>().note(&sink);
        RtmpLog { sink, format: format.unwrap_or_default(), trunc }
    }
}
