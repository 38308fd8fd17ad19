//! Path of something that the server creates: `control_socket`, `conf_generations`.

use std::path::PathBuf;

use crate::directive::{Args, Evaluation, Value};
use crate::syntax::Problem;

/// Path setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PathSetting {
    /// The default path.
    #[default]
    On,
    /// Disabled.
    Off,
    /// This path.
    Path(PathBuf),
}

impl Value for PathSetting {
    fn syntax() -> String {
        "on | off | path".into()
    }

    fn parse(args: &Args<'_>, evaluation: &mut Evaluation<'_>) -> Result<PathSetting, Problem> {
        let word = args.first();
        Ok(if word.is("on") {
            PathSetting::On
        } else if word.is("off") {
            PathSetting::Off
        } else {
            PathSetting::Path(evaluation.under_prefix(&word.bytes))
        })
    }
}
