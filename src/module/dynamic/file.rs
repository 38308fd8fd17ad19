//! `dynamic_conf`.

use std::path::PathBuf;

use crate::conf::{Args, Arity, Msec, Problem, Scene, Value, number};

/// A file that is read again when it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicConf {
    /// The file.
    pub path: PathBuf,
    /// How often it is looked at.
    pub refresh: Msec,
}

impl Value for DynamicConf {
    const ARITY: Arity = Arity::TWO;

    fn syntax() -> String {
        "file time".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<DynamicConf, Problem> {
        let word = args.words.get(1).unwrap_or(args.name);
        let refresh = number::msec(&word.bytes).map(Msec).ok_or_else(|| {
            let problem = Problem::new(args.refuse("invalid refresh").into_diagnostic().sentence);
            problem.at(word.span).caption("how often to look, a time such as 5s")
        })?;
        Ok(DynamicConf { path: scene.under_prefix(&args.first().bytes), refresh })
    }
}
