//! The pid file and the control socket in a directory that only root may change.

use std::io;
use std::path::Path;

use crate::log::{RenameError, rename as rename_file};
use crate::task::rights;

/// Renames a file for an upgrade. Where only root may, the privileged helper does it as part of the upgrade.
///
/// # Errors
///
/// The errors of the system call.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), RenameError> {
    match rename_file(from, to) {
        Err(error) if is_roots(&error.source) => Ok(()),
        // The helper has already renamed it back.
        Err(error) if error.source.kind() == io::ErrorKind::NotFound && to.exists() => Ok(()),
        renamed => renamed,
    }
}

/// Removes a file at the end of the process, or has the privileged helper do it.
///
/// # Errors
///
/// The errors of the system call.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = std::fs::remove_file(path);
    if let (Err(error), Some(helper)) = (&removed, rights::helper())
        && is_roots(error)
    {
        helper.remove_own_files();
        return if path.symlink_metadata().is_ok() { removed } else { Ok(()) };
    }
    removed
}

fn is_roots(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && rights::helper().is_some()
}
