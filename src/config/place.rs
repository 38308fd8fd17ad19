//! Where something is that the server makes for itself: `control_socket`, `conf_generations`.

use std::path::PathBuf;

use crate::directive::{Args, Scene, Value};
use crate::syntax::Problem;

/// Where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// At its usual place.
    #[default]
    On,
    /// Nowhere: there is none.
    Off,
    /// Under that name.
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
