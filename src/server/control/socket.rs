//! The control socket in the file system: made for one process, found stale or alive by the next.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::log::os_text;
use crate::net::unix::{connect, is_stale};
use crate::server::process::can_make;

/// What a process that is being replaced appends to the name of its socket, as with the pid file.
pub const OLD: &str = ".oldbin";
/// The longest name, in bytes: what `sun_path` holds beside its NUL.
const LONGEST: usize = 107;

/// A control socket of ours; removed when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    identity: (u64, u64),
    listener: UnixListener,
}

impl ControlSocket {
    /// Makes the socket, in place of one that a dead process has left behind. Only its owner may open it.
    ///
    /// # Errors
    ///
    /// A running process has it, its name is too long, or what the system says; the text is for people.
    pub fn bind(path: &Path) -> Result<ControlSocket, String> {
        check_length(path)?;
        let failed = |call: &str, error: &io::Error| failed(path, call, error);
        if is_there(path)? {
            if !is_stale(path) {
                return Err(format!(
                    "control socket \"{}\" belongs to a process that is running",
                    path.display()
                ));
            }
            fs::remove_file(path).map_err(|error| failed("unlink()", &error))?;
        }
        let listener = UnixListener::bind(path).map_err(|error| failed("bind()", &error))?;
        // Whoever connects before this is refused by who he is.
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(|error| failed("chmod()", &error))?;
        listener.set_nonblocking(true).map_err(|error| failed("fcntl()", &error))?;
        let identity = identity(&fs::symlink_metadata(path).map_err(|error| failed("stat()", &error))?);
        Ok(ControlSocket { path: path.to_owned(), identity, listener })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listening side, a second time.
    ///
    /// # Errors
    ///
    /// No descriptors are left.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Makes way for the process that takes over; whoever knows the name with `.oldbin` reaches us still.
    ///
    /// # Errors
    ///
    /// Those of the system, or that the new name is too long.
    pub fn step_aside(&mut self) -> Result<(), String> {
        self.rename(old_name(&self.path))
    }

    /// Takes the place again that the other process had.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn step_back(&mut self) -> Result<(), String> {
        match self.path.to_str().and_then(|path| path.strip_suffix(OLD)) {
            Some(path) => self.rename(path.into()),
            None => Ok(()),
        }
    }

    fn rename(&mut self, to: PathBuf) -> Result<(), String> {
        check_length(&to)?;
        fs::rename(&self.path, &to).map_err(|error| {
            let (from, to) = (self.path.display(), to.display());
            format!("rename() \"{from}\" to \"{to}\" failed ({})", os_text(&error))
        })?;
        self.path = to;
        Ok(())
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The name may have become another process's.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The name of the socket of a process that is being replaced.
pub fn old_name(path: &Path) -> PathBuf {
    let mut old = path.to_owned().into_os_string();
    old.push(OLD);
    old.into()
}

/// The first of these names behind which somebody listens.
pub fn find_alive(paths: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    paths.into_iter().find(|path| connect(path).is_ok())
}

/// Whether a control socket could be made here by a process that has nothing to replace. Nothing is changed.
///
/// # Errors
///
/// Why not; the text is for people.
pub fn check(path: &Path) -> Result<(), String> {
    check_length(path)?;
    if is_there(path)? {
        return Ok(());
    }
    can_make(path).map_err(|error| failed(path, "bind()", &error))
}

/// Whether a socket stands in the place.
fn is_there(path: &Path) -> Result<bool, String> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(false) };
    if metadata.file_type().is_socket() {
        return Ok(true);
    }
    Err(format!("\"{}\" is no socket, and in the place of the control socket", path.display()))
}

fn failed(path: &Path, call: &str, error: &io::Error) -> String {
    format!("{call} of control socket \"{}\" failed ({})", path.display(), os_text(error))
}

fn check_length(path: &Path) -> Result<(), String> {
    let length = path.as_os_str().as_bytes().len();
    if length <= LONGEST {
        return Ok(());
    }
    Err(format!(
        "control socket \"{}\" has a name of {length} bytes, the system takes {LONGEST}; give a shorter one with \
         \"control_socket\"",
        path.display()
    ))
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
        assert!(ControlSocket::bind(&path).unwrap_err().contains("running"));
        first.step_aside().unwrap();
        let second = ControlSocket::bind(&path).unwrap();
        assert!(connect(&old_name(&path)).is_ok(), "the old one is still reached");
        drop(second);
        first.step_back().unwrap();
        assert!(connect(&path).is_ok());
        drop(first);
        assert!(!path.exists());
        // As a process leaves it that was killed.
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(ControlSocket::bind(&path).unwrap());
        fs::write(&path, "").unwrap();
        assert!(ControlSocket::bind(&path).unwrap_err().contains("is no socket"));
    }

    #[test]
    fn names_too_long_for_the_system_are_refused_in_words() {
        let path = Path::new("/tmp").join("x".repeat(200));
        let refused = ControlSocket::bind(&path).unwrap_err();
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
