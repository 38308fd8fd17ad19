//! The process environment: limits, user, working directory, background operation.

use std::ffi::{CString, NulError};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{AccessFlags, chdir, eaccess, initgroups, setgid, setuid};

use crate::config::model::Config;
use crate::server::core;
use crate::server::log;
use crate::task::user::{self, UserGroup};

/// Detaches from the terminal. No other thread may exist yet.
///
/// # Errors
///
/// The errors of the system call.
pub fn daemonize() -> nix::Result<()> {
    // The working directory stays: relative paths in the configuration refer to it.
    nix::unistd::daemon(true, false)
}

/// Whether a service manager supervises this process. Going to the background would then look like a failed start.
pub fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
}

/// Checks whether a file could be created at this path.
///
/// # Errors
///
/// Creating it would fail.
pub fn can_make(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(eaccess(directory, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

/// Applies `worker_rlimit_nofile`, `worker_rlimit_core` and `working_directory`.
pub fn apply_limits(config: &Config) {
    if let Some(files) = config.get::<core::conf::Conf>().worker_rlimit_nofile {
        set_limit("setrlimit(RLIMIT_NOFILE)", Resource::RLIMIT_NOFILE, files);
    }
    if let Some(bytes) = config.get::<core::conf::Conf>().worker_rlimit_core {
        set_limit("setrlimit(RLIMIT_CORE)", Resource::RLIMIT_CORE, bytes.0);
    }
    if let Some(directory) = &config.get::<core::conf::Conf>().working_directory
        && let Err(error) = chdir(&directory.0)
    {
        log::limit_not_set("chdir()", &error.into());
    }
}

/// Applies `worker_priority`. As in nginx, 0 changes nothing. Later threads and commands inherit the value.
pub fn apply_priority(config: &Config) {
    let priority = config.get::<core::conf::Conf>().worker_priority.0;
    if priority == 0 {
        return;
    }
    // The system takes -20 to 19 and the nearest of these for others, as in nginx.
    let nice = i32::try_from(priority.clamp(-20, 19)).expect("it is within -20 and 19");
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        log::limit_not_set("setpriority()", &io::Error::from(error));
    }
}

fn set_limit(what: &str, resource: Resource, value: u64) {
    let hard = getrlimit(resource).map_or(value, |(_, hard)| hard);
    let Err(error) = setrlimit(resource, value, hard.max(value)) else { return };
    // Raising the hard limit requires privileges; without them the soft limit is raised as far as possible.
    log::limit_not_set(what, &error.into());
    let _ = setrlimit(resource, value.min(hard), hard);
}

/// Reason why the process could not change its user. The text is nginx's message.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// The name is not a valid user name.
    #[error("user name contains a NUL byte")]
    UserName(#[from] NulError),
    /// A system call failed.
    #[error("{call}({id}) failed ({source})")]
    System {
        /// The system call.
        call: &'static str,
        /// The number of the user or group.
        id: u32,
        /// The system's error.
        source: Errno,
    },
}

/// Switches from root to the configured user with all supplementary groups. Files and directories in `owned` are handed
/// over first, so that logs can be reopened later and media files written.
///
/// No effect if the server was not started as root.
///
/// # Errors
///
/// A system call failed.
pub fn drop_privileges(config: &Config, owned: &[PathBuf]) -> Result<(), PrivilegeError> {
    let Some(UserGroup { name, uid, gid }) = user(config) else { return Ok(()) };
    for path in owned {
        // Links are not followed: if the user owns their directory, a link could make root hand over any file. On a
        // file system without owners the call fails, which is harmless.
        let _ = std::os::unix::fs::lchown(path, Some(uid.as_raw()), None);
    }
    let name = CString::new(name)?;
    let failed = |call, id| move |source| PrivilegeError::System { call, id, source };
    setgid(gid).map_err(failed("setgid", gid.as_raw()))?;
    initgroups(&name, gid).map_err(failed("initgroups", gid.as_raw()))?;
    setuid(uid).map_err(failed("setuid", uid.as_raw()))?;
    // The kernel writes no core dump of a process that changed its user unless this is set, and no other process of that
    // user may look into it.
    if config.get::<core::conf::Conf>().worker_rlimit_core.is_some()
        && let Err(error) = nix::sys::prctl::set_dumpable(true)
    {
        log::limit_not_set("prctl(PR_SET_DUMPABLE)", &error.into());
    }
    Ok(())
}

/// Number of the user to which [`drop_privileges`] will switch, if any.
pub fn becomes(config: &Config) -> Option<u32> {
    user(config).map(|user| user.uid.as_raw())
}

/// The user to which [`drop_privileges`] will switch, if any.
pub fn user(config: &Config) -> Option<UserGroup> {
    user::becomes(config.get::<core::conf::Conf>().user.as_ref())
}
