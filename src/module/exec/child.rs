//! Starting and ending child processes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

use super::command::{ExecLaunch, RedirectionMode};
use crate::limits;
use crate::task::disk::{self, DiskWork};

/// Environment variables passed to commands. Those of `env` are added. PingOS passes only `TZ` and these; without the
/// others programs may not be found, or may use another language than at the prompt.
const ENVIRONMENT: [&str; 7] = ["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER"];

/// Starts a command. Its input and output are `/dev/null` unless redirected, as in PingOS.
pub(crate) async fn spawn(launch: &ExecLaunch, environment: Vec<(OsString, OsString)>) -> io::Result<Child> {
    let launch = launch.clone();
    // Opening files and starting programs may block on a disk.
    let started = disk::spawn(DiskWork::Exec, move || {
        let mut command = prepare(&launch)?;
        command.envs(environment);
        command.process_group(0);
        tokio::process::Command::from(command).spawn()
    });
    started.await.unwrap_or_else(|_| Err(io::Error::other("starting was given up")))
}

/// Ends a child and its process group: with `signal` first, then with SIGKILL.
pub(crate) async fn end(mut child: Child, signal: i32) {
    // Without an id the child was already waited for, and the id may have been reused.
    let Some(group) = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) else { return };
    // A signal number without a name cannot be sent to a group; SIGKILL ends the child in any case.
    let _ = killpg(group, Signal::try_from(signal).unwrap_or(Signal::SIGKILL));
    let patience: Duration = limits::EXEC_KILL_GRACE;
    if tokio::time::timeout(patience, child.wait()).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

fn prepare(launch: &ExecLaunch) -> io::Result<Command> {
    let mut command = Command::new(OsStr::from_bytes(&launch.program));
    command.args(launch.args.iter().map(|arg| OsStr::from_bytes(arg)));
    command.env_clear();
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut files: BTreeMap<i32, File> = BTreeMap::new();
    for (redirection, file) in &launch.redirections {
        let path = Path::new(OsStr::from_bytes(file));
        let opened = match redirection.mode {
            RedirectionMode::Read => File::open(path),
            RedirectionMode::Write => File::create(path),
            RedirectionMode::Append => OpenOptions::new().append(true).create(true).open(path),
            RedirectionMode::Same(other) => match files.get(&other) {
                Some(file) => file.try_clone(),
                None => OpenOptions::new().read(true).write(true).open("/dev/null"),
            },
        };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        files.insert(redirection.fd, opened.map_err(named)?);
    }
    let mut mappings = Vec::new();
    for (fd, file) in files {
        match fd {
            0 => drop(command.stdin(file)),
            1 => drop(command.stdout(file)),
            2 => drop(command.stderr(file)),
            fd => mappings.push(FdMapping { parent_fd: file.into(), child_fd: fd }),
        }
    }
    if !mappings.is_empty() {
        command.fd_mappings(mappings).map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(command)
}
