//! The `dynamic_conf` directive.

use std::path::PathBuf;

use super::table;
use crate::directive::{Args, Arity, Evaluation, Msec, Value, number};
use crate::syntax::{Problem, sentence};

/// Maximum number of errors shown for a dynamic configuration; the first ones usually cause the others.
const MAX_SHOWN: usize = 10;

/// A file that is read again when it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicConf {
    /// The file.
    pub path: PathBuf,
    /// Interval of the checks.
    pub refresh: Msec,
}

impl Value for DynamicConf {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "file time".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<DynamicConf, Problem> {
        let word = args.words.get(1).unwrap_or(args.name);
        let refresh = number::msec(&word.bytes).map(Msec).ok_or_else(|| {
            let problem = Problem::new(args.refuse("invalid refresh").into_diagnostic().sentence);
            problem.at(word.span).caption("an interval such as 5s")
        })?;
        let word = args.first();
        let path = evaluation.under_prefix(&word.bytes);
        let wrong = table::check(&path).map_err(|error| Problem::from(error).at(word.span))?;
        if !wrong.is_empty() {
            // PingOS reads the file only while serving, logs errors, and continues without it.
            let name = path.as_os_str().as_encoded_bytes();
            let text = sentence(&[b"the dynamic configuration \"", name, b"\" cannot be used"]);
            let problem = Problem::warning(text).at(word.span);
            evaluation.report(wrong.into_iter().take(MAX_SHOWN).fold(problem, Problem::help));
        }
        Ok(DynamicConf { path, refresh })
    }
}
