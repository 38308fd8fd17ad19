//! Path of something that the server creates: `control_socket`, `conf_generations`.

use std::path::PathBuf;

use crate::directive::{Args, Scene, Value};
use crate::syntax::Problem;

/// Path setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The default path.
    #[default]
    On,
    /// Disabled.
    Off,
    /// This path.
    Path(PathBuf),
}

impl Value for Place {
    fn syntax() -> String {
        "on | off | path".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<Place, Problem> {
        let word = args.first();
        Ok(if word.is("on") {
            Place::On
        } else if word.is("off") {
            Place::Off
        } else {
            Place::Path(scene.under_prefix(&word.bytes))
        })
    }
}
