//! `control_socket`: where commands such as `pingosd status` reach the running server.

use std::path::PathBuf;

use crate::conf::{Args, Problem, Scene, Value};

/// Where the control socket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlSocket {
    /// Beside the pid file, named like it with `.sock` at the end.
    #[default]
    On,
    /// There is none.
    Off,
    /// Under that name.
    Path(PathBuf),
}

impl Value for ControlSocket {
    fn syntax() -> String {
        "on | off | path".into()
    }

    fn parse(args: &Args<'_>, scene: &mut Scene<'_>) -> Result<ControlSocket, Problem> {
        let word = args.first();
        Ok(if word.is("on") {
            ControlSocket::On
        } else if word.is("off") {
            ControlSocket::Off
        } else {
            ControlSocket::Path(scene.under_prefix(&word.bytes))
        })
    }
}
