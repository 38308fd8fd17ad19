//! The process around the server: limits, user, working directory, pid file, going to the background.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, User, chdir, geteuid, initgroups, setgid, setuid};

use super::event;
use crate::config::model::Config;

/// Detaches from the terminal. No thread may exist yet.
pub fn daemonize() -> nix::Result<()> {
    // Not to "/": relative paths in the configuration are meant from where the server was started.
    nix::unistd::daemon(true, false)
}

/// Applies `worker_rlimit_nofile`, `worker_rlimit_core` and `working_directory`.
pub fn apply_limits(config: &Config) {
    if let Some(files) = config.core.worker_rlimit_nofile {
        set_limit("setrlimit(RLIMIT_NOFILE)", Resource::RLIMIT_NOFILE, files);
    }
    if let Some(bytes) = config.core.worker_rlimit_core {
        set_limit("setrlimit(RLIMIT_CORE)", Resource::RLIMIT_CORE, bytes.0);
    }
    if let Some(directory) = &config.core.working_directory
        && let Err(error) = chdir(&directory.0)
    {
        event::limit_not_set("chdir()", &error);
    }
}

fn set_limit(what: &str, resource: Resource, value: u64) {
    let hard = getrlimit(resource).map_or(value, |(_, hard)| hard.max(value));
    // Raising the hard limit takes privileges; without them the soft limit goes as far as it can.
    if setrlimit(resource, value, hard).is_err()
        && let Err(error) = setrlimit(resource, value.min(hard), hard.min(value))
    {
        event::limit_not_set(what, &error);
    }
}

/// Gives up root for the configured user, with all supplementary groups. Files and directories in `owned` are
/// handed over first, so that logs can be opened anew later and media files written.
///
/// A server that was not started as root stays who it is.
pub fn drop_privileges(config: &Config, owned: &[PathBuf]) -> Result<(), String> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid, name) = match (&config.core.user, default_user()) {
        (Some(user), _) => (Uid::from_raw(user.uid), Gid::from_raw(user.gid), user.name.clone()),
        (None, Some(nobody)) => (nobody.uid, nobody.gid, nobody.name),
        (None, None) => return Ok(()),
    };
    if uid.is_root() {
        return Ok(());
    }
    for path in owned {
        // A log on a file system without owners stays as it is.
        let _ = nix::unistd::chown(path, Some(uid), None);
    }
    let name = std::ffi::CString::new(name).map_err(|_| "user name holds a NUL byte".to_string())?;
    setgid(gid).map_err(|e| format!("setgid({gid}) failed ({e})"))?;
    initgroups(&name, gid).map_err(|e| format!("initgroups({gid}) failed ({e})"))?;
    setuid(uid).map_err(|e| format!("setuid({uid}) failed ({e})"))?;
    Ok(())
}

/// The pid file, removed when it goes.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes our number. An error is the path and why.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = std::fs::File::create(path)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(PidFile { path: path.to_owned() })
    }

    /// The process number in a pid file.
    pub fn read(path: &Path) -> io::Result<i32> {
        let text = std::fs::read_to_string(path)?;
        let pid = text.trim().parse().ok().filter(|pid| *pid > 0);
        pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "invalid PID number"))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another instance may have written its own in the meantime.
        if PidFile::read(&self.path).is_ok_and(|pid| pid as u32 == std::process::id()) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The account that a server started as root gives up its privileges for where none is configured.
fn default_user() -> Option<User> {
    User::from_name("nobody").ok().flatten()
}
