//! Operations beyond the rights of the process's user.
//!
//! A server that was started as root and has become another user keeps a helper process that opens what the
//! configuration names. Rights belong to the process as a whole, like its user id, so the helper is found here rather
//! than passed to each function that opens a file.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::directive::ListenAddr;
use crate::syntax::Sources;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OpenMode {
    /// For reading: keys, certificates, secrets.
    Read,
    /// For appending, created if it does not exist: logs.
    Append,
    /// As [`OpenMode::Append`]; one that is created may be read by the server's user only: logs of keys.
    AppendSecret,
}

/// A process with more rights that opens what the configuration names, and nothing else.
pub trait Helper: Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// The configuration does not name the file, the helper refuses it, or an error of the system.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File>;

    /// Binds an address and listens on it.
    ///
    /// # Errors
    ///
    /// The configuration does not name the address, the helper refuses it, or an error of the system.
    fn bind(&self, addr: &ListenAddr) -> io::Result<OwnedFd>;

    /// Removes the file of a Unix socket on which the process listens no longer.
    fn unbind(&self, addr: &ListenAddr);

    /// Whether the configuration that was read last names the address.
    fn may_bind(&self, addr: &ListenAddr) -> bool;

    /// Reads the files of the configuration.
    ///
    /// # Errors
    ///
    /// The helper does not answer, or reading failed.
    fn read_configuration(&self) -> io::Result<Sources>;

    /// Removes the pid file and the control socket at the end of the process.
    fn remove_own_files(&self);
}

static HELPER: OnceLock<Arc<dyn Helper>> = OnceLock::new();

/// Makes `helper` the helper of the process. The first one stays.
pub fn install(helper: Arc<dyn Helper>) {
    let _ = HELPER.set(helper);
}

/// The helper, if the process has one.
pub fn helper() -> Option<&'static dyn Helper> {
    HELPER.get().map(|helper| &**helper)
}

/// Has the helper open a file that the process may not open itself. Any other result is returned as it is.
///
/// # Errors
///
/// The error of `opened`, where the process has no helper or the helper does not open the file either.
pub fn or_helped(opened: io::Result<File>, path: &Path, mode: OpenMode) -> io::Result<File> {
    match (opened, helper()) {
        (Err(error), Some(helper)) if error.kind() == io::ErrorKind::PermissionDenied => {
            helper.open(path, mode).or(Err(error))
        }
        (opened, _) => opened,
    }
}
