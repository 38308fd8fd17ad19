//! Where the control socket is, also when the configuration cannot be used.

use std::path::{Path, PathBuf};

use super::load::read;
use super::{Config, LoadOptions};
use crate::conf::outline::Outline;
use crate::module::core::control_socket::ControlSocket;
use crate::modules::REGISTRY;

/// The pid file unless the configuration says otherwise.
const PID: &str = "logs/nginx.pid";

impl Config {
    /// The control socket, if there is to be one. The embedded configuration has none, as it has no pid file.
    pub fn control_path(&self) -> Option<PathBuf> {
        let pid = self.pid_path()?;
        match &self.core.control_socket {
            ControlSocket::On => beside(&pid),
            ControlSocket::Off => None,
            ControlSocket::Path(path) => Some(path.clone()),
        }
    }
}

impl LoadOptions {
    /// The control socket by what the files say, whatever else is wrong with them: that is when a running server
    /// has to be reached most.
    pub fn control_path(&self) -> Option<PathBuf> {
        let (reading, bases) = read(self);
        let outline = Outline::new(&reading.tree, &REGISTRY);
        let said = |name| {
            let word = outline.nearest(0, name).and_then(|said| said.words().first());
            word.map(|word| word.bytes.clone())
        };
        let pid = match (said("pid"), &self.conf_file) {
            (Some(pid), _) => bases.prefix.join(crate::conf::args::to_path(&pid)),
            (None, Some(_)) => bases.prefix.join(PID),
            (None, None) => return None,
        };
        match said("control_socket") {
            Some(word) if word.eq_ignore_ascii_case(b"off") => None,
            Some(word) if !word.eq_ignore_ascii_case(b"on") => {
                Some(bases.prefix.join(crate::conf::args::to_path(&word)))
            }
            _ => beside(&pid),
        }
    }
}

/// The pid file's name with another ending. A pid file that is no file, such as `/dev/null`, has nothing beside it.
fn beside(pid: &Path) -> Option<PathBuf> {
    let usable = std::fs::metadata(pid).map_or(true, |metadata| metadata.is_file());
    usable.then(|| pid.with_extension("sock"))
}
