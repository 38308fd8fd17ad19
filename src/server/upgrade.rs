//! SIGUSR2: another binary takes over the sockets while this process continues, as in nginx.
//!
//! ```text
//! USR2 -> the pid file becomes PID.oldbin, the new process starts with the listening sockets; both accept
//!           | it ends, at its start or later: this process takes the pid file back and accepts again, if it had
//!           | stopped
//!           v
//! WINCH -> this process accepts no more; HUP: it accepts again, with its configuration unchanged
//! QUIT  -> this process ends once its sessions have ended by themselves
//! ```

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;

use command_fds::{CommandFdExt, FdMapping};
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};

use super::inherited::{COUNTED, NGINX};
use crate::media::listing::CarriedCounts;

/// First descriptor after the standard ones, where `LISTEN_FDS` begins.
const FIRST_FD: i32 = 3;

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
    child: Child,
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
        let numbers: Vec<i32> = (FIRST_FD..).take(sockets.len()).collect();
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir);
        command.env(NGINX, numbers.iter().map(|fd| format!("{fd};")).collect::<String>());
        command.env("LISTEN_FDS", sockets.len().to_string());
        command.env(COUNTED, carried.to_string());
        // These variables were meant for this process only.
        for name in ["LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        let mappings = sockets.into_iter().zip(numbers);
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        Ok(Successor { child: Command::from(command).spawn()? })
    }

    /// The program that an upgrade starts.
    pub(super) fn program(&self) -> &std::path::Path {
        &self.program
    }
}

impl Successor {
    /// Its process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// The system call failed.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}
