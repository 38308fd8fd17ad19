//! Log lines about commands.

use std::io;

use tracing::{error, info};

use crate::log::os_text;
use crate::log::shown::Shown;
use crate::module::exec::command::ExecLaunch;

/// Too many commands are running.
pub fn too_many(launch: &ExecLaunch, limit: usize) {
    error!(
        "exec: \"{}\" not run: {limit} commands run already, in {}",
        Shown::new(&launch.program),
        launch.pos
    );
}

/// A command could not be started.
pub fn failed(launch: &ExecLaunch, error: &io::Error) {
    let error = os_text(error);
    error!("exec: \"{}\" failed ({error}), in {}", Shown::new(&launch.program), launch.pos);
}

/// A command that is kept running was started.
pub fn started(launch: &ExecLaunch, pid: Option<u32>) {
    info!(target: "notice", "exec: \"{}\" started, pid: {}, in {}", Shown::new(&launch.program), pid.unwrap_or(0), launch.pos);
}

/// A command that is kept running has ended, and not because the server stopped it.
pub fn exited(launch: &ExecLaunch, status: &io::Result<std::process::ExitStatus>) {
    match status {
        Ok(status) => {
            info!(target: "notice", "exec: \"{}\" exited ({status}), in {}", Shown::new(&launch.program), launch.pos);
        }
        Err(error) => {
            let error = os_text(error);
            error!("exec: wait for \"{}\" failed ({error}), in {}", Shown::new(&launch.program), launch.pos);
        }
    }
}

/// A command that is kept running was ended.
pub fn ended(launch: &ExecLaunch) {
    info!(target: "notice", "exec: \"{}\" ended, in {}", Shown::new(&launch.program), launch.pos);
}
