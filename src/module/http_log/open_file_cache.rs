//! The `open_log_file_cache` directive.

use std::time::Duration;

use bstr::ByteSlice;

use crate::directive::{Args, Arity, Evaluation, Value, number};
use crate::log::sink::spec::LogFileCaching;
use crate::syntax::{Problem, sentence};

/// Cache of open files of logs with variables in their paths; `None` for `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLogFileCache(pub Option<LogFileCaching>);

impl Value for OpenLogFileCache {
    const ARITY: Arity = Arity::between(1, 4);

    fn syntax() -> String {
        "off | max=number [inactive=time] [min_uses=number] [valid=time]".into()
    }

    fn parse(args: &Args<'_>, _: &mut Evaluation<'_>) -> Result<OpenLogFileCache, Problem> {
        let (mut max, mut off) = (None, false);
        let (mut inactive, mut min_uses, mut valid) = (10, 1, 60);
        for word in args.words {
            let known = match word.bytes.split_once_str("=") {
                Some((b"max", text)) => number::digits(text).filter(|n| *n > 0).map(|n| max = Some(n)),
                Some((b"inactive", text)) => number::sec(text).map(|n| inactive = n),
                Some((b"min_uses", text)) => number::digits(text).map(|n| min_uses = n),
                Some((b"valid", text)) => number::sec(text).map(|n| valid = n),
                None if &word.bytes[..] == b"off" => {
                    off = true;
                    Some(())
                }
                _ => None,
            };
            if known.is_none() {
                let text = sentence(&[b"invalid \"open_log_file_cache\" parameter \"", &word.bytes, b"\""]);
                let help = "accepted: off, max=, inactive=, min_uses=, valid=";
                return Err(Problem::new(text).at(word.span).help(help));
            }
        }
        if off {
            return Ok(OpenLogFileCache(None));
        }
        let Some(max) = max else {
            let text = "\"open_log_file_cache\" must have \"max\" parameter";
            return Err(Problem::new(text).at(args.span()));
        };
        Ok(OpenLogFileCache(Some(LogFileCaching {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            inactive: Duration::from_secs(inactive),
            min_uses,
            valid: Duration::from_secs(valid),
        })))
    }
}
