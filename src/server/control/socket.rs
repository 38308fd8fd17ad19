//! The control socket in the file system.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::log::{RenameError, os_text};
use crate::net::unix::{connect, is_stale};
use crate::server::own_file;
use crate::server::process::can_make;

/// Suffix that a process being replaced appends to the name of its socket, as with the pid file.
pub const OLD: &str = ".oldbin";
/// Maximum length of the name in bytes: the size of `sun_path` without its NUL.
const LONGEST: usize = 107;

/// Reason why the control socket cannot be used. The text is human-readable.
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    /// Another process answers on it.
    #[error("control socket \"{}\" belongs to a process that is running", .path.display())]
    Running {
        /// Its name.
        path: PathBuf,
    },
    /// The existing file is not a socket.
    #[error("\"{}\" exists and is not a socket, so the control socket cannot be created", .path.display())]
    NoSocket {
        /// Its name.
        path: PathBuf,
    },
    /// Its name is longer than the system allows.
    #[error(
        "control socket \"{}\" has a name of {length} bytes, the system takes {LONGEST}, {} of them for \"{OLD}\" at an \
         upgrade; give a shorter one with \"control_socket\"",
        .path.display(), OLD.len()
    )]
    LongName {
        /// Its name.
        path: PathBuf,
        /// The name's length in bytes.
        length: usize,
    },
    /// A system call failed.
    #[error("{call}() of control socket \"{}\" failed ({})", .path.display(), os_text(.source))]
    System {
        /// The system call.
        call: &'static str,
        /// The socket's name.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be renamed.
    #[error(transparent)]
    Rename(#[from] RenameError),
}

/// A control socket of this process; removed when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    identity: (u64, u64),
    listener: UnixListener,
}

impl ControlSocket {
    /// Creates the socket, replacing one that a dead process left behind. Only the owner may connect.
    ///
    /// # Errors
    ///
    /// A running process uses the socket, the name is too long, or a system call failed.
    pub fn bind(path: &Path) -> Result<ControlSocket, ControlSocketError> {
        check_length(path)?;
        if is_there(path)? {
            if !is_stale(path) {
                return Err(ControlSocketError::Running { path: path.to_owned() });
            }
            fs::remove_file(path).map_err(failed("unlink", path))?;
        }
        let listener = UnixListener::bind(path).map_err(failed("bind", path))?;
        // A client that connects before this is checked by its user id.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("chmod", path))?;
        listener.set_nonblocking(true).map_err(failed("fcntl", path))?;
        let identity = identity(&fs::symlink_metadata(path).map_err(failed("stat", path))?);
        Ok(ControlSocket { path: path.to_owned(), identity, listener })
    }

    /// Path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle to the listening socket.
    ///
    /// # Errors
    ///
    /// No file descriptors are left.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Renames the socket for the process that takes over. Under the name with `.oldbin` it stays reachable.
    ///
    /// # Errors
    ///
    /// Errors of the system, or the new name is too long.
    pub fn step_aside(&mut self) -> Result<(), ControlSocketError> {
        self.rename(old_name(&self.path))
    }

    /// Takes the original name again after the other process has ended.
    ///
    /// # Errors
    ///
    /// Errors of the system.
    pub fn step_back(&mut self) -> Result<(), ControlSocketError> {
        match self.path.to_str().and_then(|path| path.strip_suffix(OLD)) {
            Some(path) => self.rename(path.into()),
            None => Ok(()),
        }
    }

    fn rename(&mut self, to: PathBuf) -> Result<(), ControlSocketError> {
        own_file::rename(&self.path, &to)?;
        self.path = to;
        Ok(())
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The name may belong to another process by now.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = own_file::remove(&self.path);
        }
    }
}

/// Socket name of a process that is being replaced.
pub fn old_name(path: &Path) -> PathBuf {
    let mut old = path.to_owned().into_os_string();
    old.push(OLD);
    old.into()
}

/// The first of these sockets on which a process listens.
pub fn find_alive(paths: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    paths.into_iter().find(|path| connect(path).is_ok())
}

/// Checks whether a control socket could be created at this path by a process that replaces none. Nothing is changed.
///
/// # Errors
///
/// Creating it would fail.
pub fn check(path: &Path) -> Result<(), ControlSocketError> {
    check_length(path)?;
    if is_there(path)? {
        return Ok(());
    }
    can_make(path).map_err(failed("bind", path))
}

/// Whether there is a socket at the path.
fn is_there(path: &Path) -> Result<bool, ControlSocketError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(false) };
    if metadata.file_type().is_socket() {
        return Ok(true);
    }
    Err(ControlSocketError::NoSocket { path: path.to_owned() })
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ControlSocketError {
    move |source| ControlSocketError::System { call, path: path.to_owned(), source }
}

fn check_length(path: &Path) -> Result<(), ControlSocketError> {
    let length = path.as_os_str().as_bytes().len();
    if length + OLD.len() <= LONGEST {
        return Ok(());
    }
    Err(ControlSocketError::LongName { path: path.to_owned(), length })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let mut first = ControlSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(ControlSocket::bind(&path).unwrap_err().to_string().contains("running"));
        first.step_aside().unwrap();
        let second = ControlSocket::bind(&path).unwrap();
        assert!(connect(&old_name(&path)).is_ok(), "the old one is still reached");
        drop(second);
        first.step_back().unwrap();
        assert!(connect(&path).is_ok());
        drop(first);
        assert!(!path.exists());
        // As a killed process leaves it.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(ControlSocket::bind(&path).unwrap());
        fs::write(&path, "").unwrap();
        assert!(ControlSocket::bind(&path).unwrap_err().to_string().contains("is not a socket"));
    }

    #[test]
    fn names_too_long_for_the_system_are_refused_in_words() {
        let path = Path::new("/tmp").join("x".repeat(200));
        let refused = ControlSocket::bind(&path).unwrap_err().to_string();
        assert!(refused.contains("205 bytes") && refused.contains("control_socket"), "{refused}");
    }

    #[test]
    fn what_is_another_process_s_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let ours = ControlSocket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }
}
