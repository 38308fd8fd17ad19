//! SIGUSR2: another binary takes over the sockets while this process continues, as in nginx.
//!
//! ```text
//! USR2 -> the pid file becomes PID.oldbin, the new process starts with the listening sockets; both accept
//!           | it ends, at its start or later: this process takes the pid file back and accepts again, if it had
//!           | stopped
//!           v
//! WINCH -> this process accepts no more; HUP: it accepts again, with its configuration unchanged
//! QUIT  -> this process ends once its sessions have ended; it closes none
//! ```

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bstr::ByteSlice;
use command_fds::{CommandFdExt, FdMapping};
use nix::unistd::{Pid, getppid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::inherited::{COUNTED, NGINX};
use crate::limits;
use crate::media::listing::CarriedCounts;

/// First descriptor after the standard ones, where `LISTEN_FDS` begins.
const FIRST_FD: i32 = 3;

/// The system's text for a file that only others may read, as in nginx's messages.
const PERMISSION_DENIED: &str = "(13: Permission denied)";

/// Program and arguments of this process, to start its successor in the same way.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    dir: PathBuf,
    /// The process that this one replaces, while it is alive.
    predecessor: Option<Pid>,
}

/// The process that takes over.
#[derive(Debug)]
pub(super) struct Successor {
    pid: Option<u32>,
    end: SuccessorEnd,
}

/// How this process learns that its successor has ended.
#[derive(Debug)]
enum SuccessorEnd {
    /// It is a child.
    Child(Child),
    /// It is a child of the privileged helper, which writes how it ended to this pipe.
    Told(Receiver),
}

impl Launch {
    /// Records how this process was started; `replaces` tells whether its parent is the process that it replaces. Must
    /// be called before the working directory changes and before the program file is replaced.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub(super) fn current(replaces: bool) -> io::Result<Launch> {
        let mut words = std::env::args_os();
        let dir = std::env::current_dir()?;
        // The path is kept rather than its target: an upgrade may change the link.
        let program = match words.next().map(PathBuf::from) {
            Some(path) if path.components().count() > 1 || path.is_absolute() => dir.join(path),
            _ => std::env::current_exe()?,
        };
        let predecessor = replaces.then(getppid);
        Ok(Launch { program, args: words.collect(), dir, predecessor })
    }

    /// Whether the process that this one replaces is still running.
    pub(super) fn has_predecessor(&self) -> bool {
        // The system gives an orphan another parent.
        self.predecessor == Some(getppid())
    }

    /// Starts the successor with these sockets and counters.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub(super) fn start(&self, sockets: Vec<OwnedFd>, carried: &CarriedCounts) -> io::Result<Successor> {
        let command = command(&self.program, &self.args, &self.dir, sockets, &carried.to_string())?;
        let child = Command::from(command).spawn()?;
        Ok(Successor { pid: child.id(), end: SuccessorEnd::Child(child) })
    }

    /// What the program finds wrong with the configuration: why a successor may not have started. Empty if it finds
    /// nothing within [`limits::UPGRADE_TEST`].
    pub(super) async fn complaints(&self) -> Vec<String> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).args(["-t", "-q"]).current_dir(&self.dir).env_remove(NGINX);
        let test = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let Ok(Ok(output)) = tokio::time::timeout(limits::UPGRADE_TEST, test).await else {
            return Vec::new();
        };
        // What this process may not read says nothing about the new one, which is started as root.
        if output.stderr.contains_str(PERMISSION_DENIED) {
            return Vec::new();
        }
        let lines = output.stderr.lines().filter(|line| line.contains_str("[emerg]"));
        lines.take(limits::UPGRADE_COMPLAINTS).map(|line| line.to_str_lossy().into_owned()).collect()
    }

    /// The program that an upgrade starts.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Its arguments.
    pub(super) fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The directory in which it was started.
    pub(super) fn directory(&self) -> &Path {
        &self.dir
    }
}

/// Command that starts a program with these sockets and counters.
///
/// # Errors
///
/// The sockets cannot be passed on.
pub(super) fn command(
    program: &Path,
    args: &[OsString],
    dir: &Path,
    sockets: Vec<OwnedFd>,
    carried: &str,
) -> io::Result<std::process::Command> {
    let numbers: Vec<i32> = (FIRST_FD..).take(sockets.len()).collect();
    let mut command = std::process::Command::new(program);
    command.args(args).current_dir(dir);
    command.env(NGINX, numbers.iter().map(|fd| format!("{fd};")).collect::<String>());
    command.env("LISTEN_FDS", sockets.len().to_string());
    command.env(COUNTED, carried);
    // These variables were meant for this process only.
    for name in ["LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    let mappings = sockets.into_iter().zip(numbers);
    let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    Ok(command)
}

impl Successor {
    /// A process that the privileged helper has started.
    pub(super) fn told(pid: u32, pipe: Receiver) -> Successor {
        Successor { pid: Some(pid), end: SuccessorEnd::Told(pipe) }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Waits until it has ended, and returns how.
    ///
    /// # Errors
    ///
    /// The system call failed.
    pub(super) async fn ended(&mut self) -> io::Result<String> {
        match &mut self.end {
            SuccessorEnd::Child(child) => Ok(child.wait().await?.to_string()),
            SuccessorEnd::Told(pipe) => {
                let mut how = String::new();
                pipe.take(limits::HELPER_PACKET as u64).read_to_string(&mut how).await?;
                Ok(how)
            }
        }
    }
}
